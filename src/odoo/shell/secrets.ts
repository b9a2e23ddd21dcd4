/** The two Secrets of an instance. Only this module reads and writes passwords. */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { type ReconcileContext, Secret, sha256Hex, type Stored } from "../../kit/mod.ts";
import { secretMark } from "../model/instance/admin_password.ts";
import { configInputsHash, configKeys, renderConfig } from "../model/instance/config_text.ts";
import { passwordProblem } from "../model/postgres/database.ts";
import { CONTENT_HASH_ANNOTATION, PASSWORD_HASH_ANNOTATION, RENDERED_FROM_ANNOTATION } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import type { SecretKeyRef } from "../model/resolve.ts";

/** passlib's `pbkdf2_sha512`, as Odoo reads it: rounds and salt are in the text. */
const ROUNDS = 25_000;
const SALT_BYTES = 16;
const KEY_BITS = 512;
const PASSLIB_SALT = /^[A-Za-z0-9./]{22}$/;

/** The Secrets that one reconcile has read or written, by name, so that none is read twice. */
export class SecretBodies {
  readonly #context: ReconcileContext;
  readonly #namespace: string;
  readonly #held = new Map<string, Stored<Secret>>();

  constructor(context: ReconcileContext, namespace: string) {
    this.#context = context;
    this.#namespace = namespace;
  }

  /** A Secret with its contents; `undefined` if it does not exist. */
  async read(name: string): Promise<Stored<Secret> | undefined> {
    const held = this.#held.get(name);
    if (held) return held;
    const present = await this.#context.read(Secret, { name, namespace: this.#namespace });
    return present && this.#keep(present);
  }

  /** Creates the Secret of a role or login, unless it exists. */
  async ensureUserSecret({ name, username, labels }: Effect & { type: "ensureUserSecret" }): Promise<void> {
    const stringData = { username, password: randomBytes(24).toString("hex") };
    const secret = await this.#context.createOnce<Secret>({
      ...SECRET,
      metadata: { name, namespace: this.#namespace, labels },
      stringData,
    });
    const seen = Object.entries(labels).every(([label, value]) => secret.metadata.labels?.[label] === value);
    const kept = seen ? secret : await this.#context.patch(Secret, secret, [ // without the labels, no cache would contain it
      { op: "test", path: "/metadata/resourceVersion", value: secret.metadata.resourceVersion },
      { op: "add", path: "/metadata/labels", value: { ...secret.metadata.labels, ...labels } },
    ]);
    if (kept.data) this.#keep(kept);
  }

  /**
   * The password of the role and the version of its Secret. A tenant may have written the Secret: nothing else is taken
   * from it, and its username is only compared.
   *
   * @throws {Error} if the Secret does not exist or cannot be used.
   */
  async rolePassword(
    name: string,
    role?: string,
  ): Promise<{ readonly password: string; readonly secretVersion: string }> {
    const secret = await this.read(name);
    const refuse = (why: string) =>
      new Error(
        `Cannot use Secret ${name}: ${why}. Delete the Secret; the operator creates it again with a new password`,
      );
    if (!secret) throw refuse("it does not exist");
    const password = secretText(secret, "password");
    if (password === undefined) throw refuse("it has no key password");
    const problem = passwordProblem(password);
    if (problem) throw refuse(`its password cannot be used, because ${problem}`);
    if (role !== undefined && secretText(secret, "username") !== role) {
      throw refuse(`its username is not ${JSON.stringify(role)}, so another client has edited it`);
    }
    return { password, secretVersion: versionOf(secret) };
  }

  /** Renders odoo.conf. The hash of an unchanged admin password is kept, because a new salt would roll the pods. */
  async renderConfig(
    { name, text, adminPassword: source, userSecret, labels }: Effect & { type: "renderConfig" },
  ): Promise<void> {
    const { password, secretVersion } = await this.rolePassword(userSecret);
    const { password: adminPassword, mark } = await this.#adminPassword(source);
    const present = this.#context.store(Secret).get(`${this.#namespace}/${name}`) ? await this.read(name) : undefined;
    const adminPasswd = await hashOfPassword(adminPassword, secretText(present, "admin_passwd") ?? "");
    const salt = secretText(present, "salt") ?? randomBytes(SALT_BYTES).toString("hex");
    const file = renderConfig(text, adminPasswd || undefined);
    const rootCertificate = text.rootCertificate ? [text.rootCertificate] : [];
    const annotations = {
      [RENDERED_FROM_ANNOTATION]: configInputsHash(text, mark, secretVersion),
      [CONTENT_HASH_ANNOTATION]: sha256Hex([file, password, salt, ...rootCertificate].join("\n")),
      [PASSWORD_HASH_ANNOTATION]: sha256Hex(password),
    };
    const values = [file, adminPasswd, salt, ...rootCertificate];
    const data = Object.fromEntries(configKeys(text).map((key, index) => [key, encoded(values[index] ?? "")]));
    this.#keep(
      await this.#context.apply<Secret>({
        ...SECRET,
        metadata: { name, namespace: this.#namespace, labels, annotations },
        data,
      }),
    );
  }

  /** The admin password, and the mark that represents it in the hash of the inputs of odoo.conf. */
  async #adminPassword(source: string | SecretKeyRef): Promise<{ readonly password: string; readonly mark: string }> {
    if (typeof source === "string") return { password: source, mark: source };
    const { name, key } = source;
    const secret = await this.read(name);
    const password = secretText(secret, key);
    if (!secret || !password) {
      throw new Error(
        `Cannot render odoo.conf: Secret ${name} no longer has the key ${key}. Put the master password under that key`,
      );
    }
    return { password, mark: secretMark(versionOf(secret), key) };
  }

  #keep(secret: Stored<Secret>): Stored<Secret> {
    this.#held.set(secret.metadata.name, secret);
    return secret;
  }
}

