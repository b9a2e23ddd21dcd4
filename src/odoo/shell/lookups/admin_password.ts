/**
 * The Secrets that spec.adminPasswordSecretRef names. The operator does not own them, so no watch brings them unless they
 * have our label (bemade.org/instance: NAME): then a change is noticed at once and nothing is read. Without the label they
 * are read again after ten minutes, or after half a minute if the password was missing.
 *
 * The contents are not kept: only the version, and whether there was a password in it.
 */
import { keyOf, type ObjectKey, type ReconcileContext, Secret, type Stored } from "../../../kit/mod.ts";
import type { SecretKeyRef } from "../../model/resolve.ts";
import type { AdminPasswordFacts, CachedWorld } from "../../model/world.ts";
import { SecretBodies, secretText, versionOf } from "../secrets.ts";
import { type Answer, type Lookup, NOTHING_TO_ASK } from "./lookup.ts";

const PRESENT_MS = 600_000;
const MISSING_MS = 30_000;

/** Reads Secrets of one namespace; `undefined` if there is none of that name. */
export interface SecretReader {
  /** From the cache: without contents, and only if the Secret has our label. */
  cached(name: string): Stored<Secret> | undefined;
  /** From the API server. */
  read(name: string): Promise<Stored<Secret> | undefined>;
  /** Milliseconds of a monotonic clock. */
  readonly now: number;
}

interface Memory extends SecretKeyRef {
  readonly facts: AdminPasswordFacts;
  readonly readAtMs: number;
  /** Whether the cache had the Secret. */
  readonly watched: boolean;
}

/** Whether the Secret that the spec names holds a master password; no facts if the spec names none. */
export class AdminPasswordLookup implements Lookup<CachedWorld, AdminPasswordFacts> {
  readonly #memories = new Map<ObjectKey, Memory>();
  readonly #readerOf: (context: ReconcileContext, namespace: string) => SecretReader;

  constructor(readerOf: (context: ReconcileContext, namespace: string) => SecretReader = secretReader) {
    this.#readerOf = readerOf;
  }

  async ask({ instance }: CachedWorld, context: ReconcileContext): Promise<Answer<AdminPasswordFacts>> {
    const key = keyOf(instance);
    const ref = instance.spec.adminPasswordSecretRef;
    if (!ref || instance.metadata.deletionTimestamp) {
      this.forget(key);
      return NOTHING_TO_ASK;
    }
    if (!ref.name || !ref.key) return { facts: { missing: "incomplete" } };
    const reader = this.#readerOf(context, instance.metadata.namespace ?? "");
    const { now } = reader;
    const cached = reader.cached(ref.name);
    const held = this.#memories.get(key);
    const memory = held?.name === ref.name && held.key === ref.key && isFresh(held, { cached, now })
      ? held
      : { ...ref, facts: factsOf(await reader.read(ref.name), ref.key), readAtMs: now, watched: cached !== undefined };
    this.#memories.set(key, memory);
    return memory.watched
      ? { facts: memory.facts }
      : { facts: memory.facts, recheckAfterMs: memory.readAtMs + lifetimeMs(memory) - now };
  }

  forget(key: ObjectKey): void {
    this.#memories.delete(key);
  }
}

function secretReader(context: ReconcileContext, namespace: string): SecretReader {
  return {
    cached: (name) => context.store(Secret).get(`${namespace}/${name}`),
    read: (name) => new SecretBodies(context, namespace).read(name),
    now: context.clock.monotonicMs(),
  };
}

function isFresh(
  memory: Memory,
  { cached, now }: { readonly cached: Stored<Secret> | undefined; readonly now: number },
): boolean {
  if (cached) return memory.watched && (memory.facts.version === versionOf(cached));
  return !memory.watched && now - memory.readAtMs < lifetimeMs(memory);
}

function lifetimeMs({ facts }: Memory): number {
  return facts.missing ? MISSING_MS : PRESENT_MS;
}

function factsOf(secret: Stored<Secret> | undefined, key: string): AdminPasswordFacts {
  if (!secret) return { missing: "noSecret" };
  const version = versionOf(secret);
  return secretText(secret, key) ? { version } : { version, missing: "noKey" };
}
