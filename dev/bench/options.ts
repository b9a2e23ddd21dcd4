/** The command line of the bench. Pure. */
import { parseArgs } from "@std/cli/parse-args";

/** The parts of the bench, in the order in which they run. */
export const STAGE_NAMES = [
  "single",
  "operations",
  "rounds",
  "staggered",
  "hundred",
  "burst",
  "webhook",
  "thousand",
  "noise",
  "faults",
] as const;
export type StageName = typeof STAGE_NAMES[number];

/** What runs if nobody says otherwise: all but the one that takes as long as the others together. */
const DEFAULT_STAGES: readonly StageName[] = STAGE_NAMES.filter((name) => name !== "thousand");

/** How much of everything; each is a flag, `idleMinutes` as `--idle-minutes`. */
const SIZES = {
  /** So many fresh clusters, one after the other. */
  runs: 1,
  /** Stage rounds: how often, and how many instances at once; stage staggered has as many. */
  rounds: 5,
  count: 50,
  /** The population of stage hundred, how many stages burst and webhook add, and the population of stage thousand. */
  hundred: 100,
  burst: 300,
  thousand: 1000,
  /** Stage thousand: edits among the idle, and how long nobody does anything. */
  edits: 100,
  idleMinutes: 3,
  /** Stage noise: foreign Secrets, how long they change, and Events beside the instances. */
  secrets: 2000,
  churnSeconds: 120,
  events: 5000,
  /** How often a fault is made, and how many edits or starts a median is made of. */
  times: 5,
  /** Before memory at rest is read; idle connections to PostgreSQL end after ten seconds, garbage is collected later. */
  restSeconds: 20,
  /** The same after a restart beside many. */
  settleSeconds: 45,
};

export type Sizes = Readonly<typeof SIZES>;

/** What the bench is asked for. */
export interface BenchOptions {
  readonly stages: readonly StageName[];
  readonly sizes: Sizes;
  /** Another operator's program with its first arguments; ours, as a bundle, if absent. */
  readonly operator?: readonly string[];
}

/** A command line that cannot be understood; the message is for one line on stderr. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * Reads the flags; `{ table }` is the file to print as a table instead of measuring.
 *
 * @throws {UsageError}
 */
export function readOptions(args: readonly string[]): BenchOptions | { readonly table: string } {
  const names = Object.keys(SIZES) as (keyof typeof SIZES)[];
  const unknown: string[] = [];
  const flags = parseArgs(args, {
    string: ["stages", "operator", "table", ...names.map(flagOf)],
    unknown: (argument) => (unknown.push(argument), false),
  });
  const stray = [...unknown, ...flags._];
  if (stray.length > 0) throw new UsageError(`Cannot understand ${stray.join(" ")}: see docs/performance.md`);
  if (typeof flags.table === "string") return { table: flags.table };
  const sizes = { ...SIZES };
  for (const name of names) {
    const given = flags[flagOf(name)];
    if (given !== undefined) sizes[name] = positive(flagOf(name), String(given));
  }
  return {
    stages: flags.stages === undefined ? DEFAULT_STAGES : readStages(String(flags.stages)),
    sizes,
    ...(flags.operator === undefined ? {} : { operator: splitCommand(String(flags.operator)) }),
  };
}

/** The sizes that are not what the goals are about; how often something is done does not change what it is. */
export function changedSizes(sizes: Sizes): Readonly<Record<string, number>> {
  const { runs: _runs, rounds: _rounds, times: _times, ...defaults } = SIZES;
  return Object.fromEntries(
    Object.entries(sizes).filter(([name, size]) => name in defaults && size !== SIZES[name as keyof Sizes]),
  );
}

/** The stages in a list with commas, in the order in which they run. */
function readStages(text: string): readonly StageName[] {
  const given = text.split(",").map((name) => name.trim());
  const wrong = given.find((name) => !STAGE_NAMES.some((stage) => stage === name));
  if (wrong !== undefined) throw new UsageError(`Cannot run stage "${wrong}": there are ${STAGE_NAMES.join(", ")}`);
  return STAGE_NAMES.filter((name) => given.includes(name));
}

/**
 * The words of a command line as a shell would split them: spaces, quotes of both kinds, backslashes. Nothing is
 * expanded: neither variables nor patterns.
 *
 * @throws {UsageError} if a quote stays open, or there is no word.
 */
export function splitCommand(text: string): readonly string[] {
  const part = /\s+|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)/gsy;
  const words: string[] = [];
  let isInWord = false;
  for (let at = 0; at < text.length; at = part.lastIndex) {
    const [whole = "", single, double, escaped, plain] = part.exec(text) ?? [];
    if (whole === "") throw new UsageError(`Cannot split the command at "${text.slice(at)}": a quote is not closed`);
    const piece = single ?? double?.replace(/\\(["\\$`])/g, "$1") ?? escaped ?? plain;
    if (piece !== undefined) words.push((isInWord ? words.pop() ?? "" : "") + piece);
    isInWord = piece !== undefined;
  }
  if (words.length === 0) throw new UsageError("Cannot start an operator: --operator is empty");
  return words;
}

function positive(flag: string, text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) {
    throw new UsageError(`Cannot use --${flag} ${text}: it must be a number above 0`);
  }
  return value;
}

function flagOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
