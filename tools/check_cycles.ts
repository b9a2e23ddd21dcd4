/**
 * Fails when files import each other in a circle, and prints the circle.
 *
 * `deno run --allow-read --allow-run tools/check_cycles.ts [entry point…]`: main.ts and src/kit/mod.ts by default.
 * The graph is what `deno info --json` says. An `import type` counts as well: it costs nothing at run time, but two files
 * that need each other's types are one file for the reader.
 */
// deno-lint-ignore-file no-console -- a command line tool talks to its caller
import { parseArgs } from "@std/cli/parse-args";

/** The files that each file imports. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

interface Dependency {
  readonly code?: { readonly specifier?: string };
  readonly type?: { readonly specifier?: string };
}

/** The part of the answer of `deno info --json` that is read here. */
export interface ModuleInfo {
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly Dependency[];
  }[];
}

/** The imports between local files. Throws when a file could not be read, because its imports are unknown then. */
export function importGraph(info: ModuleInfo): ImportGraph {
  const graph = new Map<string, string[]>();
  for (const { specifier, error, dependencies = [] } of info.modules) {
    if (!specifier.startsWith("file:")) continue;
    if (error !== undefined) throw new Error(`Cannot follow the imports: ${error}`);
    const targets = dependencies.flatMap(({ code, type }) => [code?.specifier, type?.specifier]);
    graph.set(specifier, targets.filter((target) => target?.startsWith("file:")).map(String));
  }
  return graph;
}

/** One shortest circle through each file that is the first, by name, of its knot; empty when there is none. */
export function findCycles(graph: ImportGraph): string[][] {
  const cycles: string[][] = [];
  const told = new Set<string>();
  for (const start of [...graph.keys()].toSorted()) {
    if (told.has(start)) continue;
    const cycle = shortestCycle(graph, start);
    if (cycle === undefined) continue;
    cycles.push(cycle);
    for (const file of cycle) told.add(file);
  }
  return cycles;
}

/** Breadth first from `start` until a file imports it again. */
function shortestCycle(graph: ImportGraph, start: string): string[] | undefined {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    for (const target of graph.get(file) ?? []) {
      if (target === start) return [...pathTo(cameFrom, file), start];
      if (cameFrom.has(target)) continue;
      cameFrom.set(target, file);
      queue.push(target);
    }
  }
  return undefined;
}

function pathTo(cameFrom: ReadonlyMap<string, string>, end: string): string[] {
  const path = [end];
  for (let file = cameFrom.get(end); file !== undefined; file = cameFrom.get(file)) path.unshift(file);
  return path;
}

/** The circles among the files that `entryPoints` reach, as paths relative to `root`. */
export async function checkCycles(root: URL, entryPoints: readonly string[]): Promise<string[][]> {
  const graph = new Map<string, readonly string[]>();
  for (const entryPoint of entryPoints) {
    for (const [file, targets] of importGraph(await moduleInfo(root, entryPoint))) graph.set(file, targets);
  }
  return findCycles(graph).map((cycle) => cycle.map((file) => file.replace(root.href, "")));
}

async function moduleInfo(root: URL, entryPoint: string): Promise<ModuleInfo> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entryPoint],
    cwd: root,
    stderr: "piped",
  });
  const { success, stdout, stderr } = await command.output();
  if (!success) throw new Error(`Cannot read the module graph of ${entryPoint}: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

if (import.meta.main) {
  const given = parseArgs(Deno.args)._;
  const cycles = await checkCycles(
    new URL("../", import.meta.url),
    given.length > 0 ? given : ["main.ts", "src/kit/mod.ts"],
  );
  for (const cycle of cycles) console.error(`Import cycle: ${cycle.join(" -> ")}`);
  if (cycles.length > 0) Deno.exit(1);
}
