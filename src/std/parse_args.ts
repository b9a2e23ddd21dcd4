/**
 * `@std/cli/parse-args` for machines that cannot reach JSR: the part of its call signature that this repository uses,
 * over `node:util`. Swap the alias in deno.json for `jsr:@std/cli@1/parse-args` and nothing else changes.
 */
import { parseArgs as nodeParseArgs } from "node:util";

/** What {@linkcode parseArgs} understands; the field names are those of `@std/cli`. */
export interface ParseOptions {
  /** Flags without a value. */
  readonly boolean?: readonly string[];
  /** Flags with a value. */
  readonly string?: readonly string[];
  /** Called for each flag that is in neither list; returning `false` drops it. */
  readonly unknown?: (argument: string, key?: string, value?: unknown) => unknown;
}

/** Positional arguments in `_`, each flag under its own name. */
export type Args = { readonly _: readonly string[] } & { readonly [flag: string]: unknown };

/**
 * Splits command line arguments into flags and positionals: `--flag value`, `--flag=value`, `--` ends the flags.
 *
 * @example
 * ```ts
 * const args = parseArgs(["run", "--port=80", "--verbose"], { string: ["port"], boolean: ["verbose"] });
 * // { _: ["run"], port: "80", verbose: true }
 * ```
 */
export function parseArgs(args: readonly string[], options: ParseOptions = {}): Args {
  const { boolean = [], string = [], unknown } = options;
  const known = Object.fromEntries([
    ...boolean.map((name) => [name, { type: "boolean" as const }]),
    ...string.map((name) => [name, { type: "string" as const }]),
  ]);
  const { tokens } = nodeParseArgs({
    args: [...args],
    options: known,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const flags: Record<string, unknown> = {};
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const value = boolean.includes(token.name)
      ? token.value !== "false"
      : token.value ?? (string.includes(token.name) ? "" : true);
    const wanted = token.name in known || unknown?.(token.rawName, token.name, value) !== false;
    if (wanted) flags[token.name] = value;
  }
  return { ...flags, _: positionals };
}
