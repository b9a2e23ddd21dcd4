/** The machine in a model of its world: whatever order things happen in, its laws hold. tests/slow goes further. */
import { assert, assertEquals } from "@std/assert";
import {
  CALM_LAWS,
  COMES_TO_REST,
  HAS_A_WAY_BACK,
  idleGuards,
  idleRows,
  MIGRATIONS,
  type ModelSurvey,
  MOMENT_LAWS,
  surveyModel,
  unreachedPhases,
} from "./model_survey.ts";

/** Troubles in one story. The slow test has one more. */
const TROUBLES = 2;

let walked: ModelSurvey | undefined;

function survey(): ModelSurvey {
  return walked ??= surveyModel(TROUBLES);
}

for (const law of [...Object.keys(MOMENT_LAWS), ...Object.keys(CALM_LAWS), COMES_TO_REST, HAS_A_WAY_BACK]) {
  Deno.test(`decide() ${law}, in every order of events with up to ${TROUBLES} troubles`, () => {
    const breach = survey().broken.get(law);
    assertEquals(breach, undefined, `broken in ${breach?.moments} moments; the first:\n${breach?.first.join("\n")}`);
  });
}

Deno.test("TRANSITIONS has no row and uses no guard that nothing can fire, but those of migrations", () => {
  assertEquals([idleRows(survey()), idleGuards(survey())], [[], []]);
});

Deno.test("PHASES are all reached, but those of migrations", () => {
  assertEquals(unreachedPhases(survey()).sort(), MIGRATIONS);
});

Deno.test("the model is no toy: it holds more moments than a person would think of", () => {
  assert(survey().moments.length > 10_000, `${survey().moments.length} moments`);
});
