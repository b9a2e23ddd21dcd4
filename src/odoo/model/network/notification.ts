/**
 * Webhook notifications: the end of a job, a change of phase → a body with an id. The id is derived from the reported
 * event, so a receiver can detect a duplicate. Fields that upstream sends keep their names and formats.
 */
import type { Stored } from "../../../kit/types.ts";
import type { JobRequest, OdooInstance, PendingNotification } from "../../crd/mod.ts";
import { publicUrl } from "../names.ts";
import { jobTime } from "../times.ts";

/** Where a notification goes; a token, or the Secret that holds it, is in the CR's namespace. */
export type NotificationTarget = NonNullable<JobRequest["spec"]["webhook"]>;

/** One notification. Its target may hold a token and a secret path, so it is not for logs. */
export interface Notification {
  /** Printable ASCII without spaces, the same however often it is derived. */
  readonly id: string;
  readonly target: NotificationTarget;
  /** JSON without secrets. */
  readonly body: string;
}

/** The status of a job's CR with which it ends. */
export interface JobEnd {
  readonly phase?: string | null;
  readonly startTime?: string | null;
  readonly completionTime?: string | null;
  readonly message?: string | null;
  readonly jobName?: string | null;
  readonly summary?: Readonly<Record<string, unknown>>;
}

/** What is known of a job's end beside its status. */
export interface JobNotificationOptions {
  /** PascalCase; why it failed. */
  readonly reason?: string;
}

/** Condition of a request: whether its webhook has received its end; of an instance: the last change of its phase. */
export const NOTIFIED = "Notified";

const LONGEST_MESSAGE = 4_096;

/** The notification of a job's end; `undefined` if it has none, or there is no end in `end`. */
export function jobNotification(
  cr: Stored<JobRequest>,
  end: JobEnd,
  { reason }: JobNotificationOptions = {},
): Notification | undefined {
  const target = cr.spec.webhook;
  if (!target?.url || (end.phase !== "Completed" && end.phase !== "Failed")) return undefined;
  const { name, namespace, uid } = cr.metadata;
  const id = `${uid}/${end.phase}`;
  const body = {
    id,
    kind: cr.kind,
    name,
    namespace,
    uid,
    instance: cr.spec.odooInstanceRef.name,
    phase: end.phase,
    reason,
    message: end.message?.slice(0, LONGEST_MESSAGE),
    jobName: end.jobName ?? undefined,
    startTime: end.startTime ?? undefined,
    completionTime: end.completionTime ?? undefined,
    summary: end.summary,
  };
  return { id, target, body: JSON.stringify(body) };
}

/** The notification of a change of an instance's phase; `undefined` if it has none. */
export function phaseNotification(
  instance: Stored<OdooInstance>,
  { phase, previousPhase, time }: PendingNotification,
): Notification | undefined {
  const { webhook } = instance.spec;
  if (!webhook?.url) return undefined;
  const { name, namespace, uid } = instance.metadata;
  const timestamp = jobTime(Date.parse(time));
  const id = `${uid}/${phase}/${timestamp.replace(" ", "T")}`;
  const body = {
    id,
    kind: instance.kind,
    name,
    namespace,
    uid,
    phase,
    previousPhase,
    url: publicUrl(instance),
    timestamp,
  };
  return { id, target: webhook, body: JSON.stringify(body) };
}
