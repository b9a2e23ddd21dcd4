/**
 * Finds the programs of the local cluster, each by itself: in `$KUBEBUILDER_ASSETS`, on PATH, in our cache, else it is
 * built from dev/controlplane, whose go.mod pins all of them. What was built is kept until go.sum changes.
 */
import { cacheDirectory, exists, fileHash } from "./cache_directory.ts";
import { buildPrograms } from "./go_build.ts";
import { type Progress, stderrProgress } from "./progress.ts";

/** How a program is built and recognised. */
export interface Program {
  /** The package in dev/controlplane that it is built from. */
  readonly goPackage: string;
  /** What makes it print its version. */
  readonly versionArgs: readonly string[];
  /** An older one from elsewhere is passed over. */
  readonly atLeast?: readonly [major: number, minor: number];
}

/** Everything that can be asked for. */
export const PROGRAMS = {
  "etcd": { goPackage: "go.etcd.io/etcd/server/v3", versionArgs: ["--version"], atLeast: [3, 5] },
  // 1.33: an object that breaks a rule of today's schema can still be changed elsewhere (CRD ratcheting), which our CRDs count on.
  "kube-apiserver": { goPackage: "k8s.io/kubernetes/cmd/kube-apiserver", versionArgs: ["--version"], atLeast: [1, 33] },
  "kube-controller-manager": {
    goPackage: "k8s.io/kubernetes/cmd/kube-controller-manager",
    versionArgs: ["--version"],
    atLeast: [1, 33],
  },
  "kube-scheduler": { goPackage: "k8s.io/kubernetes/cmd/kube-scheduler", versionArgs: ["--version"], atLeast: [1, 33] },
  // 0.8: the stages of volumes have `steps`.
  "kwok": { goPackage: "sigs.k8s.io/kwok/cmd/kwok", versionArgs: ["--version"], atLeast: [0, 8] },
  "versitygw": { goPackage: "github.com/versity/versitygw/cmd/versitygw", versionArgs: ["--version"] },
  "helm": { goPackage: "helm.sh/helm/v4/cmd/helm", versionArgs: ["version", "--short"], atLeast: [3, 14] },
} as const satisfies Record<string, Program>;

/** The name of a program that can be found. */
export type ProgramName = keyof typeof PROGRAMS;

/** Options of {@linkcode findBinaries}. */
export interface FindOptions {
  readonly signal?: AbortSignal;
  /** Told of a build and of programs that were passed over. @default {stderrProgress()} */
  readonly progress?: Progress;
}

/**
 * The paths of programs, all of them there when this returns; the first time that takes minutes.
 *
 * @throws if one is missing and cannot be built; the message says what to do.
 */
export async function findBinaries<N extends ProgramName>(
  names: readonly N[],
  options: FindOptions = {},
): Promise<Readonly<Record<N, string>>> {
  const { progress = stderrProgress() } = options;
  const built = await programsDirectory();
  const found: Partial<Record<ProgramName, string>> = {};
  await Promise.all(names.map(async (name) => {
    const path = await findInstalled(name, progress) ?? `${built}/${name}`;
    if (await exists(path)) found[name] = path;
  }));
  const missing = names.filter((name) => !(name in found));
  if (missing.length > 0) {
    const targets = missing.map((name: ProgramName) => ({ name, goPackage: PROGRAMS[name].goPackage }));
    await buildPrograms(targets, { ...options, progress, directory: built });
    for (const name of missing) found[name] = `${built}/${name}`;
  }
  return found as Record<N, string>;
}

/** Where built programs are kept: a folder per content of go.sum, so two checkouts never share what they must not. */
export async function programsDirectory(): Promise<string> {
  return `${cacheDirectory()}/controlplane-${await fileHash(new URL("./controlplane/go.sum", import.meta.url))}`;
}

/** A program that somebody installed, if it is new enough. */
async function findInstalled(name: ProgramName, progress: Progress): Promise<string | undefined> {
  const assets = Deno.env.get("KUBEBUILDER_ASSETS");
  const directories = [...(assets ? [assets] : []), ...(Deno.env.get("PATH") ?? "").split(":")];
  for (const directory of directories) {
    const path = `${directory}/${name}`;
    if (!directory || !await exists(path)) continue;
    const problem = await unfit(path, PROGRAMS[name]);
    if (!problem) return path;
    progress(`Passing over ${path}: ${problem}`);
  }
  return undefined;
}

/** Why a program cannot be used. */
async function unfit(path: string, { versionArgs, atLeast }: Program): Promise<string | undefined> {
  if (!atLeast) return undefined;
  let text: string;
  try {
    const { stdout } = await new Deno.Command(path, { args: [...versionArgs], stdin: "null" }).output();
    text = new TextDecoder().decode(stdout);
  } catch (error) {
    return `it does not run (${error instanceof Error ? error.message : error})`;
  }
  const [, major, minor] = /v?(\d+)\.(\d+)/.exec(text) ?? [];
  const [wantedMajor, wantedMinor] = atLeast;
  const tooOld = Number(major) < wantedMajor || (Number(major) === wantedMajor && Number(minor) < wantedMinor);
  if (major === undefined) return "it does not tell its version";
  return tooOld ? `version ${major}.${minor} is older than ${wantedMajor}.${wantedMinor}` : undefined;
}
