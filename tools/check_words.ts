/**
 * Fails for words that the project does not use in its sources and docs, and names the replacement for each.
 *
 * `deno run --allow-read tools/check_words.ts [folder]`: the repository by default, one line per finding, exit code 1 if any.
 */
// deno-lint-ignore-file no-console -- a command line tool talks to its caller
import { parseArgs } from "@std/cli/parse-args";

/** Refused words and phrases in lower case, each with its replacement. The terms to use are in docs/glossary.md. */
export const REFUSED_WORDS: Readonly<Record<string, string>> = {
  told: "reported, recorded, or sent",
  tell: "report, record, or send",
  tells: "reports, records, or sends",
  untold: "pending, or not yet reported",
  nobody: "no client, no controller, or no user",
  somebody: "another client, a user, or the caller",
  whoever: "the user, the caller, or the client that",
  wish: "desired state, desired value, or spec",
  wishes: "desired state, desired values, or specs",
  wished: "desired, or requested",
  eyes: "readers, or inputs",
  sights: "inputs, or lookups",
  believed: "trusted, or accepted",
  anew: "again",
  deed: "effect, or write",
  deeds: "effects, or writes",
  mended: "repaired, fixed, or corrected",
  "at work": "running",
  "a look": "a lookup, a read, or a reconcile",
  "comes to rest": "settles",
  "way back": "rollback",
};

/** A place where a refused word stays, because the text is not ours: the output or the field name of another program. */
export interface AllowedWord {
  /** From the repository root. */
  readonly path: string;
  /** The exact text, within one line, that contains the word. */
  readonly text: string;
}

export const ALLOWED_WORDS: readonly AllowedWord[] = [];

/** Folders that are read, with the names of the files in them; files at the root are named in full. */
const FOLDERS: Readonly<Record<string, RegExp>> = { src: /\.ts$/, scripts: /./, docs: /\.md$/ };
const ROOT_FILES: readonly string[] = ["README.md", "CONTRIBUTING.md"];

/** What may stand between the words of a phrase: blanks, or a line break with the sign of a comment or list after it. */
const GAP = String.raw`(?:[ \t]+|[ \t]*\n[ \t]*(?:\*|//|#|>|--)?[ \t]*)`;
const PHRASES = Object.keys(REFUSED_WORDS).map((phrase) => phrase.replaceAll(" ", GAP));
const REFUSED = new RegExp(String.raw`\b(?:${PHRASES.join("|")})\b`, "gi");

/** The refused words in a text, in their order: `path:line: "word": write X instead`. */
export function wordProblems(path: string, text: string, allowed: readonly AllowedWord[] = ALLOWED_WORDS): string[] {
  const lines = text.split("\n");
  const exceptions = allowed.filter((exception) => exception.path === path);
  return [...text.matchAll(REFUSED)].flatMap(({ 0: found, index }) => {
    const before = text.slice(0, index).split("\n");
    const column = before.at(-1)?.length ?? 0;
    if (exceptions.some((exception) => covers(exception.text, lines[before.length - 1] ?? "", column))) return [];
    const word = found.toLowerCase().replace(new RegExp(GAP, "g"), " ");
    return [`${path}:${before.length}: "${word}": write ${REFUSED_WORDS[word]} instead`];
  });
}

/** Whether the allowed text stands in the line around this column. */
function covers(allowed: string, line: string, column: number): boolean {
  for (let at = line.indexOf(allowed); at >= 0; at = line.indexOf(allowed, at + 1)) {
    if (at <= column && column < at + allowed.length) return true;
  }
  return false;
}

/** The refused words in all files that are read, in the order of their paths. */
export async function checkWords(root: string): Promise<string[]> {
  const problems: string[] = [];
  for (const path of await filesToRead(root)) {
    problems.push(...wordProblems(path, await Deno.readTextFile(`${root}/${path}`)));
  }
  return problems;
}

async function filesToRead(root: string): Promise<string[]> {
  const found: string[] = [...ROOT_FILES];
  const visit = async (folder: string, names: RegExp): Promise<void> => {
    for await (const { name, isDirectory, isFile } of Deno.readDir(`${root}/${folder}`)) {
      if (isDirectory) await visit(`${folder}/${name}`, names);
      if (isFile && names.test(name)) found.push(`${folder}/${name}`);
    }
  };
  for (const [folder, names] of Object.entries(FOLDERS)) await visit(folder, names);
  return found.toSorted();
}

if (import.meta.main) {
  const [root = decodeURIComponent(new URL("..", import.meta.url).pathname)] = parseArgs(Deno.args)._;
  const problems = await checkWords(root.replace(/\/$/, ""));
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) Deno.exit(1);
}
