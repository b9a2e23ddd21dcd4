/**
 * What is known of the majors of Odoo. Which one an instance has is what the code in its image said of itself when a Job ran
 * it, never the image's tag: tags need not name a version. Why so little differs is told in docs/decisions/0011.
 */
import type { Problem } from "../resolve.ts";
import { textOf } from "../operations/reports/report.ts";
import { rowOf } from "../operations/request_kinds.ts";
import type { Assessed } from "../assessment.ts";
import type { World } from "../world.ts";

/** The oldest major of PostgreSQL that each major of Odoo works on. scripts/job_database.py has the same table. */
export const MIN_POSTGRES: Readonly<Record<number, number>> = { 16: 12, 17: 12, 18: 12, 19: 13, 20: 16 };

const KNOWN = Object.keys(MIN_POSTGRES).map(Number);

/** What is known of a version. */
export interface VersionProfile {
  readonly major: number;
  /** Of a major that is newer than all that are known: that of the newest. */
  readonly minPostgres: number;
  /** Whether it is one of those that the operator is made for. */
  readonly known: boolean;
}

/** 17 of "17.0-20260101", "17.0.1.3" and "saas~17.4+e-20260101". */
export function majorOf(version: string): number | undefined {
  const digits = /^(?:saas[~-])?(\d+)/.exec(version)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The profile of a version; `undefined` if it cannot be read, or is older than all that are known. */
export function profileOf(version: string): VersionProfile | undefined {
  const major = majorOf(version) ?? 0;
  const minPostgres = MIN_POSTGRES[Math.min(major, Math.max(...KNOWN))];
  return minPostgres === undefined ? undefined : { major, minPostgres, known: KNOWN.includes(major) };
}

/** The version that the latest of those requests found in the image; those may be gone, then what was known before. */
export function odooVersion({ observed, status }: World): string | undefined {
  const reported = observed.requests.flatMap((cr) => {
    const { phase, completionTime, summary } = cr.status ?? {};
    const version = textOf(summary?.odoo);
    const reports = phase === "Completed" && rowOf(cr).reportsVersion && majorOf(version) !== undefined;
    return reports ? [{ at: completionTime ?? "", version }] : [];
  });
  return reported.toSorted((a, b) => a.at < b.at ? -1 : 1).at(-1)?.version ?? status.odooVersion ?? undefined;
}

/** Why the PostgreSQL server is not what the instance's Odoo needs, as far as both are known. */
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
