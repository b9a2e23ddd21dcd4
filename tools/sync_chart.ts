/**
 * crds/*.yaml -> charts/odoo-operator/files/crds/, because Helm cannot read files outside a chart.
 *
 * `deno run --allow-read --allow-write=charts tools/sync_chart.ts`; with `--check` it writes nothing, prints stale files and
 * exits with 1. A CRD without Helm's keep annotation is refused: uninstalling the chart would delete every instance.
 */
// deno-lint-ignore-file no-console -- a command line tool talks to its caller
import { parseArgs } from "@std/cli/parse-args";
import { parse } from "yaml";

const SOURCE = "crds/";
const COPY = "charts/odoo-operator/files/crds/";
const KEEP = "helm.sh/resource-policy";

/** A file of the chart that is stale; without `text`, it must be deleted. */
export interface StaleCopy {
  readonly path: string;
  readonly text?: string;
}

/** The stale files of the chart of the repository at `root`. */
export async function staleCopies(root: URL): Promise<StaleCopy[]> {
  const sources = await yamlFiles(new URL(SOURCE, root));
  const copies = await yamlFiles(new URL(COPY, root));
  for (const [name, text] of sources) assertKept(name, text);
  const changed = [...sources].filter(([name, text]) => copies.get(name) !== text);
  const orphans = [...copies.keys()].filter((name) => !sources.has(name));
  return [
    ...changed.map(([name, text]) => ({ path: COPY + name, text })),
    ...orphans.map((name) => ({ path: COPY + name })),
  ];
}

/** Writes or deletes the stale files, so that the chart's copies equal crds/. */
export async function writeCopies(stale: readonly StaleCopy[], root: URL): Promise<void> {
  await Deno.mkdir(new URL(COPY, root), { recursive: true });
  for (const { path, text } of stale) {
    if (text === undefined) await Deno.remove(new URL(path, root));
    else await Deno.writeTextFile(new URL(path, root), text);
  }
}

function assertKept(name: string, text: string): void {
  const annotations: Record<string, unknown> = parse(text)?.metadata?.annotations ?? {};
  if (annotations[KEEP] !== "keep") {
    throw new Error(`Cannot copy ${SOURCE}${name} into the chart: it lacks the annotation ${KEEP}: keep`);
  }
}

/** The contents of the YAML files of a folder by file name, sorted by name; empty if the folder does not exist. */
async function yamlFiles(folder: URL): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  try {
    const entries = await Array.fromAsync(Deno.readDir(folder));
    for (const name of entries.map((entry) => entry.name).filter((name) => name.endsWith(".yaml")).toSorted()) {
      found.set(name, await Deno.readTextFile(new URL(name, folder)));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found;
}

if (import.meta.main) {
  const root = new URL("../", import.meta.url);
  const stale = await staleCopies(root);
  if (parseArgs(Deno.args, { boolean: ["check"] }).check) {
    for (const { path } of stale) console.error(`${path}: stale, run tools/sync_chart.ts`);
    if (stale.length > 0) Deno.exit(1);
  } else {
    await writeCopies(stale, root);
    for (const { path, text } of stale) console.log(`${path}: ${text === undefined ? "removed" : "written"}`);
  }
}
