/**
 * Runs the tests and closes with one line that a machine can read: `N passed, N failed`, alone and last on stdout.
 *
 * `deno run -A tools/run_tests.ts [--filter <text or /pattern/>] [folder or file…]`: all tests by default, but those in
 * tests/e2e, which need a cluster with images. Unit tests run in parallel, watched for leaks and fenced in by permissions;
 * all others run one after the other with all permissions, because they start servers. The numbers are those of deno.
 * The exit code is 0 only if nothing failed; a file that does not compile counts as a failure.
 */
// deno-lint-ignore-file no-console -- a command line tool talks to its caller
import { parseArgs } from "@std/cli/parse-args";
import { ensureSystemPackages } from "./system_packages.ts";

/** Debian packages whose programs the tests call. */
const SYSTEM_PACKAGES: readonly string[] = ["shellcheck", "openssl"];

const UNIT = "tests/unit";
const DEFAULT_FOLDERS: readonly string[] = [UNIT, "tests/integration", "tests/scripts", "examples"];

/** No network beyond this machine, no program but those that the tests of the tools call. */
const UNIT_FLAGS: readonly string[] = [
  "--parallel",
  "--trace-leaks",
  "--sanitize-ops",
  "--sanitize-resources",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-sys",
  "--allow-net=127.0.0.1,[::1],localhost",
];

/** How many tests ended in which way. */
export interface Totals {
  readonly passed: number;
  readonly failed: number;
}

/** Options for {@linkcode runTests}. */
export interface RunTestsOptions {
  /** Only tests whose name contains this text, or matches this pattern between slashes. */
  readonly filter?: string;
  /**
   * Where the output of deno goes.
   * @default {Deno.stdout.writable}
   */
  readonly output?: WritableStream<Uint8Array>;
  /** @default {"inherit"} */
  readonly stderr?: "inherit" | "null";
}

/** One call of `deno test`. */
export interface TestRun {
  readonly flags: readonly string[];
  readonly paths: readonly string[];
}

/** Splits what to test into calls of `deno test`: the unit tests, then the others. */
export function testRuns(paths: readonly string[], programs: readonly string[] = SYSTEM_PACKAGES): TestRun[] {
  const isUnit = (path: string): boolean => `${path.replace(/^\.\//, "")}/`.startsWith(`${UNIT}/`);
  const mayRun = `--allow-run=${[Deno.execPath(), ...programs].join(",")}`;
  const runs: TestRun[] = [
    { flags: [...UNIT_FLAGS, mayRun], paths: paths.filter(isUnit) },
    { flags: ["--allow-all"], paths: paths.filter((path) => !isUnit(path)) },
  ];
  return runs.filter((run) => run.paths.length > 0);
}

/** Runs the tests of all paths, one call of `deno test` after the other, and adds up what deno counted. */
export async function runTests(paths: readonly string[], options: RunTestsOptions = {}): Promise<Totals> {
  let totals: Totals = { passed: 0, failed: 0 };
  for (const run of testRuns(paths)) {
    const { passed, failed } = await runDeno(run, options);
    totals = { passed: totals.passed + passed, failed: totals.failed + failed };
  }
  return totals;
}

async function runDeno({ flags, paths }: TestRun, options: RunTestsOptions): Promise<Totals> {
  const { filter, output = Deno.stdout.writable, stderr = "inherit" } = options;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-prompt", ...flags, ...(filter === undefined ? [] : ["--filter", filter]), ...paths],
    stdin: "null",
    stdout: "piped",
    stderr,
  }).spawn();
  const [shown, read] = child.stdout.tee();
  const [text] = await Promise.all([new Response(read).text(), shown.pipeTo(output, { preventClose: true })]);
  const { success } = await child.status;
  return countedBy(text, success);
}

/** What deno's closing line says; where it says nothing of a failure that happened (it did not compile), one failure. */
export function countedBy(output: string, success: boolean): Totals {
  // deno-lint-ignore no-control-regex -- colours of the terminal
  const plain = output.replace(/\x1b\[[0-9;]*m/g, "");
  const closing = [...plain.matchAll(/^(?:ok|FAILED) \| (\d+) passed\b.*? \| (\d+) failed\b/gm)].at(-1);
  const counted = { passed: Number(closing?.[1] ?? 0), failed: Number(closing?.[2] ?? 0) };
  return success ? counted : { ...counted, failed: Math.max(1, counted.failed) };
}

/** The line that closes the output. */
export function closingLine({ passed, failed }: Totals): string {
  return `${passed} passed, ${failed} failed`;
}

/** The default folders that exist in this working tree. */
async function existingFolders(): Promise<string[]> {
  const entries = await Promise.all(DEFAULT_FOLDERS.map(async (folder) => await hasTests(folder) ? [folder] : []));
  return entries.flat();
}

async function hasTests(folder: string): Promise<boolean> {
  try {
    for await (const entry of Deno.readDir(folder)) {
      if (entry.isFile ? entry.name.endsWith("_test.ts") : await hasTests(`${folder}/${entry.name}`)) return true;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return false;
}

async function main(): Promise<Totals> {
  const refuse = (argument: string): never => {
    throw new RangeError(`Cannot run the tests: unknown option ${argument}`);
  };
  const { _: given, filter } = parseArgs(Deno.args, { string: ["filter"], unknown: refuse });
  await ensureSystemPackages(SYSTEM_PACKAGES);
  const paths = given.length > 0 ? given : await existingFolders();
  return await runTests(paths, typeof filter === "string" ? { filter } : {});
}

if (import.meta.main) {
  let totals: Totals = { passed: 0, failed: 1 };
  try {
    totals = await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error); // the closing line is owed even then
  }
  console.log(closingLine(totals));
  if (totals.failed > 0) Deno.exit(1);
}
