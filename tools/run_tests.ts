/**
 * Runs the tests and closes with one line that a machine can read: `N passed, N failed`, alone and last on stdout.
 *
 * `deno run -A tools/run_tests.ts [--filter <text or /pattern/>] [--at-once N] [folder or file…]`: all tests by default, but
 * those in tests/e2e, which need a cluster with images. Unit tests run in parallel, watched for leaks and fenced in by
 * permissions. All others have all permissions, because they start servers, and run when the unit tests have ended: each
 * file is a process of its own. N lanes run at once; the files of a lane run one after another and share one local cluster
 * (tools/test_clusters.ts), which is replaced when a file failed. Files that measure time run at the end, one by one. What a
 * file prints is shown when it has ended. The numbers are those of deno. The exit code is 0 only if nothing failed; a file that
 * does not compile counts as a failure. SIGINT and SIGTERM end all processes that were started.
 */
// deno-lint-ignore-file no-console -- a command line tool talks to its caller
import { parseArgs } from "@std/cli/parse-args";
import { ensureSystemPackages } from "./system_packages.ts";
import type { TestClusters } from "./test_clusters.ts";

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

/** Files that measure a second or two: they run at the end, and nothing runs beside them. */
const TIMED = /\/(?:api_faults|api_outage|fault_proxy|kill|postgres_outage|watch_faults)_test\.ts$/;

const TIMED_AT_ONCE = 1;

/** Files that take longest, so that none of them is begun last. */
const LONGEST: readonly string[] = [
  "every_row",
  "refresh_snapshot",
  "hostile_spec",
  "filestore_migration",
  "restore",
  "refresh",
  "adoption",
  "demo",
  "local_cluster",
  "database_migration",
  "failing_reads",
  "operation_canaries",
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
  /** So many lanes of files that are no unit tests. @default {3} */
  readonly atOnce?: number;
  /** Ends what runs, and begins nothing more. */
  readonly signal?: AbortSignal;
  /** What the files of a lane share. @default {nothing: each file starts what it needs} */
  readonly clusters?: Pick<TestClusters, "environmentOf" | "discard" | "keepOnly">;
  /**
   * Where the output of deno goes.
   * @default {Deno.stdout.writable}
   */
  readonly output?: WritableStream<Uint8Array>;
  /** @default {"inherit"} */
  readonly stderr?: "inherit" | "null";
}

/** Runs the tests of all paths, and adds up what deno counted. */
export async function runTests(paths: readonly string[], options: RunTestsOptions = {}): Promise<Totals> {
  const isUnit = (path: string): boolean => `${path.replace(/^\.\//, "")}/`.startsWith(`${UNIT}/`);
  const [units, others] = [paths.filter(isUnit), paths.filter((path) => !isUnit(path))];
  const totals: Totals[] = [];
  if (units.length > 0) totals.push(await runDeno([...unitFlags(), ...units], options));
  if (others.length > 0) totals.push(await runOtherTests(others, options));
  return sumOf(totals);
}

/** The flags of deno for unit tests. */
export function unitFlags(): string[] {
  return [...UNIT_FLAGS, `--allow-run=${[Deno.execPath(), ...SYSTEM_PACKAGES].join(",")}`];
}

/** Types are checked once for all files: each process would check much of the program again. */
async function runOtherTests(paths: readonly string[], options: RunTestsOptions): Promise<Totals> {
  const files = (await Promise.all(paths.map(testFiles))).flat();
  if (files.length === 0) return { passed: 0, failed: 1 };
  const check = await runDeno(["--no-run", ...files], options);
  if (check.failed > 0) return check;
  const [timed, others] = [files.filter((file) => TIMED.test(file)), files.filter((file) => !TIMED.test(file))];
  const { atOnce = 3 } = options;
  const totals = await runFiles(longestFirst(others), atOnce, options);
  const lanes = Math.min(atOnce, TIMED_AT_ONCE);
  await options.clusters?.keepOnly(lanes);
  totals.push(...await runFiles(timed, lanes, options));
  const red = totals.filter(([, { failed }]) => failed > 0).map(([file]) => `Failed above: ${file}\n`);
  await show(options.output ?? Deno.stdout.writable, red.map(bytesOf));
  return sumOf(totals.map(([, each]) => each));
}

function longestFirst(files: readonly string[]): readonly string[] {
  const place = (file: string) => {
    const index = LONGEST.findIndex((name) => file.endsWith(`/${name}_test.ts`));
    return index < 0 ? LONGEST.length : index;
  };
  return files.toSorted((a, b) => place(a) - place(b));
}

type FileTotals = readonly [file: string, totals: Totals];

