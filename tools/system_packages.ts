/** Programs of the operating system that the tests call: present, installed after saying so, or named in one clear error. */
// deno-lint-ignore-file no-console -- a command line tool talks to its caller
import { cacheDirectory, withLock } from "../dev/cache_directory.ts";

/** What {@linkcode ensureSystemPackages} asks of the machine; tests hand in their own. */
export interface Machine {
  /** Whether a program of this name is on the PATH. */
  has(program: string): Promise<boolean>;
  readonly isRoot: boolean;
  /** Runs a program to its end and throws unless it succeeds. */
  run(program: string, args: readonly string[]): Promise<void>;
  /** Does `work` while no other test of this user installs anything. */
  alone(work: () => Promise<void>): Promise<void>;
  say(text: string): void;
}

/**
 * Makes sure that the programs exist. Each is named like its Debian package.
 *
 * Missing ones are installed with apt-get where that is possible (root on Debian), after saying what will be installed.
 */
export async function ensureSystemPackages(
  packages: readonly string[],
  machine: Machine = thisMachine(),
): Promise<void> {
  const missing = await missingPrograms(packages, machine);
  if (missing.length === 0) return;
  if (!machine.isRoot || !(await machine.has("apt-get"))) {
    throw new Error(`Cannot run the tests: please install ${missing.join(" and ")} with your system's package manager`);
  }
  await machine.alone(() => install(packages, machine));
}

/** Test files run side by side, and apt-get's own wait is not for its lists: the second one finds what the first installed. */
async function install(packages: readonly string[], machine: Machine): Promise<void> {
  const missing = await missingPrograms(packages, machine);
  if (missing.length === 0) return;
  machine.say(`Installing Debian packages that the tests need: ${missing.join(", ")}`);
  const waitForLock = ["-qq", "-o", "DPkg::Lock::Timeout=120"];
  await machine.run("apt-get", [...waitForLock, "update"]);
  await machine.run("apt-get", [...waitForLock, "install", "--yes", "--no-install-recommends", ...missing]);
  const absent = await missingPrograms(missing, machine);
  if (absent.length > 0) throw new Error(`Cannot find ${absent.join(" and ")}: installed, but not on the PATH`);
}

async function missingPrograms(programs: readonly string[], machine: Machine): Promise<string[]> {
  const missing: string[] = [];
  for (const program of programs) if (!(await machine.has(program))) missing.push(program);
  return missing;
}

/** The machine that this process runs on. */
export function thisMachine(): Machine {
  const say = (text: string) => console.log(text);
  return { has: isOnPath, isRoot: Deno.uid() === 0, run: runToEnd, alone: asOnlyInstaller, say };
}

async function isOnPath(program: string): Promise<boolean> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    try {
      const { isFile, mode } = await Deno.stat(`${folder || "."}/${program}`);
      if (isFile && ((mode ?? 0) & 0o111) !== 0) return true;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) throw error;
    }
  }
  return false;
}

async function asOnlyInstaller(work: () => Promise<void>): Promise<void> {
  await Deno.mkdir(cacheDirectory(), { recursive: true });
  await withLock(`${cacheDirectory()}/packages.lock`, work);
}

async function runToEnd(program: string, args: readonly string[]): Promise<void> {
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const { code } = await new Deno.Command(program, { args: [...args], env, stdin: "null" }).spawn().status;
  if (code !== 0) throw new Error(`Cannot install: ${program} ${args.join(" ")} ended with code ${code}`);
}
