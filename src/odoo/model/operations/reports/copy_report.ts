/** What the Jobs of a restore or refresh report, all of them together → one sentence for the status of its CR. */
import { listed, listOf, numberOf, type Report, textOf } from "./report.ts";

/** The fields of the reports, in words; `undefined` if they are lost. */
export function describeCopy(fields: Report["fields"]): string | undefined {
  const { odoo, neutralized, modules, attachments, missingFiles, leftOut, vanished } = fields;
  if (odoo === undefined) return undefined;
  const missing = numberOf(missingFiles);
  const omitted = listOf(leftOut).map(textOf).filter(Boolean);
  return [
    `Odoo ${textOf(odoo)} with ${numberOf(modules)} modules and ${numberOf(attachments)} attachments`,
    neutralized === true ? ", neutralized" : ", not neutralized",
    missing > 0 ? `; ${missing} attachments have no file` : "",
    numberOf(vanished) > 0 ? `; ${numberOf(vanished)} files went away while they were copied` : "",
    omitted.length ? `; left out: ${listed(omitted)}` : "",
  ].join("");
}
