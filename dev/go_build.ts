/**
 * Builds programs from dev/controlplane into a cache folder: one process at a time, each program under a passing name
 * first, so that nobody ever runs half a program. A build that is broken off ends its compilers too.
 */
import { exists, withLock } from "./cache_directory.ts";
import { GO_ENV } from "./kube_processes.ts";
import { elapsedText, type Progress, reporting } from "./progress.ts";
import { type ProcessGroup, startProcessGroup } from "./processes.ts";

/** Where the pinned versions are. */
const MODULE_DIRECTORY = `${import.meta.dirname}/controlplane`;

/** Without the version stamp Kubernetes takes itself for 0.0.0 and refuses to start. It must be the one in go.mod. */
export const LINKER_FLAGS = "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3";

/** The folder that {@linkcode stageDirectory} looks for and fills. */
const STAGES = "kwok-stages";

/** What is to be built. */
export interface BuildTarget {
  /** The file name of the program. */
  readonly name: string;
  readonly goPackage: string;
}

/** Options of {@linkcode buildPrograms}. */
export interface BuildOptions {
  /** Where the programs go. */
  readonly directory: string;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

/** Builds what `directory` does not have yet. */
export async function buildPrograms(targets: readonly BuildTarget[], options: BuildOptions): Promise<void> {
  const { directory, progress, signal } = options;
  await requireGo(targets);
  await Deno.mkdir(directory, { recursive: true });
  let waiting = true;
  const work = withLock(`${directory}/.lock`, async () => {
    waiting = false;
    await buildAll(targets, options);
    if (targets.some((target) => target.name === "kwok")) await stageDirectory(options);
  }, { signal });
  await reporting(
    (line, detail) => waiting && progress(line, detail),
    (elapsed) => `Waiting for another process that builds the same programs, ${elapsed}`,
    work,
  );
}

async function buildAll(targets: readonly BuildTarget[], options: BuildOptions): Promise<void> {
  const { directory, progress } = options;
  const startedAt = performance.now();
  await using group = await startProcessGroup();
  for (const [index, target] of targets.entries()) {
    if (await exists(`${directory}/${target.name}`)) continue; // another process built it while we waited
    const step = `${index + 1} of ${targets.length}`;
    progress(`Building ${target.name} (${step}); the first build of all takes minutes, what is built is kept`);
    await build(target, { ...options, group, step });
    progress(`Built ${target.name} (${step}), ${elapsedText(performance.now() - startedAt)} in all`);
  }
}

/**
 * The folder with kwok's stages (what fake nodes, pods and volumes do): the one in `$KUBEBUILDER_ASSETS`, else the one in
 * `directory`, which is filled from the pinned Go module if it is not there.
 */
export async function stageDirectory(
  options: { readonly directory: string; readonly signal?: AbortSignal | undefined },
): Promise<string> {
  const assets = Deno.env.get("KUBEBUILDER_ASSETS");
  if (assets && await exists(`${assets}/${STAGES}`)) return `${assets}/${STAGES}`;
  const stages = `${options.directory}/${STAGES}`;
  if (await exists(stages)) return stages;
  const { success, stdout, stderr } = await go(["mod", "download", "-json", "sigs.k8s.io/kwok"], {
    purpose: `${STAGES} (kwok's folder kustomize/stage)`,
    signal: options.signal,
  });
  if (!success) throw new Error(`Cannot download the kwok module: ${stderr || stdout}`);
  const { Dir: moduleDirectory } = JSON.parse(stdout) as { Dir: string };
  const partial = await Deno.makeTempDir({ dir: await ensured(options.directory), prefix: ".stages-" });
  for (const folder of ["node/fast", "node/heartbeat-with-lease", "pod/fast", "volume/fast"]) {
    await Deno.mkdir(`${partial}/${folder}`, { recursive: true });
    const source = `${moduleDirectory}/kustomize/stage/${folder}`;
    for await (const { name, isFile } of Deno.readDir(source)) {
      if (isFile && name.endsWith(".yaml") && name !== "kustomization.yaml") {
        await Deno.writeTextFile(`${partial}/${folder}/${name}`, await Deno.readTextFile(`${source}/${name}`));
      }
    }
  }
  try {
    await Deno.rename(partial, stages);
  } catch (error) {
    await Deno.remove(partial, { recursive: true });
    if (!await exists(stages)) throw error; // else another process was faster
  }
  return stages;
}

interface Step extends BuildOptions {
  readonly group: ProcessGroup;
  readonly step: string;
}

async function build({ name, goPackage }: BuildTarget, options: Step): Promise<void> {
  const { directory, progress, signal, group, step } = options;
  signal?.throwIfAborted();
  const partial = `${directory}/.${name}.partial`; // the lock is ours, so nobody else writes it
  const compiler = await group.spawn({
    name: `go-build-${name}`,
    command: "go",
    args: ["build", "-mod=readonly", "-trimpath", "-ldflags", LINKER_FLAGS, "-o", partial, goPackage],
    cwd: MODULE_DIRECTORY,
    env: { ...GO_ENV, CGO_ENABLED: "0" },
  });
  const abort = () => compiler.kill("SIGKILL");
  signal?.addEventListener("abort", abort);
  const exit = await reporting(progress, (elapsed) => `Building ${name} (${step}), ${elapsed}`, compiler.ended());
  signal?.removeEventListener("abort", abort);
  signal?.throwIfAborted();
  if (exit.code !== 0) throw new Error(`Cannot build ${name}: go build failed\n${await compiler.logTail()}`);
  await Deno.rename(partial, `${directory}/${name}`);
}

async function requireGo(targets: readonly BuildTarget[]): Promise<void> {
  const names = targets.map((target) => target.name).join(", ");
  const { success, stderr } = await go(["version"], { purpose: names });
  if (!success) throw new Error(`Cannot build ${names}: ${stderr}`);
}

interface GoOptions {
  /** What is missing if Go is. */
  readonly purpose: string;
  readonly signal?: AbortSignal | undefined;
}

async function go(args: string[], options: GoOptions): Promise<{ success: boolean; stdout: string; stderr: string }> {
  const { purpose, signal } = options;
  try {
    const command = new Deno.Command("go", {
      args,
      cwd: MODULE_DIRECTORY,
      stdin: "null",
      ...(signal ? { signal } : {}),
    });
    const { success, stdout, stderr } = await command.output();
    return { success, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new Error(
      `Cannot set up the local cluster: ${purpose} not found, nor Go to build from. Install Go 1.26 or newer (what is ` +
        "built is kept), or put what is missing on PATH or into the folder that KUBEBUILDER_ASSETS names",
      { cause },
    );
  }
}

async function ensured(directory: string): Promise<string> {
  await Deno.mkdir(directory, { recursive: true });
  return directory;
}
