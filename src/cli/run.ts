/** `odoo-operator [run]`: the operator. */
import { configureLogging } from "../kit/mod.ts";
import { readConfig } from "../odoo/shell/config.ts";
import { runOperator } from "../odoo/shell/run.ts";

/** Runs until the signal; exit code 0 after a graceful stop. */
export async function command(args: readonly string[], signal: AbortSignal): Promise<number> {
  const config = readConfig(args);
  await configureLogging({ format: config.logFormat, level: config.logLevel });
  await runOperator(config, signal);
  return 0;
}
