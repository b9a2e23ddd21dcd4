import { assertEquals } from "@std/assert";
import { describeUpgrade } from "../../../../../../src/odoo/model/operations/reports/upgrade_report.ts";

const SENTENCES: Readonly<
  Record<string, { readonly given: Readonly<Record<string, unknown>>; readonly want: string }>
> = {
  "what was updated, installed and removed": {
    given: {
      odoo: "18.0",
      seconds: 42,
      modules: [
        { name: "sale", from: "18.0.1.0", to: "18.0.1.1" },
        { name: "crm", from: "", to: "18.0.2.0" },
        { name: "fax", from: "18.0.1.0", to: "" },
      ],
    },
    want:
      "Upgraded with Odoo 18.0 in 42 s: updated sale 18.0.1.0 → 18.0.1.1; installed crm 18.0.2.0; removed fax 18.0.1.0",
  },
  "that nothing changed": {
    given: { odoo: "18.0", seconds: 3, modules: [] },
    want: "Upgraded with Odoo 18.0 in 3 s: no module changed its version",
  },
  "how many more there are": {
    given: { odoo: "18.0", seconds: 3, modules: [{ name: "sale", from: "1", to: "2" }], more: 300 },
    want: "Upgraded with Odoo 18.0 in 3 s: updated sale 1 → 2; 300 more modules changed",
  },
  "what is left of a report of another form": {
    given: { odoo: 18, seconds: "x", modules: [7, { name: "sale", to: "2" }] },
    want: "Upgraded with Odoo of an unknown version in 0 s: installed sale 2",
  },
};

for (const [sentence, { given, want }] of Object.entries(SENTENCES)) {
  Deno.test(`describeUpgrade() tells ${sentence}`, () => assertEquals(describeUpgrade(given), want));
}