/** Each file in a process of its own, so many lanes at once; a lane that is free takes the next file. */
async function runFiles(files: readonly string[], lanes: number, options: RunTestsOptions): Promise<FileTotals[]> {
  const { clusters } = options;
  const totals: FileTotals[] = [];
  const showWhen = lanes > 1 && files.length > 1 ? "ended" : "written";
  const waiting = files.values();
  const runLane = async (lane: number) => {
    for (const file of waiting) {
      if (options.signal?.aborted) return;
      const own = { ...options, showWhen, env: clusters?.environmentOf(lane) ?? {} } as const;
      const counted = await runDeno(["--allow-all", "--no-check", file], own);
      totals.push([file, counted]);
      if (counted.failed === 0 || options.signal?.aborted) continue;
      const logs = await clusters?.discard(lane); // what the file has left there must not fail the next one
      if (logs) {
        await show(options.output ?? Deno.stdout.writable, [bytesOf(`Logs of the cluster of ${file}: ${logs}\n`)]);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, files.length) }, (_, lane) => runLane(lane)));
  return totals;
}

interface RunDenoOptions extends RunTestsOptions {
  /** When output is shown. @default {"written"} */
  readonly showWhen?: "written" | "ended";
  /** Added to our own environment. @default {{}} */
  readonly env?: Readonly<Record<string, string>>;
}

async function runDeno(args: readonly string[], options: RunDenoOptions): Promise<Totals> {
  const { filter, output = Deno.stdout.writable, stderr = "inherit", showWhen = "written", env = {}, signal } = options;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-prompt", ...(filter === undefined ? [] : ["--filter", filter]), ...args],
    env,
    stdin: "null",
    stdout: "piped",
    stderr,
    ...(signal ? { signal } : {}),
  }).spawn();
  const written: Uint8Array[] = [];
  for await (const bytes of child.stdout) {
    written.push(bytes);
    if (showWhen === "written") await show(output, [bytes]);
  }
  const { success } = await child.status;
  if (showWhen === "ended") await show(output, written);
  return countedBy(new TextDecoder().decode(await new Blob(written as BlobPart[]).arrayBuffer()), success);
}

/** Writes without a break: nobody else's bytes come between these. */
async function show(output: WritableStream<Uint8Array>, pieces: readonly Uint8Array[]): Promise<void> {
  const writer = output.getWriter();
  const writes = pieces.map((bytes) => writer.write(bytes));
  writer.releaseLock(); // at once: another file may end while these are written
  await Promise.all(writes);
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function sumOf(totals: readonly Totals[]): Totals {
  return totals.reduce((a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed }), {
    passed: 0,
    failed: 0,
  });
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

/** The files with tests in a folder and below it, or the file itself, by name. */
async function testFiles(path: string): Promise<string[]> {
  if ((await Deno.stat(path)).isFile) return [path];
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    if (isDirectory) found.push(...await testFiles(`${path}/${name}`));
    else if (name.endsWith("_test.ts")) found.push(`${path}/${name}`);
  }
  return found.sort();
}

/** The default folders that have tests in this working tree. */
async function defaultFolders(): Promise<string[]> {
  const folders = await Promise.all(DEFAULT_FOLDERS.map(async (folder) => {
    try {
      return (await testFiles(folder)).length > 0 ? [folder] : [];
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }));
  return folders.flat();
}

/** A control plane and the processes of a file: so many lanes fit into the memory that is free, and more do not pay. */
const LANE_BYTES = 3 * 2 ** 30;
const MOST_LANES = 3;

function lanesThatFit(): number {
  return Math.max(1, Math.min(MOST_LANES, Math.floor(Deno.systemMemoryInfo().available / LANE_BYTES)));
}

async function main(): Promise<Totals> {
  const refuse = (argument: string): never => {
    throw new RangeError(`Cannot run the tests: unknown option ${argument}`);
  };
  const given = parseArgs(Deno.args, { string: ["filter", "at-once"], unknown: refuse });
  const { _: paths, filter, "at-once": count } = given;
  const atOnce = count === undefined ? lanesThatFit() : Number(count);
  if (!Number.isInteger(atOnce) || atOnce < 1) throw new RangeError(`Cannot run ${count} files at once`);
  await ensureSystemPackages(SYSTEM_PACKAGES);
  const ending = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(name, () => ending.abort());
  const { TestClusters } = await import("./test_clusters.ts"); // unit tests need none of what it imports
  await using clusters = new TestClusters();
  const options = { atOnce, clusters, signal: ending.signal, ...(typeof filter === "string" ? { filter } : {}) };
  return await runTests(paths.length > 0 ? paths.map(String) : await defaultFolders(), options);
}

if (import.meta.main) {
  let totals: Totals = { passed: 0, failed: 1 };
  try {
    totals = await main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error); // the closing line is owed even then
  }
  console.log(closingLine(totals));
  Deno.exit(totals.failed > 0 ? 1 : 0);
}
