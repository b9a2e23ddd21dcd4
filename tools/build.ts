/**
 * main.ts -> dist/ (a minified bundle, lazy parts in files of their own) -> one executable `odoo-operator`.
 *
 * `deno task build [--bundle-only]`. The second step puts dist/ behind Deno's run-time `denort`, which deno downloads; where
 * that is impossible, DENORT_BIN names one. With `DENORT_BIN=$(command -v deno)` the step can be tried, but the result only
 * starts deno. The flags of the executable live here, and a test holds the Dockerfile to them: permissions and V8 flags
 * are baked in and cannot be changed at run time.
 */
// deno-lint-ignore-file no-console -- a command line tool talks to its caller
import { parseArgs } from "@std/cli/parse-args";

/** Without these a bundle holds all in one file, and what is rarely needed costs memory from the start. */
const BUNDLE_COMMAND: readonly string[] = ["bundle", "--minify", "--code-splitting", "--outdir", "dist", "main.ts"];

/** V8, as small as it can be without being slow; src/kit/memory.ts needs the last one. Why each: docs/decisions/0008. */
export const V8_FLAGS = "--v8-flags=--max-semi-space-size=4,--max-old-space-size=128,--max-opt=1,--expose-gc";

/** The environment of the image: glibc gives freed memory back at once, and has one heap for all threads. */
export const IMAGE_ENVIRONMENT: readonly string[] = [
  "MALLOC_ARENA_MAX=1",
  "MALLOC_MMAP_THRESHOLD_=16384",
  "MALLOC_TOP_PAD_=0",
  "MALLOC_TRIM_THRESHOLD_=65536",
];

/** The call of deno that makes the executable from dist/. */
export const COMPILE_COMMAND: readonly string[] = [
  "compile",
  "--no-check", // checked before; the bundle has no types
  "--no-prompt", // a missing permission is an error, never a question to nobody
  "--frozen",
  "--allow-net", // the API server's address is known at run time only
  "--allow-env",
  "--allow-read",
  "--allow-write=/termination-log,/exchange,/var/lib/odoo", // of Jobs: resources/{backup_job,restore_jobs}.ts
  "--allow-sys=osRelease,hostname",
  V8_FLAGS,
  "--include",
  "dist",
  "-o",
  "odoo-operator",
  "dist/main.js",
];

/** Options for {@linkcode build}. */
export interface BuildOptions {
  /** Where main.ts is, and dist/ and the executable will be. */
  readonly folder: string;
  /** @default {["bundle", "compile"]} */
  readonly steps?: readonly ("bundle" | "compile")[];
  /** Environment of deno, besides this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** @default {"inherit"} */
  readonly stdio?: "inherit" | "null";
}

/** Builds what `steps` asks for. */
export async function build(options: BuildOptions): Promise<void> {
  const { folder, steps = ["bundle", "compile"] } = options;
  if (steps.includes("bundle")) {
    await removeFolder(`${folder}/dist`); // parts of earlier bundles carry other hashes in their names and would stay
    if (!(await runDeno(BUNDLE_COMMAND, options))) throw new Error("Cannot build: deno bundle failed");
  }
  if (steps.includes("compile") && !(await runDeno(COMPILE_COMMAND, options))) {
    throw new Error(
      "Cannot build the executable: deno compile failed. If it could not download denort, name one in DENORT_BIN," +
        " or stop after the bundle with --bundle-only: dist/main.js is complete and runs with `deno run`",
    );
  }
}

async function runDeno(args: readonly string[], options: BuildOptions): Promise<boolean> {
  const { folder, env = {}, stdio = "inherit" } = options;
  const command = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: folder,
    env: { ...env },
    stdin: "null",
    stdout: stdio,
    stderr: stdio,
  });
  return (await command.spawn().status).success;
}

async function removeFolder(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

if (import.meta.main) {
  const refuse = (argument: string): never => {
    throw new RangeError(`Cannot build: unknown option ${argument}`);
  };
  const { "bundle-only": bundleOnly } = parseArgs(Deno.args, { boolean: ["bundle-only"], unknown: refuse });
  const folder = decodeURIComponent(new URL("..", import.meta.url).pathname);
  try {
    await build({ folder, steps: bundleOnly === true ? ["bundle"] : ["bundle", "compile"] });
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}
