/**
 * `odoo-operator job <kind>`: the part of an operation's Job that talks to S3, in a container beside the one that talks to
 * PostgreSQL. It needs no Kubernetes. The result is the termination message (see src/odoo/job/report.ts).
 *
 * Environment of `job backup`; scripts/backup_dump.sh is its counterpart:
 *   BACKUP_DIR             the folder that both containers share
 *   BACKUP_FORMAT          zip, sql or dump
 *   BACKUP_WITH_FILESTORE  false: a zip without the attachments
 *   BACKUP_FILESTORE       the folder of the database's files
 *   BACKUP_PEER_SECONDS    for the other container to come up; default 600
 *   BACKUP_SECONDS         for everything; default 86400
 *   S3_ENDPOINT S3_REGION S3_BUCKET S3_KEY S3_INSECURE S3_ACCESS_KEY S3_SECRET_KEY; S3_CA_FILE: further authorities, as PEM
 *   TERMINATION_LOG        where the result goes; default: where the kubelet looks
 */
import { backUp } from "../odoo/job/backup.ts";
import { backupSettings, type Environment } from "../odoo/job/backup_settings.ts";
import { failureReport, JobError, successReport } from "../odoo/job/report.ts";

const TERMINATION_LOG = "/dev/termination-log";

/** What no job needs. Files and network it does. */
const NOT_NEEDED: readonly Deno.PermissionName[] = ["run", "ffi", "sys"];

/** Runs the job that `args` name; the exit code is 0 only if it did what it was to do. */
export async function command(args: readonly string[], signal: AbortSignal): Promise<number> {
  const [kind] = args;
  if (kind !== "backup") throw usage(`Cannot run 'job ${kind ?? ""}': the jobs are backup`);
  const environment: Environment = Deno.env.toObject();
  for (const name of NOT_NEEDED) await Deno.permissions.revoke({ name });
  for (const name of Object.keys(environment)) Deno.env.delete(name); // no library finds a setting, or a secret, by itself
  const secrets = [environment.S3_SECRET_KEY ?? "", environment.S3_ACCESS_KEY ?? ""];
  let report: string;
  let code = 0;
  try {
    const ca = environment.S3_CA_FILE ? await Deno.readTextFile(environment.S3_CA_FILE) : undefined;
    const settings = backupSettings(environment, ca);
    const late = AbortSignal.timeout(settings.timeoutMs);
    report = successReport({ ...await backUp(settings, AbortSignal.any([signal, late])) });
  } catch (error) {
    report = failureReport(explained(error, signal), secrets);
    code = 1;
  }
  await Deno.writeTextFile(environment.TERMINATION_LOG ?? TERMINATION_LOG, report);
  Deno.stdout.writeSync(new TextEncoder().encode(`${report}\n`));
  return code;
}

/** A signal is no reason that a person could make something of. */
function explained(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) {
    return new JobError("Stopped", "The pod was told to stop before the backup was done", { cause: error });
  }
  const late = error instanceof DOMException && error.name === "TimeoutError";
  return late ? new JobError("DeadlineExceeded", "The backup was not done in time", { cause: error }) : error;
}

function usage(message: string): Error {
  const error = new Error(message);
  error.name = "UsageError";
  return error;
}
