/** `odoo-operator job <what>`: the part of an operation that runs in a pod of its own. Settings come from the environment. */
import { failureReport, masked, successReport } from "../odoo/job/report.ts";
import { restore } from "../odoo/job/restore.ts";
import { readRestoreSettings } from "../odoo/job/restore_settings.ts";

const DEFAULT_TERMINATION_LOG = "/dev/termination-log";

/** Runs one; exit code 0 only if all of it is done. The result is the termination message, and the last line of the log. */
export async function command(args: readonly string[], signal: AbortSignal): Promise<number> {
  const [what] = args;
  if (what !== "restore" || args.length !== 1) {
    const error = new Error(`Cannot run job '${what ?? ""}': the jobs are restore`);
    error.name = "UsageError";
    throw error;
  }
  const read = (name: string) => Deno.env.get(name);
  let secrets: readonly string[] = [];
  try {
    const settings = readRestoreSettings(read);
    secrets = settings.secrets;
    await report(successReport(await restore(settings, signal)), read);
    return 0;
  } catch (error) {
    await report(failureReport(error, { secrets }), read);
    if (error instanceof Error) console.error(masked(error.stack ?? error.message, secrets));
    return 1;
  }
}

async function report(text: string, read: (name: string) => string | undefined): Promise<void> {
  await Deno.writeTextFile(read("TERMINATION_LOG") || DEFAULT_TERMINATION_LOG, text);
  console.log(text);
}
