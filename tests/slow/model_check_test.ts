/**
 * Tier test:slow. The machine in a model of its world, with one trouble more than the unit test has: some 200,000 moments of
 * lives, and of each operation as many as two troubles lead to.
 */
import { assertEquals } from "@std/assert";
import type { Transition } from "../../src/odoo/machine/transitions.ts";
import { idleGuards, idleRows, type ModelSurvey, startsOf, surveyModel } from "../unit/odoo/machine/model_survey.ts";

const TROUBLES = 3;

const STARTS = startsOf(TROUBLES);
const LIVES = STARTS.filter(({ troubles }) => troubles === 0);
const OPERATIONS = STARTS.filter(({ troubles }) => troubles > 0).map(({ state }) => ({ state, troubles: 1 }));
const fired = new Set<Transition>();

function checkLaws(survey: ModelSurvey): void {
  for (const row of survey.fired) fired.add(row);
  assertEquals([...survey.broken].map(([law, { moments, first }]) => [law, moments, ...first]), []);
}

Deno.test(`slow: decide() holds its laws in every order of events with up to ${TROUBLES} troubles`, () => {
  checkLaws(surveyModel(TROUBLES, LIVES));
});

for (const [index, start] of OPERATIONS.entries()) {
  const { status: { phase }, requests } = start.state;
  const { name } = requests.at(-1) ?? {};
  Deno.test(`slow: decide() holds its laws in ${phase} when asked for ${name} (${index + 1}), with two troubles`, () => {
    checkLaws(surveyModel(TROUBLES, [start]));
  });
}

Deno.test("slow: TRANSITIONS has no row and uses no guard that nothing has fired, but those of migrations", () => {
  assertEquals([idleRows({ fired }), idleGuards({ fired })], [[], []]);
});
