/**
 * What a restore is made from, as a user writes it, checked: the pod that fetches it must not be led to places that only a pod
 * inside the cluster reaches and no Odoo ever is.
 */
import type { OdooRestoreJob } from "../../crd/mod.ts";
import type { Problem } from "../problem.ts";
import { s3Problem } from "../s3/s3_location.ts";
import { hostProblem } from "../network/service_address.ts";

/** Key of the Job's own Secret that holds the master password of the other Odoo. */
export const MASTER_PASSWORD_KEY = "masterPassword";

/** As long as a name of PostgreSQL may be. */
const LONGEST_DATABASE_BYTES = 63;
// deno-lint-ignore no-control-regex -- these are what is looked for
const CONTROL = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/;

/** The pod itself, where no other Odoo is. */
const LOOPBACK = /^(127\.|\[::1\]$|\[::(ffff:)?7f[0-9a-f]{2}:|\[64:ff9b::7f[0-9a-f]{2}:|(.*\.)?localhost\.?$)/;

/** What keeps a restore from being made; the message says what to write instead. */
export function restoreProblem({ metadata, spec }: OdooRestoreJob): Problem | undefined {
  const { source, format } = spec;
  const namespace = metadata?.namespace ?? "";
  if (source.type === "s3") {
    if (!source.s3) return missing("source.s3", "say there which bucket and object hold the backup");
    return s3Problem(source.s3, { field: "spec.source.s3", namespace });
  }
  if (!source.odoo) return missing("source.odoo", "say there the url of the Odoo to copy from");
  const { url, sourceDatabase, masterPassword } = source.odoo;
  if (format === "sql") {
    const message = "spec.format is sql, which no other Odoo gives: set it to zip or dump";
    return { reason: "InvalidSource", message };
  }
  const wrong: Readonly<Record<string, string | undefined>> = {
    url: sourceUrlProblem(url),
    sourceDatabase: sourceDatabase ? databaseProblem(sourceDatabase) : undefined,
    masterPassword: masterPassword && CONTROL.test(masterPassword) ? "has control characters" : undefined,
  };
  for (const [name, problem] of Object.entries(wrong)) {
    if (problem) return { reason: "InvalidSource", message: `spec.source.odoo.${name} ${problem}` };
  }
  return undefined;
}

/** Why an address is none that a backup is fetched from; names are judged as they stand, not by where they lead. */
export function sourceUrlProblem(text: string): string | undefined {
  if (CONTROL.test(text) || /\s/.test(text)) return "has blanks or control characters";
  const url = /^https?:\/\//i.test(text) ? URL.parse(text) : null;
  if (!url) return "is no address such as https://old.example.com";
  if (url.username || url.password) return "has credentials in it: leave them out";
  if (/[?#]/.test(text)) return "has a ? or # in it: write the address alone";
  const { hostname } = url; // the URL parser has made one form of all ways to write an address
  const problem = LOOPBACK.test(hostname) ? "it is the pod itself" : hostProblem(hostname);
  return problem && `leads where no Odoo is: ${problem}`;
}

function databaseProblem(name: string): string | undefined {
  if (!name.isWellFormed() || CONTROL.test(name)) return "has control characters";
  return new TextEncoder().encode(name).length > LONGEST_DATABASE_BYTES
    ? `is longer than ${LONGEST_DATABASE_BYTES} bytes`
    : undefined;
}

function missing(field: string, advice: string): Problem {
  return { reason: "InvalidSource", message: `spec.${field} is missing: ${advice}` };
}
