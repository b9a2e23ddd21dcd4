/** The commands of the binary. Each is loaded when it is asked for, so none pays for the others. */
import { messageOf, terminationSignal } from "../kit/mod.ts";

/** A command: arguments and a signal in, exit code out. */
type Command = (args: readonly string[], signal: AbortSignal) => Promise<number>;

const COMMANDS: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  run: () => import("./run.ts"),
  crds: () => import("./crds.ts"),
  diagram: () => import("./diagram.ts"),
  job: () => import("./job.ts"),
};

/** Runs the command that `args` name, `run` if none; resolves with the exit code. A failure is one line on stderr. */
export async function main(args: readonly string[], signal: AbortSignal = terminationSignal()): Promise<number> {
  const [first = "run"] = args;
  const named = !first.startsWith("-") && args.length > 0;
  const load = COMMANDS[named ? first : "run"];
  if (!load) return fail(`Cannot run '${first}': the commands are ${Object.keys(COMMANDS).join(", ")}`, 2);
  try {
    const { command } = await load();
    return await command(named ? args.slice(1) : args, signal);
  } catch (error) {
    return fail(messageOf(error), error instanceof Error && error.name === "UsageError" ? 2 : 1);
  }
}

function fail(message: string, code: number): number {
  Deno.stderr.writeSync(new TextEncoder().encode(`${message.replaceAll("\n", " ")}\n`));
  return code;
}
