/** Identifiers and literals of SQL statements: quoted here and nowhere else. Pure. */
import { identifierProblem } from "./database.ts";
import type { Findings } from "./sql_inventory.ts";

/** One message to the server, so one transaction; `slow` ones wait for a checkpoint. */
export interface Statement {
  readonly text: string;
  readonly slow?: true;
  /** Where it is to be run, if not in the administrator's own database; such a one is the last. */
  readonly database?: string;
}

/** What is to be sent, or what is not this owner's so that nothing is sent. */
export type WritePlan = readonly Statement[] | { readonly foreign: string };

/** A name, quoted. Throws for one that PostgreSQL would change. */
export function sqlIdentifier(name: string): string {
  const problem = identifierProblem(name);
  if (problem) throw new RangeError(`Cannot use ${JSON.stringify(name)} as a name in PostgreSQL: ${problem}`);
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text, quoted; means the same whatever standard_conforming_strings is. */
export function sqlLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''").replaceAll("\\", "\\\\")}'`;
  return text.includes("\\") ? ` E${quoted}` : quoted;
}

/** Not this owner's. */
export function foreign(kind: "role" | "database", name: string): WritePlan {
  return { foreign: `${kind} ${JSON.stringify(name)}` };
}

/** An admin that is no superuser creates and drops databases of roles that it is a member of, and ends their sessions. */
export function grantToAdmin(found: Findings, role: string): string[] {
  if (found.adminIsSuperuser || role === found.adminUser) return [];
  const options = found.serverMajor >= 16 ? " with inherit true, set true" : "";
  return [`grant ${sqlIdentifier(role)} to current_user${options}`];
}
