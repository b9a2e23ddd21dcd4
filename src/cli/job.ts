/**
 * `odoo-operator job <kind>`: the part of an operation's Job that talks to S3, in a container beside the one that talks to
 * PostgreSQL. It needs no Kubernetes. The result is the termination message (see src/odoo/pod/report.ts).
 *
 * Environment of all jobs:
 *   S3_ENDPOINT S3_REGION S3_BUCKET S3_KEY S3_INSECURE S3_ACCESS_KEY S3_SECRET_KEY; S3_CA_FILE: further authorities, as PEM
 *   KUBERNETES_SERVICE_HOST  what the kubelet gives every pod: nothing is sent there
 *   TERMINATION_LOG        where the result goes; default: /termination-log, the pod's terminationMessagePath
 *
 * Environment of `job backup`; scripts/backup_dump.sh is its counterpart:
 *   BACKUP_DIR             the folder that both containers share
 *   BACKUP_FORMAT          zip, sql or dump
 *   BACKUP_WITH_FILESTORE  false: a zip without the attachments
 *   BACKUP_FILESTORE       the folder of the database's files
 *   BACKUP_PEER_SECONDS    for the other container to come up; default 600
 *   BACKUP_SECONDS         for everything; default 86400
 *
 * Environment of `job restore`; scripts/restore_load.sh is its counterpart:
 *   RESTORE_SOURCE         s3 or odoo
 *   RESTORE_FORMAT         zip, dump or sql
 *   RESTORE_SIDE           name of the side database, and of the directory beside the instance's files that new ones go to
 *   RESTORE_DATA           Odoo's data directory; default /var/lib/odoo
 *   RESTORE_SHARED         the folder that both containers share
 *   RESTORE_ODOO_VERSION   of the instance's image, if it is known: the backup must be of the same major
 *   RESTORE_MAX_BYTES      how much a source may hold, unpacked; default 2 TiB
 *   RESTORE_PEER_SECONDS   for the other container to come up; default 900
 *   RESTORE_SECONDS        for everything; default 86400
 *   SOURCE_URL SOURCE_DATABASE SOURCE_PASSWORD   of the other Odoo, and of its database manager
 */
import { backUp } from "../odoo/pod/backup.ts";
import { backupSettings, type Environment } from "../odoo/pod/backup_settings.ts";
import { failureReport, JobError, successReport } from "../odoo/pod/report.ts";
import { restore } from "../odoo/pod/restore.ts";
import { restoreSettings } from "../odoo/pod/restore_settings.ts";

/** As in resources/pod.ts. */
const TERMINATION_LOG = "/termination-log";

/** What no job needs. Files and network it does. */
const NOT_NEEDED: readonly Deno.PermissionName[] = ["run", "ffi", "sys"];

/** Variables whose values must be in no message. */
const SECRETS: readonly string[] = ["S3_SECRET_KEY", "S3_ACCESS_KEY", "SOURCE_PASSWORD"];

/** A job whose settings make sense. */
interface Work {
  readonly timeoutMs: number;
  run(signal: AbortSignal): Promise<object>;
}

const JOBS: Readonly<Record<string, (environment: Environment) => Work>> = {
  backup: (environment) => {
    const settings = backupSettings(environment);
    return { timeoutMs: settings.timeoutMs, run: (signal) => backUp(settings, signal) };
  },
  restore: (environment) => {
    const settings = restoreSettings(environment);
    return { timeoutMs: settings.timeoutMs, run: (signal) => restore(settings, signal) };
  },
};

/** Runs the job that `args` name; the exit code is 0 only if it did what it was to do. */
export async function command(args: readonly string[], signal: AbortSignal): Promise<number> {
  const [kind = ""] = args;
  const prepare = Object.hasOwn(JOBS, kind) ? JOBS[kind] : undefined;
  if (!prepare) throw usage(`Cannot run 'job ${kind}': the jobs are ${Object.keys(JOBS).join(" and ")}`);
  const environment: Environment = Deno.env.toObject();
  for (const name of NOT_NEEDED) await Deno.permissions.revoke({ name });
  for (const name of Object.keys(environment)) Deno.env.delete(name); // no library finds a setting, or a secret, by itself
  let report: string;
  let code = 0;
  try {
    const work = prepare(environment);
    const late = AbortSignal.timeout(work.timeoutMs);
    report = successReport({ ...await work.run(AbortSignal.any([signal, late])) });
  } catch (error) {
    report = failureReport(explained(error, { kind, signal }), SECRETS.map((name) => environment[name] ?? ""));
    code = 1;
  }
  await Deno.writeTextFile(environment.TERMINATION_LOG ?? TERMINATION_LOG, report);
  Deno.stdout.writeSync(new TextEncoder().encode(`${report}\n`));
  return code;
}

interface Circumstances {
  readonly kind: string;
  readonly signal: AbortSignal;
}

/** Replaces an abort by a reason that a user can act on. */
function explained(error: unknown, { kind, signal }: Circumstances): unknown {
  if (signal.aborted) {
    return new JobError("Stopped", `The pod was stopped before the ${kind} was complete`, { cause: error });
  }
  const late = error instanceof DOMException && error.name === "TimeoutError";
  return late ? new JobError("DeadlineExceeded", `The ${kind} was not done in time`, { cause: error }) : error;
}

function usage(message: string): Error {
  const error = new Error(message);
  error.name = "UsageError";
  return error;
}
