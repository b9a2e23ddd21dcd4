/**
 * Committed files that a tool generates: written, or with `--check` compared and left alone, so that CI can judge.
 */
// deno-lint-ignore-file no-console -- a command line tool talks to its caller
import { parseArgs } from "@std/cli/parse-args";

/** A file by its path from the repository root, and what must be in it. */
export interface GeneratedFile {
  readonly path: string;
  readonly text: string;
}

/** The paths whose file is missing or has another text. */
export async function staleFiles(files: readonly GeneratedFile[], root: URL): Promise<string[]> {
  const stale: string[] = [];
  for (const { path, text } of files) {
    if (await textOf(new URL(path, root)) !== text) stale.push(path);
  }
  return stale;
}

/** A generator's command line: writes the files, or with `--check` names the stale ones; returns the exit code. */
export async function emitGenerated(files: readonly GeneratedFile[], task: string): Promise<number> {
  const root = new URL("..", import.meta.url);
  const stale = await staleFiles(files, root);
  if (parseArgs(Deno.args, { boolean: ["check"] }).check) {
    for (const path of stale) console.error(`${path}: stale, run ${task}`);
    return stale.length > 0 ? 1 : 0;
  }
  for (const { path, text } of files.filter((file) => stale.includes(file.path))) {
    await Deno.writeTextFile(new URL(path, root), text);
    console.log(`${path}: written`);
  }
  return 0;
}

async function textOf(url: URL): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(url);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
