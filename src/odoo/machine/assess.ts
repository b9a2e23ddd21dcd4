/** Computes every answer that a decision needs, once. Pure: the same world gives the same assessment. */
import type { Phase } from "../crd/mod.ts";
import type { Assessment } from "../model/assessment.ts";
import { factsOf } from "../model/facts.ts";
import { swapState } from "../model/operations/copy/copying.ts";
import { snapshotWork } from "../model/operations/copy/snapshot_step.ts";
import { operationOutcome } from "../model/operations/outcome.ts";
import { requestQueue } from "../model/operations/requests.ts";
import type { World } from "../model/world.ts";
import { adoptionState } from "../planners/adopting.ts";
import { MIGRATIONS } from "../planners/migrations/mod.ts";
import { type GuardInput, guards } from "./guards.ts";
import { SETTLED, type Transition, TRANSITIONS } from "./transitions.ts";

/** The world with all answers. */
export function assess(world: World): Assessment {
  const withFacts = { ...world, facts: factsOf(world) };
  const { filestore, database } = MIGRATIONS;
  const operation = {
    ...withFacts,
    adoption: adoptionState(withFacts),
    migration: MIGRATIONS.inProgress(world)?.outcome(withFacts) ?? { state: "none" } as const,
    snapshot: snapshotWork(world),
    swap: swapState(withFacts),
  };
  const withQueue = { ...operation, outcome: operationOutcome(operation), queue: requestQueue(withFacts) };
  const answered = {
    ...withQueue,
    migrations: { database: database.request(withQueue), filestore: filestore.request(withQueue) },
  };
  return { ...answered, ...phaseAfter(answered) };
}

/** The first row that leads out of the committed phase; a deleted instance stays in its phase. */
export function transitionOf(answered: GuardInput): Transition | undefined {
  if (answered.instance.metadata.deletionTimestamp) return undefined;
  return TRANSITIONS.find(({ from, when }) => from === answered.phase && guards[when](answered));
}

function phaseAfter(answered: GuardInput): Pick<Assessment, "change" | "nextPhase"> {
  const row = transitionOf(answered);
  if (!row) return { change: undefined, nextPhase: answered.phase };
  const to = row.to === "settled" ? settledPhase(answered) : row.to;
  return { change: { from: row.from, to, guard: row.when }, nextPhase: to };
}

function settledPhase(answered: GuardInput): Phase {
  return SETTLED.find(({ when }) => !when || guards[when](answered))?.to ?? answered.phase;
}
