/**
 * The queue of notifications. It is separate from the controller, so that no webhook delays a reconcile.
 *
 * A notification with a known id is ignored. The notifications of an instance are sent one after the other, those of a
 * namespace at most two at a time, so that a tenant whose receiver does not answer delays other tenants only briefly. The
 * queue is lost when the program ends; the reconciles after the next start submit its notifications again.
 */
import {
  backoffMs,
  createCounter,
  isNotFound,
  isUnavailable,
  messageOf,
  nameOfKey,
  type ObjectKey,
  type Part,
  type PartTools,
  pause,
  Secret,
  type Stored,
  untilAborted,
} from "../../kit/mod.ts";
import { INSTANCE_LABEL, objectNames } from "../model/names.ts";
import type { Notification } from "../model/network/notification.ts";
import type { Notifier, NotifyRequest, NotifyResult } from "../ports/notify.ts";
import { secretText } from "./secrets.ts";

/** The result of a notification. */
export type DeliveryResult = NotifyResult | {
  readonly ok: false;
  readonly reason: "TokenMissing" | "QueueFull" | "InternalError";
  readonly message: string;
};

/** Options of {@linkcode Notifications}. */
export interface NotificationsOptions {
  /** The Secret with the passwords of the PostgreSQL administrators: no token is read from it. */
  readonly clustersSecret: { readonly name: string; readonly namespace: string };
  /** Called with each result, except when the end of the program aborted the delivery. */
  readonly onResult?: (id: string, result: DeliveryResult, key: ObjectKey) => void;
  /** @default {1_000} */
  readonly mostWaiting?: number;
  /** Ids that are remembered. @default {10_000} */
  readonly mostSeen?: number;
}

const MOST_IN_FLIGHT = 8;
const MOST_PER_NAMESPACE = 2;
const MOST_WAITING = 1_000;
const MOST_SEEN = 10_000;
const MOST_RESULTS = 1_000;
const TOKEN_ATTEMPTS = 4;
const TOKEN_BACKOFF = { baseMs: 1_000, maxMs: 10_000 } as const;

const OBJECT_NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

/** Types of Secrets that may hold a token; Secrets of other types hold other credentials. */
const TOKEN_TYPES: readonly string[] = ["", "Opaque", "kubernetes.io/basic-auth"];

interface Entry {
  readonly notification: Notification;
  readonly key: ObjectKey;
  readonly namespace: string;
}

/** The token cannot be read; the message is for the author of the CR. */
class TokenError extends Error {
  override readonly name = "TokenError";
}

/** The notifications of all instances. */
export class Notifications implements Part {
  readonly name = "notifications";
  readonly #tools: PartTools;
  readonly #notifier: Pick<Notifier, "send">;
  readonly #options: NotificationsOptions;
  readonly #ends: ReturnType<typeof createCounter<"result">>;
  readonly #waiting: Entry[] = [];
  readonly #inFlight = new Map<Entry, Promise<void>>();
  /** Known ids, the one submitted longest ago first. */
  readonly #seen = new Set<string>();
  readonly #results = new Map<string, DeliveryResult>();
  #signal: AbortSignal | undefined;