const SECRET = { apiVersion: "v1", kind: "Secret", type: "Opaque" } as const;
/** The hash of a password: the former one if it still matches, so that a new salt rolls no pods; empty for no password. */
async function hashOfPassword(password: string, former: string): Promise<string> {
  if (!password) return "";
  return await matches(password, former) ? former : await hashed(password);
}

/** `$pbkdf2-sha512$rounds$salt$hash`, with passlib's own Base64. */
async function hashed(
  password: string,
  salt: Uint8Array<ArrayBuffer> = crypto.getRandomValues(new Uint8Array(SALT_BYTES)),
): Promise<string> {
  const key = await derivedKey(password, salt);
  return `$pbkdf2-sha512$${ROUNDS}$${passlibBase64(salt)}$${passlibBase64(key)}`;
}

/** By Web Crypto: node:crypto's pbkdf2 takes a third more processor time for the same key. */
async function derivedKey(password: string, salt: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const secret = new TextEncoder().encode(password);
  const key = await crypto.subtle.importKey("raw", secret, "PBKDF2", false, ["deriveBits"]);
  const algorithm = { name: "PBKDF2", hash: "SHA-512", salt, iterations: ROUNDS };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, KEY_BITS));
}

async function matches(password: string, hash: string): Promise<boolean> {
  const [, scheme, rounds, salt = ""] = hash.split("$"); // other clients can write it: verifying it must not cost more than one hash of ours
  if (scheme !== "pbkdf2-sha512" || rounds !== String(ROUNDS) || !PASSLIB_SALT.test(salt)) return false;
  const again = await hashed(password, fromPasslibBase64(salt));
  return again.length === hash.length &&
    timingSafeEqual(new TextEncoder().encode(again), new TextEncoder().encode(hash));
}

function passlibBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", ".").replaceAll("=", "");
}

function fromPasslibBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll(".", "+")), (c) => c.charCodeAt(0));
}

/** `uid/resourceVersion`. */
export function versionOf(secret: Stored<Secret>): string {
  return `${secret.metadata.uid}/${secret.metadata.resourceVersion}`;
}

function encoded(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

/** The value under a key, as text. */
export function secretText(secret: Stored<Secret> | undefined, key: string): string | undefined {
  const text = secret?.data?.[key];
  return text === undefined ? undefined : new TextDecoder().decode(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
}
