/**
 * The Secrets that spec.adminPasswordSecretRef names → facts about them. They are somebody else's, so no watch brings them
 * unless they bear our label (bemade.org/instance: NAME): then a change is noticed at once, and nothing is asked. Without
 * it they are read again when they were last read ten minutes ago, or half a minute ago if the password was missing.
 *
 * What was read is not kept: only the version is, and whether there was a password in it.
 */
import { keyOf, type ObjectKey, type Secret, type Stored } from "../../../kit/mod.ts";
import type { OdooInstance } from "../../crd/mod.ts";
import type { SecretKeyRef } from "../../model/resolve.ts";
import type { AdminPasswordFacts } from "../../model/world.ts";
import { secretText, versionOf } from "../secrets.ts";

const PRESENT_MS = 600_000;
const MISSING_MS = 30_000;

/** What is known, and when to ask again unless something happens before. */
export interface AdminPasswordLook {
  readonly facts: AdminPasswordFacts;
  readonly againAfterMs?: number;
}

/** How the Secrets of the instance's namespace are seen; none of them exists if it is `undefined`. */
export interface SecretEyes {
  /** From the cache: without contents, and only if it bears our label. */
  cached(name: string): Stored<Secret> | undefined;
  /** From the API server. */
  read(name: string): Promise<Stored<Secret> | undefined>;
  /** Milliseconds since some moment. */
  readonly now: number;
}

interface Memory extends SecretKeyRef {
  readonly facts: AdminPasswordFacts;
  readonly atMs: number;
  /** The cache had the Secret. */
  readonly watched: boolean;
}

/** Looks at the Secrets, as seldom as possible. */
export class AdminPasswordSecrets {
  readonly #memories = new Map<ObjectKey, Memory>();

  /** What the Secret of an instance is like; `undefined` if the spec names none, or nobody needs it any more. */
  async look(instance: Stored<OdooInstance>, eyes: SecretEyes): Promise<AdminPasswordLook | undefined> {
    const key = keyOf(instance);
    const ref = instance.spec.adminPasswordSecretRef;
    if (!ref || instance.metadata.deletionTimestamp) {
      this.forget(key);
      return undefined;
    }
    if (!ref.name || !ref.key) return { facts: { missing: "incomplete" } };
    const { now } = eyes;
    const cached = eyes.cached(ref.name);
    const held = this.#memories.get(key);
    const memory = held?.name === ref.name && held.key === ref.key && isFresh(held, { cached, now })
      ? held
      : { ...ref, facts: factsOf(await eyes.read(ref.name), ref.key), atMs: now, watched: cached !== undefined };
    this.#memories.set(key, memory);
    return memory.watched
      ? { facts: memory.facts }
      : { facts: memory.facts, againAfterMs: memory.atMs + lifetimeMs(memory) - now };
  }

  /** Of an instance that is gone. */
  forget(key: ObjectKey): void {
    this.#memories.delete(key);
  }
}

function isFresh(
  memory: Memory,
  { cached, now }: { readonly cached: Stored<Secret> | undefined; readonly now: number },
): boolean {
  if (cached) return memory.watched && (memory.facts.version === versionOf(cached));
  return !memory.watched && now - memory.atMs < lifetimeMs(memory);
}

function lifetimeMs({ facts }: Memory): number {
  return facts.missing ? MISSING_MS : PRESENT_MS;
}

function factsOf(secret: Stored<Secret> | undefined, key: string): AdminPasswordFacts {
  if (!secret) return { missing: "noSecret" };
  const version = versionOf(secret);
  return secretText(secret, key) ? { version } : { version, missing: "noKey" };
}
