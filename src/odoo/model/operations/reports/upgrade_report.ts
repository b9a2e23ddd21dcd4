/** What an upgrade did, as `scripts/upgrade_run.py` reports it → one sentence for the status of the CR. */
import { isRecord, listed, listOf, numberOf, type Report, textOf } from "./report.ts";

/** One module whose version changed; empty where it was not installed. */
export interface ModuleChange {
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

/** The modules that an upgrade changed, as far as they are named in its report. */
export function moduleChanges(fields: Report["fields"]): ModuleChange[] {
  return listOf(fields.modules).filter(isRecord).map(({ name, from, to }) => ({
    name: textOf(name),
    from: textOf(from),
    to: textOf(to),
  }));
}

/** What was done; `fields` are those of a report that is ok, and may be empty. */
export function describeUpgrade(fields: Report["fields"]): string {
  const changes = moduleChanges(fields);
  const more = numberOf(fields.more);
  const parts = [
    partOf(
      "updated",
      changes.filter(({ from, to }) => from && to).map(({ name, from, to }) => `${name} ${from} → ${to}`),
    ),
    partOf("installed", changes.filter(({ from }) => !from).map(({ name, to }) => `${name} ${to}`)),
    partOf("removed", changes.filter(({ to }) => !to).map(({ name, from }) => `${name} ${from}`)),
    ...(more > 0 ? [`${more} more modules changed`] : []),
  ].filter((part) => part !== "");
  const what = parts.length ? parts.join("; ") : "no module changed its version";
  const { odoo, seconds } = fields;
  return `Upgraded with Odoo ${textOf(odoo) || "of an unknown version"} in ${numberOf(seconds)} s: ${what}`;
}

function partOf(verb: string, names: readonly string[]): string {
  return names.length ? `${verb} ${listed(names)}` : "";
}
