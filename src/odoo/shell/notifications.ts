/**
 * Notifications on their way: a queue beside the controller, so that no webhook ever delays a reconcile.
 *
 * A notification is taken once by its id. Those of an instance go one after the other, those of a namespace at most two
 * at a time, so a tenant whose receiver is dead holds up nobody else for long. What waits when the program ends is lost
 * here; whoever submits derives it again.
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

/** How a notification ended. */
export type DeliveryResult = NotifyResult | {
  readonly ok: false;
  readonly reason: "TokenMissing" | "QueueFull" | "InternalError";
  readonly message: string;
};

/** Options of {@linkcode Notifications}. */
export interface NotificationsOptions {
  /** The Secret with the administrators' passwords: no token is read from it. */
  readonly clustersSecret: { readonly name: string; readonly namespace: string };
  /** Told of each end but one by the program's own. */
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

/** Types of Secrets that people make for a token; others are credentials of another kind. */
const TOKEN_TYPES: readonly string[] = ["", "Opaque", "kubernetes.io/basic-auth"];

interface Entry {
  readonly notification: Notification;
  readonly key: ObjectKey;
  readonly namespace: string;
}

/** No token can be had; the message is for the CR's author. */
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
  /** In the order of their last mention. */
  readonly #seen = new Set<string>();
  readonly #results = new Map<string, DeliveryResult>();
  #signal: AbortSignal | undefined;

  constructor(tools: PartTools, notifier: Pick<Notifier, "send">, options: NotificationsOptions) {
    this.#tools = tools;
    this.#notifier = notifier;
    this.#options = options;
    this.#ends = createCounter(tools.metrics, {
      name: "odoo_notifications_total",
      help: "Notifications by result: Delivered, or why not",
      labels: ["result"],
    });
  }

  /** How the last ones ended, by id. */
  get results(): ReadonlyMap<string, DeliveryResult> {
    return this.#results;
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    this.#start();
    await untilAborted(signal);
    await Promise.all(this.#inFlight.values());
  }

  /** Takes a notification of the instance `key`, unless its id is known. Returns at once and does not throw. */
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

  /** The oldest of whoever has most: a flood takes nobody else's place. */
  #dropOne(): void {
    const numbers = new Map<string, number>();
    for (const { namespace } of this.#waiting) numbers.set(namespace, (numbers.get(namespace) ?? 0) + 1);
    const most = Math.max(...numbers.values());
    const index = this.#waiting.findIndex(({ namespace }) => numbers.get(namespace) === most);
    for (const entry of this.#waiting.splice(index, 1)) {
      this.#seen.delete(entry.notification.id); // nothing was sent: it may be submitted again
      this.#end(entry, {
        ok: false,
        reason: "QueueFull",
        message: "Cannot notify: too many notifications of this namespace wait",
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
    if (result.ok || result.reason !== "QueueFull") this.#results.set(id, result); // that one may be submitted again
    for (const [oldest] of this.#results) if (this.#results.size > MOST_RESULTS) this.#results.delete(oldest);
    this.#options.onResult?.(id, result, key);
  }

  /** The plain token, else the one in the Secret; `undefined` if neither is asked for. */
  async #token({ notification: { target }, namespace }: Entry, signal: AbortSignal): Promise<string | undefined> {
    if (target.token) return target.token;
    const ref = target.secretTokenSecretRef;
    if (!ref) return undefined;
    const refuse = (why: string) => new TokenError(`Cannot use Secret ${ref.name} for the webhook's token: ${why}`);
    if (!OBJECT_NAME.test(ref.name)) throw refuse("this is no name of a Secret");
    const secret = await this.#readSecret({ name: ref.name, namespace }, signal);
    if (!secret) throw refuse("it does not exist");
    if (this.#isReserved(secret)) throw refuse("it holds credentials of another kind");
    const token = secretText(secret, ref.key)?.replace(/\r?\n$/, ""); // as files and echo leave it
    if (!token) throw refuse(`it has no key ${ref.key}`);
    return token;
  }

  /** What an API server that is away for a moment does not answer is asked again. */
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

  /** Secrets that whoever writes a webhook need not be able to read, and must not have sent to a place of their choice. */
  #isReserved({ type = "", metadata: { name, namespace, labels } }: Stored<Secret>): boolean {
    const { clustersSecret } = this.#options;
    if (name === clustersSecret.name && namespace === clustersSecret.namespace) return true;
    const instance = labels?.[INSTANCE_LABEL];
    const { userSecret, adminSecret, readOnlySecret, config } = objectNames;
    const ours = instance ? [userSecret, adminSecret, readOnlySecret, config].map((nameOf) => nameOf(instance)) : [];
    return ours.includes(name) || !TOKEN_TYPES.includes(type);
  }
}