  constructor(tools: PartTools, notifier: Pick<Notifier, "send">, options: NotificationsOptions) {
    this.#tools = tools;
    this.#notifier = notifier;
    this.#options = options;
    this.#ends = createCounter(tools.metrics, {
      name: "odoo_notifications_total",
      help: "Notifications by result: Delivered, or the reason of the failure",
      labels: ["result"],
    });
  }

  /** The last results, by the id of the notification. */
  get results(): ReadonlyMap<string, DeliveryResult> {
    return this.#results;
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    this.#start();
    await untilAborted(signal);
    await Promise.all(this.#inFlight.values());
  }

  /** Queues a notification of the instance `key`, unless its id is known. Returns at once and does not throw. */
  submit(notification: Notification, key: ObjectKey): void {
    const isNew = !this.#seen.delete(notification.id);
    this.#seen.add(notification.id);
    if (!isNew) return;
    const { mostWaiting = MOST_WAITING, mostSeen = MOST_SEEN } = this.#options;
    for (const id of this.#seen) {
      if (this.#seen.size <= mostSeen) break;
      this.#seen.delete(id);
    }
    this.#waiting.push({ notification, key, namespace: nameOfKey(key).namespace ?? "" });
    this.#start();
    if (this.#waiting.length > mostWaiting) this.#dropOne();
  }

  #start(): void {
    const signal = this.#signal;
    if (!signal || signal.aborted) return;
    while (this.#inFlight.size < MOST_IN_FLIGHT) {
      const index = this.#waiting.findIndex((entry) => this.#mayStart(entry));
      const [entry] = index < 0 ? [] : this.#waiting.splice(index, 1);
      if (!entry) return;
      const work = this.#deliver(entry, signal).finally(() => {
        this.#inFlight.delete(entry);
        this.#start();
      });
      this.#inFlight.set(entry, work);
    }
  }

  #mayStart({ key, namespace }: Entry): boolean {
    const others = [...this.#inFlight.keys()].filter((other) => other.namespace === namespace);
    return others.length < MOST_PER_NAMESPACE && others.every((other) => other.key !== key);
  }

  /** Drops the oldest of the namespace with the most notifications, so that other namespaces keep their places. */
  #dropOne(): void {
    const numbers = new Map<string, number>();
    for (const { namespace } of this.#waiting) numbers.set(namespace, (numbers.get(namespace) ?? 0) + 1);
    const most = Math.max(...numbers.values());
    const index = this.#waiting.findIndex(({ namespace }) => numbers.get(namespace) === most);
    for (const entry of this.#waiting.splice(index, 1)) {
      this.#seen.delete(entry.notification.id); // it was not sent, so it may be submitted again
      this.#end(entry, {
        ok: false,
        reason: "QueueFull",
        message: "Cannot notify: too many notifications of this namespace are waiting. Check that its webhooks answer",
      });
    }
  }

  async #deliver(entry: Entry, signal: AbortSignal): Promise<void> {
    let result: DeliveryResult;
    try {
      const { id, body, target } = entry.notification;
      const token = await this.#token(entry, signal);
      const request: NotifyRequest = { url: target.url, id, body, ...(token ? { token } : {}) };
      result = await this.#notifier.send(request, signal);
    } catch (error) {
      const reason = error instanceof TokenError ? "TokenMissing" : "InternalError";
      result = { ok: false, reason, message: messageOf(error) };
    }
    if (result.ok || !signal.aborted) this.#end(entry, result);
  }

  #end({ notification: { id }, key }: Entry, result: DeliveryResult): void {
    const { log } = this.#tools;
    this.#ends.inc({ result: result.ok ? "Delivered" : result.reason });
    if (result.ok) log.debug("Notification delivered", { key, id });
    else log.warn("Notification not delivered", { key, id, reason: result.reason, error: result.message });
    if (result.ok || result.reason !== "QueueFull") this.#results.set(id, result); // a dropped one may be submitted again
    for (const [oldest] of this.#results) if (this.#results.size > MOST_RESULTS) this.#results.delete(oldest);
    this.#options.onResult?.(id, result, key);
  }

  /** The plain token, otherwise the one in the Secret; `undefined` if the webhook has neither. @throws {TokenError} */
  async #token({ notification: { target }, namespace }: Entry, signal: AbortSignal): Promise<string | undefined> {
    if (target.token) return target.token;
    const ref = target.secretTokenSecretRef;
    if (!ref) return undefined;
    const refuse = (why: string) =>
      new TokenError(`Cannot read the token of the webhook from Secret ${ref.name}: ${why}`);
    if (!OBJECT_NAME.test(ref.name)) throw refuse("this is not a valid name of a Secret. Correct secretTokenSecretRef");
    const secret = await this.#readSecret({ name: ref.name, namespace }, signal);
    if (!secret) throw refuse("the Secret does not exist. Create it");
    if (this.#isReserved(secret)) {
      throw refuse("it holds other credentials. Put the token into a Secret of type Opaque of its own");
    }
    const token = secretText(secret, ref.key)?.replace(/\r?\n$/, ""); // which a file or echo appends
    if (!token) throw refuse(`it has no key ${ref.key}. Put the token under that key`);
    return token;
  }

  /** Reads a Secret, and tries again while the API server is unavailable. */
  async #readSecret(
    address: { readonly name: string; readonly namespace: string },
    signal: AbortSignal,
  ): Promise<Stored<Secret> | undefined> {
    const { client, clock } = this.#tools;
    for (let attempts = 1;; attempts++) {
      try {
        return await client.get(Secret, address, { signal });
      } catch (error) {
        if (isNotFound(error)) return undefined;
        if (!isUnavailable(error) || attempts === TOKEN_ATTEMPTS) throw error;
        await pause(backoffMs(attempts - 1, TOKEN_BACKOFF), { clock, signal });
      }
    }
  }

  /** Secrets that the author of a webhook may not be allowed to read, and whose content must not be sent to a chosen URL. */
  #isReserved({ type = "", metadata: { name, namespace, labels } }: Stored<Secret>): boolean {
    const { clustersSecret } = this.#options;
    if (name === clustersSecret.name && namespace === clustersSecret.namespace) return true;
    const instance = labels?.[INSTANCE_LABEL];
    const { userSecret, adminSecret, readOnlySecret, config } = objectNames;
    const ours = instance ? [userSecret, adminSecret, readOnlySecret, config].map((nameOf) => nameOf(instance)) : [];
    return ours.includes(name) || !TOKEN_TYPES.includes(type);
  }
}
