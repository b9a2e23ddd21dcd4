/**
 * Fails for files that are too long to read in one sitting, and for files whose name says nothing.
 *
 * `deno run --allow-read tools/check_sizes.ts [folder]`: the repository by default, one line per finding, exit code 1 if any.
 */
// deno-lint-ignore-file no-console -- a command line tool talks to its caller
import { parseArgs } from "@std/cli/parse-args";

/** Longer files are split by what they do. */
export const MAX_LINES = 400;

const FOLDERS: readonly string[] = ["src", "dev", "tools", "tests", "examples"];
const EMPTY_NAMES = /^(.*_)?(helpers?|utils?|common)(_test)?\.tsx?$/;

/** What is wrong with a file of this name and text; empty when nothing is. */
export function sizeProblems(path: string, text: string): string[] {
  const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  const name = path.slice(path.lastIndexOf("/") + 1);
  return [
    ...(lines > MAX_LINES ? [`${path}: ${lines} lines, ${MAX_LINES} at most: split it by what it does`] : []),
    ...(EMPTY_NAMES.test(name) ? [`${path}: the name says nothing: name the file after its main export`] : []),
  ];
}

/** The problems of all TypeScript files at and under `root`, in the order of their paths. */
export async function checkSizes(root: string): Promise<string[]> {
  const problems: string[] = [];
  for (const path of await typeScriptFiles(root)) {
    problems.push(...sizeProblems(path, await Deno.readTextFile(`${root}/${path}`)));
  }
  return problems;
}

/** Files at the root and in the folders of code; other folders hold no code of ours. */
async function typeScriptFiles(root: string): Promise<string[]> {
  const found: string[] = [];
  const visit = async (folder: string): Promise<void> => {
    for await (const entry of Deno.readDir(`${root}/${folder}`)) {
      const path = `${folder}${entry.name}`;
      const entered = folder !== "" ? entry.name !== "node_modules" : FOLDERS.includes(entry.name);
      if (entry.isDirectory && entered) await visit(`${path}/`);
      if (entry.isFile && /\.tsx?$/.test(entry.name)) found.push(path);
    }
  };
  await visit("");
  return found.toSorted();
}

if (import.meta.main) {
  const [root = decodeURIComponent(new URL("..", import.meta.url).pathname)] = parseArgs(Deno.args)._;
  const problems = await checkSizes(root.replace(/\/$/, ""));
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) Deno.exit(1);
}
