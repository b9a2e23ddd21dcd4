/** What the author of an operator may set. */
import type { Change, InformerOptions } from "./cache.ts";
import type { Client } from "./client.ts";
import type { Clock } from "./clock.ts";
import type { ClusterAccess } from "./credentials.ts";
import type { Logger, LoggingOptions } from "./log.ts";
import type { Runnable } from "./manager.ts";
import type { Metrics } from "./metrics.ts";
import type { WorkQueueOptions } from "./queue.ts";
import type { KubeObject, ObjectKey, Stored } from "./types.ts";

/** Options of `Operator.watches()`. */
export interface WatchKindOptions<T extends KubeObject> extends
  Pick<
    InformerOptions<T>,
    | "labelSelector"
    | "fieldSelector"
    | "namespace"
    | "metadataOnly"
    | "optional"
    | "indexes"
    | "transform"
    | "keepManagers"
    | "keepOwnershipOf"
  > {
  /** Keys of the operator's own objects that a changed object concerns. @default its controller, if that is one of them */
  readonly map?: (object: Stored<T>) => readonly ObjectKey[];
  /** Whether a change may wait for three seconds: a change that follows is reconciled together with it. @default {none may} */
  readonly mayWait?: (change: Change<T>) => boolean;
}

/** What a further part of the program gets from the operator that it belongs to. */
export interface PartTools {
  readonly client: Client;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Have an object reconciled. */
  readonly enqueue: (key: ObjectKey) => void;
  /** Have every object reconciled. */
  readonly enqueueAll: () => void;
}

/** A part that must be ready before the first reconcile; `problem` keeps `/readyz` from saying ok. */
export interface Part extends Runnable {
  problem?(): string | undefined;
}

/** Options of `Operator.run()`. */
export interface RunOptions {
  /** Stops the operator. @default SIGTERM and SIGINT */
  readonly signal?: AbortSignal;
  /** @default what the environment gives: see loadAccess */
  readonly access?: ClusterAccess;
  /** Field manager and reporting controller. @default {`${kind in lower case}-operator`} */
  readonly name?: string;
  /** Reporting instance of events. @default name */
  readonly instance?: string;
  /** Reconciles at a time. @default {8} */
  readonly concurrency?: number;
  /** Where /healthz, /readyz and /metrics are served; nowhere if absent. */
  readonly health?: { readonly hostname: string; readonly port: number };
  /** How long to wait for an API server that does not answer at the start. @default {15_000} */
  readonly connectMs?: number;
  /** How long all parts together may take to end after the signal. @default {1_500} */
  readonly drainMs?: number;
  /** Backoff of failing keys, and order of keys. */
  readonly queue?: Omit<WorkQueueOptions, "clock">;
  /** Milliseconds after which an object is reconciled again: after a success, and instead of the backoff after an error. @default {only changes and backoff} */
  readonly requeueAfterMs?: { readonly success?: number; readonly error?: number };
  /** Log lines on stderr, if the program has not configured logging itself. */
  readonly logging?: LoggingOptions;
  readonly clock?: Clock;
}

/** Which objects of the primary kind an operator reconciles. @default all of them */
export type PrimaryOptions = Pick<InformerOptions<KubeObject>, "namespace" | "labelSelector" | "fieldSelector">;
