import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { OdooUpgradeJobSpec } from "../../../../../src/odoo/crd/mod.ts";
import { upgradeProblem } from "../../../../../src/odoo/model/operations/upgrade_request.ts";
import { anUpgradeJob, type Overrides } from "../../../../support/builders.ts";

const judged = (spec: Overrides<OdooUpgradeJobSpec>) => upgradeProblem(anUpgradeJob({ spec }));

const TIMES: Readonly<Record<string, { readonly given: string; readonly want: number }>> = {
  "in UTC": { given: "2026-11-21T02:00:00Z", want: Date.UTC(2026, 10, 21, 2) },
  "with an offset": { given: "2026-11-21T02:00:00-05:30", want: Date.UTC(2026, 10, 21, 7, 30) },
  "with fractions of a second": { given: "2026-11-21T02:00:00.123456789Z", want: Date.UTC(2026, 10, 21, 2, 0, 0, 123) },
  "in small letters": { given: "2026-11-21t02:00:00z", want: Date.UTC(2026, 10, 21, 2) },
  "with a space": { given: "2026-11-21 02:00:00Z", want: Date.UTC(2026, 10, 21, 2) },
  "on a leap day": { given: "2028-02-29T00:00:00Z", want: Date.UTC(2028, 1, 29) },
};

for (const [sentence, { given, want }] of Object.entries(TIMES)) {
  Deno.test(`upgradeProblem() tells the moment when it is written ${sentence}`, () => {
    assertEquals(judged({ scheduledTime: given }), { notBefore: want });
  });
}

Deno.test("upgradeProblem() sets no time when none is given", () => {
  for (const scheduledTime of [undefined, null, ""]) assertEquals(judged({ scheduledTime }), {});
});

for (
  const text of [
    "tomorrow",
    "2026-11-21",
    "2026-11-21T02:00:00",
    "2026-11-21T02:00Z",
    "2026-02-30T02:00:00Z",
    "2026-13-01T02:00:00Z",
    "2026-11-21T24:00:00Z",
    "2026-11-21T02:60:00Z",
    "2026-11-21T02:00:00+99:00",
    "1795226400",
    "Sat, 21 Nov 2026 02:00:00 GMT",
    " 2026-11-21T02:00:00Z\n",
  ]
) {
  Deno.test(`upgradeProblem() refuses the scheduledTime ${JSON.stringify(text)}`, () => {
    const { problem } = judged({ scheduledTime: text });
    assertEquals(problem?.reason, "ScheduledTimeInvalid");
    assertStringIncludes(problem?.message ?? "", JSON.stringify(text));
  });
}

for (const name of ["", "sale,crm", "--init", "sale crm", "sale\n", "../sale", "$(id)", "süß", "a".repeat(129)]) {
  Deno.test(`upgradeProblem() refuses the module ${JSON.stringify(name.slice(0, 20))}, wherever it stands`, () => {
    for (const field of ["modules", "modulesInstall"] as const) {
      const { problem } = judged({ [field]: ["sale", name] });
      assertEquals(problem?.reason, "ModuleNameInvalid");
      assert(problem?.message.startsWith(`spec.${field} has `) && problem.message.length < 300, problem?.message);
    }
  });
}

Deno.test("upgradeProblem() wants a module to update or to install", () => {
  assertEquals(judged({ modules: [], modulesInstall: [] }).problem?.reason, "NoModules");
  assertEquals(judged({ modules: undefined }).problem?.reason, "NoModules");
  assertEquals(judged({ modules: undefined, modulesInstall: ["CRM_2"] }), {});
});
