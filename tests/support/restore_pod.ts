/**
 * The pod of a load Job as the kubelet would run it, without the kubelet: the real binary and the real script, side by side, with
 * one directory between them.
 */
import { assert } from "@std/assert";
import { denoDirectory } from "../../dev/cache_directory.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);
const LONGEST_MS = 90_000;

/** What both containers are told, beside what is the same for all. */
export interface RestorePodOptions {
  /** The folder with psql and pg_restore in `bin`. */
  readonly programs: string;
  /** Environment of `odoo-operator job restore`. */
  readonly restore: Readonly<Record<string, string>>;
  /** Environment of restore_load.sh. */
  readonly load: Readonly<Record<string, string>>;
  /** Odoo's data directory. */
  readonly data: string;
  /** Text that the script is run as. @default {the script itself} */
  readonly script?: string;
}

/** How the pod ended. */
export interface RestoreEnding {
  /** The termination message of the container that reports. */
  readonly report: Readonly<Record<string, unknown>>;
  readonly codes: { readonly restore: number; readonly load: number };
  /** All that both have printed. */
  readonly output: string;
}

/** A pod that runs. */
export interface RunningRestorePod {
  readonly shared: string;
  readonly restore: Deno.ChildProcess;
  readonly load: Deno.ChildProcess;
  readonly ended: Promise<RestoreEnding>;
}

/** Runs it to its end. */
export async function runRestorePod(options: RestorePodOptions): Promise<RestoreEnding> {
  return await (await startRestorePod(options)).ended;
}

/** Starts both containers. */
export async function startRestorePod(options: RestorePodOptions): Promise<RunningRestorePod> {
  const shared = await Deno.makeTempDir({ prefix: "restore-pod-" });
  const message = `${shared}/message`;
  const deadline = AbortSignal.timeout(LONGEST_MS);
  const path = `${options.programs}/bin:${Deno.env.get("PATH")}`;
  const restore = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--config", `${ROOT}deno.json`, `${ROOT}main.ts`, "job", "restore"],
    clearEnv: true,
    env: {
      PATH: path,
      DENO_DIR: denoDirectory(),
      NO_COLOR: "1",
      RESTORE_SHARED: shared,
      RESTORE_DATA: options.data,
      RESTORE_PEER_SECONDS: "30",
      TERMINATION_LOG: message,
      ...options.restore,
    },
    stdout: "piped",
    stderr: "piped",
    signal: deadline,
  }).spawn();
  const load = new Deno.Command("sh", {
    args: [
      "-c",
      options.script ?? await Deno.readTextFile(`${ROOT}scripts/restore_load.sh`),
      "restore_load.sh",
      await Deno.readTextFile(`${ROOT}scripts/load_facts.sql`),
    ],
    clearEnv: true,
    env: { PATH: path, RESTORE_SHARED: shared, RESTORE_PEER_SECONDS: "30", ...options.load },
    stdout: "piped",
    stderr: "piped",
    signal: deadline,
  }).spawn();
  return { shared, restore, load, ended: ending({ shared, restore, load }) };
}

async function ending({ shared, restore, load }: Omit<RunningRestorePod, "ended">): Promise<RestoreEnding> {
  try {
    const outputs = await Promise.all([restore.output(), load.output()]);
    const decoder = new TextDecoder();
    const output = outputs.flatMap(({ stdout, stderr }) => [decoder.decode(stdout), decoder.decode(stderr)]).join("\n");
    const [{ code, signal }, loaded] = outputs;
    const message = await textOf(`${shared}/message`);
    assert(message || signal, `no report: ${output}`);
    assert(new TextEncoder().encode(message).length <= 4096, "the kubelet would cut it");
    return { report: JSON.parse(message || "{}"), codes: { restore: code, load: loaded.code }, output };
  } finally {
    await Deno.remove(shared, { recursive: true });
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
