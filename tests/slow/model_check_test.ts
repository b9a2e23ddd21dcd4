/** Tier test:slow. The machine in a model of its world, with one trouble more than the unit test has: some 200,000 moments. */
import { assertEquals } from "@std/assert";
import { idleGuards, idleRows, surveyModel } from "../unit/odoo/machine/model_survey.ts";

const TROUBLES = 3;

Deno.test(`slow: decide() holds its laws in every order of events with up to ${TROUBLES} troubles`, () => {
  const survey = surveyModel(TROUBLES);
  assertEquals([...survey.broken].map(([law, { moments, first }]) => [law, moments, ...first]), []);
  assertEquals([idleRows(survey), idleGuards(survey)], [[], []]);
});
