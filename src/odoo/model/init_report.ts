/**
 * The termination message of an init Job → what it did, in words. `scripts/init_check.py` writes it, this is its only
 * reader: what it cannot read is told as it is, never taken for a success.
 */

/** A module that was asked for; `unknown` is the state of one that the image does not have. */
export interface ModuleReport {
  readonly name: string;
  readonly state: string;
  readonly version: string;
}

/** What an init Job says of itself. */
export interface InitReport {
  readonly ok: boolean;
  /** Why not, if it is not ok. */
  readonly error: string;
  readonly odoo: string;
  readonly seconds: number;
  /** Modules in the database, dependencies included. */
  readonly installed: number;
  readonly languages: readonly string[];
  readonly modules: readonly ModuleReport[];
}

/** More names than these are counted only. */
const MOST_NAMES = 10;
const LONGEST_QUOTE = 2048;

/** The report in a termination message, or `undefined` if the message is none. */
export function parseInitReport(message: string): InitReport | undefined {
  const fields = recordIn(message);
  if (typeof fields?.ok !== "boolean") return undefined;
  const { ok, error, odoo, seconds, installed, languages, modules } = fields;
  if (!ok && !textOf(error)) return undefined;
  return {
    ok,
    error: textOf(error),
    odoo: textOf(odoo),
    seconds: numberOf(seconds),
    installed: numberOf(installed),
    languages: listOf(languages).filter((code) => typeof code === "string"),
    modules: listOf(modules).filter(isRecord).map(({ name, state, version }) => ({
      name: textOf(name),
      state: textOf(state),
      version: textOf(version),
    })),
  };
}

/** What was done, for the status of the CR. */
export function describeInit({ odoo, seconds, installed, languages, modules }: InitReport): string {
  const names = listed(modules.map(({ name, version }) => version ? `${name} ${version}` : name));
  return `Installed ${names} (${installed} modules in all) with Odoo ${odoo} in ${seconds} s; languages: ${
    listed(languages)
  }`;
}

/** Why a failed Job failed: its own words, or the last ones of Odoo and what it was about to install. */
export function describeInitFailure(message: string, modules: readonly string[]): string {
  const report = parseInitReport(message);
  if (report && !report.ok) return report.error;
  return `The Job ended before ${listed(modules)} could be installed: ${message.slice(-LONGEST_QUOTE)}`;
}

/** Why a Job that ended well cannot be believed; `undefined` if it can. */
export function unbelievable(message: string): string | undefined {
  // Its exit code is that of the check. Without its words only the summary is missing: pods do not live for ever.
  if (message === "") return undefined;
  const report = parseInitReport(message);
  if (report) return report.ok ? undefined : report.error;
  return `The Job ended without a result that can be read; it left: ${message.slice(-LONGEST_QUOTE)}`;
}

function listed(names: readonly string[]): string {
  const more = names.length - MOST_NAMES;
  return names.slice(0, MOST_NAMES).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function recordIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
