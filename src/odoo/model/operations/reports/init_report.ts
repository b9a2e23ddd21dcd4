/** What an init Job reports (`scripts/init_check.py` writes it) → one sentence for the status of its CR. */
import { isRecord, listed, listOf, numberOf, type Report, textOf } from "./report.ts";

/** The fields of the report, in words. */
export function describeInit({ odoo, seconds, installed, languages, modules }: Report["fields"]): string | undefined {
  if (odoo === undefined) return undefined;
  const names = listOf(modules).filter(isRecord).map(({ name, version }) =>
    textOf(version) ? `${textOf(name)} ${textOf(version)}` : textOf(name)
  );
  const codes = listOf(languages).filter((code) => typeof code === "string");
  return `Installed ${listed(names)} (${numberOf(installed)} modules in all) with Odoo ${textOf(odoo)} in ${
    numberOf(seconds)
  } s; languages: ${listed(codes)}`;
}
