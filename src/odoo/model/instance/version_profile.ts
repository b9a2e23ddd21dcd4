/**
 * Profiles of the major versions of Odoo. The version of an instance is the one that the code in its image reported to a
 * Job, never the tag of the image: a tag need not name a version. See docs/decisions/0011.
 */
import type { Problem } from "../problem.ts";
import { textOf } from "../operations/reports/report.ts";
import { rowOf } from "../operations/request_kinds.ts";
import type { Assessed } from "../assessment.ts";
import type { World } from "../world.ts";

/** The lowest major version of PostgreSQL that each major version of Odoo supports. scripts/job_database.py has the same table. */
export const MIN_POSTGRES: Readonly<Record<number, number>> = { 16: 12, 17: 12, 18: 12, 19: 13, 20: 16 };

const KNOWN = Object.keys(MIN_POSTGRES).map(Number);

/** The profile of a version of Odoo. */
export interface VersionProfile {
  readonly major: number;
  /** Lowest supported major version of PostgreSQL. For a version newer than the table: that of the newest known one. */
  readonly minPostgres: number;
  /** Whether the table has the version. */
  readonly known: boolean;
}

/** 17 of "17.0-20260101", "17.0.1.3" and "saas~17.4+e-20260101". */
export function majorOf(version: string): number | undefined {
  const digits = /^(?:saas[~-])?(\d+)/.exec(version)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The profile of a version; `undefined` if it cannot be parsed, or is older than the table. */
export function profileOf(version: string): VersionProfile | undefined {
  const major = majorOf(version) ?? 0;
  const minPostgres = MIN_POSTGRES[Math.min(major, Math.max(...KNOWN))];
  return minPostgres === undefined ? undefined : { major, minPostgres, known: KNOWN.includes(major) };
}

/** Kinds of jobs whose summary reports the version of Odoo. */
export function odooVersion({ observed, status }: World): string | undefined {
  const reported = observed.requests.flatMap((cr) => {
    const { phase, completionTime, summary } = cr.status ?? {};
    const version = textOf(summary?.odoo);
    const reports = phase === "Completed" && rowOf(cr).reportsVersion && majorOf(version) !== undefined;
    return reports ? [{ at: completionTime ?? "", version }] : [];
  });
  return reported.toSorted((a, b) => a.at < b.at ? -1 : 1).at(-1)?.version ?? status.odooVersion ?? undefined;
}

/** Why the PostgreSQL server is too old for the Odoo of the instance; `undefined` if it is not, or a version is not known. */
export function postgresProblem({ cluster: { address, facts }, ...world }: Assessed<"facts">): Problem | undefined {
  const version = world.facts.odooVersion ?? "";
  const profile = profileOf(version);
  if (!profile || !facts?.known || facts.serverMajor >= profile.minPostgres) return undefined;
  return {
    reason: "PostgresTooOld",
    message: `Odoo ${version} needs PostgreSQL ${profile.minPostgres}, and cluster ${address.name} has PostgreSQL ` +
      `${facts.serverMajor}: upgrade the server, or set spec.image to an older Odoo`,
  };
}
