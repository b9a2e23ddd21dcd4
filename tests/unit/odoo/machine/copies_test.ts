/** Copies that meet with misfortune: what the test model has found, one by one. */
import { assertEquals, assertMatch } from "@std/assert";
import { explain } from "../../../../src/odoo/machine/conditions.ts";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import { unwantedApps } from "../../../../src/odoo/model/pods/ending_pods.ts";
import { copyNames, databaseName, operationJobName, stepJobName } from "../../../../src/odoo/model/names.ts";
import { assess } from "../../../../src/odoo/machine/assess.ts";
import type { Plan } from "../../../../src/odoo/model/plan.ts";
import {
  aBatchJob,
  anAddress,
  anInitJob,
  anInstance,
  anUpgradeJob,
  aRefreshJob,
  aRestoreJob,
  aSource,
  aWorld,
  oneJob,
  ownedFacts,
  type WorldOverrides,
} from "../../../support/builders.ts";
import { flattened } from "../../../support/flat_effects.ts";

const RESTORE = aRestoreJob();
const REFRESH = aRefreshJob();
const LIVE = databaseName(anInstance(), anInstance().metadata.uid);
const { side: SIDE, old: OLD } = copyNames(LIVE, RESTORE.metadata.uid);

function operationAt(step: string, { kind, metadata: { name, uid } } = RESTORE as typeof RESTORE | typeof REFRESH) {
  const jobName = step === "swap" ? {} : { jobName: stepJobName({ name, uid }, step) };
  return { kind: kind ?? "OdooRestoreJob", name, uid, stage: step, attempt: 1, ...jobName } as const;
}

function databases(...names: readonly string[]): Pick<WorldOverrides, "cluster"> {
  const facts = ownedFacts();
  const [database] = facts.databases.values();
  if (!database) throw new TypeError("The builder makes no database");
  const map = new Map(names.map((name) => [name, { ...database, name }]));
  return { cluster: { address: anAddress(), facts: { ...facts, databases: map } } };
}

/** What is created, by kind. */
function created({ effects }: Plan) {
  return effects.flatMap((effect) => effect.type === "create" ? [effect.object.metadata?.name] : []);
}

Deno.test("decide() keeps what a copy has replaced when the copy itself is lost", () => {
  assertEquals(created(decide(aWorld(databases(LIVE, OLD)))), [`shop-clean-old-${OLD.slice(-8)}`]);
  assertEquals(created(decide(aWorld(databases(OLD)))), []);
});

Deno.test("decide() removes nothing that the pod of a lost Job may still write to", () => {
  const jobName = stepJobName(RESTORE.metadata, "load");
  const world = aWorld({ ...databases(LIVE, SIDE), observed: { jobsWithPods: new Set([jobName]) } });
  assertEquals(created(decide(world)), []);
  assertEquals(created(decide(aWorld(databases(LIVE, SIDE)))), [`shop-clean-new-${SIDE.slice(-8)}`]);
});

Deno.test("decide() makes no second Job while the last pod of a lost one works", () => {
  const jobName = stepJobName(RESTORE.metadata, "load");
  const world = (jobsWithPods: ReadonlySet<string>) =>
    aWorld({
      ...databases(LIVE, SIDE),
      phase: "Restoring",
      status: { operation: operationAt("load") },
      observed: { requests: [RESTORE], jobsWithPods },
    });
  assertEquals(created(decide(world(new Set()))), [jobName]);
  assertEquals(created(decide(world(new Set([jobName])))), []);
});

Deno.test("decide() removes no former files when the request is gone and all is to be put back", () => {
  const move = operationAt("move");
  const job = oneJob(aBatchJob(move.jobName ?? "", RESTORE), { state: "succeeded", message: "" });
  const world = (requests: readonly typeof RESTORE[]) =>
    aWorld({ ...databases(LIVE), phase: "Restoring", status: { operation: move }, observed: { requests, ...job } });
  assertEquals(created(decide(world([RESTORE]))), [`shop-clean-old-${OLD.slice(-8)}`]);
  assertEquals(created(decide(world([]))), []);
});

Deno.test("decide() makes no empty database while a copy takes the place of nothing", () => {
  const ensured = (step: string) => {
    const status = { dbInitialized: false, operation: operationAt(step) };
    const observed = { requests: [RESTORE], web: undefined, cron: undefined };
    const { effects } = decide(aWorld({ ...databases(OLD), phase: "Restoring", status, observed }));
    return flattened(effects).flatMap((effect) => effect.type === "ensureDatabase" ? [effect.database] : []);
  };
  assertEquals([ensured("load"), ensured("move")], [[LIVE, SIDE], []]);
});

Deno.test("decide() makes no empty database in the place of one that a Job has just filled", () => {
  const cr = anInitJob({ status: { phase: "Running", jobName: "filled" } });
  const operation = {
    kind: "OdooInitJob",
    name: cr.metadata.name,
    uid: cr.metadata.uid,
    jobName: "filled",
    attempt: 1,
  };
  const plan = (state: "active" | "succeeded") => {
    const job = oneJob(aBatchJob("filled", cr), { state, message: "" });
    const status = { dbInitialized: false, operation };
    return decide(aWorld({ ...databases(), phase: "Initializing", status, observed: { requests: [cr], ...job } }));
  };
  const ensures = ({ effects }: Plan) => flattened(effects).some(({ type }) => type === "ensureDatabase");
  assertEquals([ensures(plan("active")), ensures(plan("succeeded"))], [true, false]);
});

Deno.test("operationOutcome() is what a closed request says, though the Job of its last step is gone", () => {
  const outcome = (step: string, phase: "Completed" | "Failed") => {
    const cr = aRestoreJob({ status: { phase } });
    const status = { operation: operationAt(step) };
    return assess(aWorld({ phase: "Restoring", status, observed: { requests: [cr] } })).outcome.state;
  };
  assertEquals([outcome("move", "Completed"), outcome("return", "Failed")], ["succeeded", "failed"]);
});

Deno.test("operationOutcome() is a failure when a refresh has lost what it copies", () => {
  for (const step of ["database", "files"]) {
    const world = (sources: ReadonlyMap<string, ReturnType<typeof aSource>>) =>
      aWorld({
        phase: "CloningFromSource",
        status: { operation: operationAt(step, REFRESH) },
        observed: { requests: [REFRESH], sources },
      });
    assertEquals(assess(world(new Map([["live", aSource()]]))).outcome, { state: "running" });
    const lost = assess(world(new Map())).outcome;
    assertEquals([lost.state, "reason" in lost && lost.reason], ["failed", "SourceMissing"], step);
  }
});

/** A refresh whose copy is to begin, as far as it has been told, with its source in a phase. */
function reading(progress: "told" | "untold", phase: "Running" | "Upgrading") {
  const status = { phase: "Running", ...(progress === "told" ? { progress: { step: "database" } } : {}) } as const;
  const cr = aRefreshJob({ status });
  const { side } = copyNames(LIVE, cr.metadata.uid);
  return decide(aWorld({
    ...databases(LIVE, side),
    phase: "CloningFromSource",
    status: { operation: operationAt("database", cr) },
    observed: { requests: [cr], sources: new Map([["live", aSource({ status: { phase } })]]) },
  }));
}

function toldOf({ effects }: Plan) {
  return effects.flatMap((effect) => effect.type === "jobStatus" ? [effect.status] : []);
}

Deno.test("decide() lets a refresh say that it reads its source before it does", () => {
  const [before, after] = [reading("untold", "Running"), reading("told", "Running")];
  assertEquals([created(before), created(after).length], [[], 1]);
  assertEquals(toldOf(before).map(({ phase, progress }) => [phase, progress?.step]), [["Running", "database"]]);
});

Deno.test("decide() lets a refresh step back when something has begun at its source meanwhile", () => {
  const plan = reading("told", "Upgrading");
  assertEquals(created(plan), []);
  assertEquals(toldOf(plan).map(({ progress, conditions }) => [progress, conditions?.[0]?.reason]), [
    [undefined, "SourceBusy"],
  ]);
  assertEquals(toldOf(reading("untold", "Upgrading")).map(({ progress }) => progress), [undefined]);
});

Deno.test("decide() makes no Job of an upgrade while a refresh reads that has said so before", () => {
  const cr = anUpgradeJob();
  const { name, uid } = cr.metadata;
  const jobName = operationJobName(cr, uid);
  const upgrading = (copiedBy: readonly typeof REFRESH[]) =>
    decide(aWorld({
      phase: "Upgrading",
      status: { operation: { kind: "OdooUpgradeJob", name, uid, jobName, attempt: 1 } },
      observed: { requests: [cr], endingPods: [], copiedBy },
    }));
  const reader = aRefreshJob({ status: { phase: "Running", progress: { step: "database" } } });
  assertEquals([created(upgrading([])), created(upgrading([reader]))], [[jobName], []]);
});

Deno.test("decide() removes the files of a copy whose database is lost when all is put back", () => {
  const back = operationAt("return");
  const cr = aRestoreJob({ status: { phase: "Running" } });
  const job = oneJob(aBatchJob(back.jobName ?? "", cr), { state: "succeeded", message: "" });
  const world = (...names: readonly string[]) =>
    aWorld({
      ...databases(...names),
      phase: "Restoring",
      status: { operation: back },
      observed: { requests: [cr], ...job },
    });
  const removed = (world: ReturnType<typeof aWorld>) => created(decide(world));
  assertEquals(removed(world(LIVE)), [`shop-clean-new-${SIDE.slice(-8)}`]);
  assertEquals(removed(world(LIVE, SIDE)), []); // planLeftovers() finds them
  assertEquals(removed(world(OLD)), []); // not put back yet
  assertEquals(assess(world(OLD)).outcome.state, "running");
});

Deno.test("explain() says who has to help when the last way back has failed, and its Job is made again when it is deleted", () => {
  const cr = aRestoreJob({ status: { phase: "Running" } });
  const { name, uid } = cr.metadata;
  const back = (attempt: number) => {
    const jobName = stepJobName({ name, uid }, "return", attempt);
    return { ...operationAt("return"), attempt, jobName };
  };
  const world = (
    attempt: number,
    job = oneJob(aBatchJob(back(attempt).jobName, cr), { state: "failed", message: "" }),
  ) =>
    aWorld({
      ...databases(LIVE, SIDE),
      phase: "Restoring",
      status: { operation: back(attempt) },
      observed: { requests: [cr], ...job },
    });
  const reasonAt = (attempt: number) => explain(assess(world(attempt))).reason;
  assertEquals([reasonAt(4), reasonAt(5)], ["Restoring", "ReturnFailed"]);
  assertMatch(explain(assess(world(5))).message, /after 5 attempts.*delete Job \S+-return/);
  const none = { jobs: [], jobStates: new Map() };
  assertEquals([created(decide(world(5))), created(decide(world(5, none)))], [[], [back(5).jobName]]);
});

Deno.test("unwantedApps() names pods whose Deployment somebody has deleted", () => {
  const world = (dbInitialized: boolean) =>
    aWorld({
      phase: "Restoring",
      status: { dbInitialized, operation: operationAt("swap") },
      observed: { requests: [RESTORE], web: undefined, cron: undefined },
    });
  assertEquals(unwantedApps(world(true)), ["shop", "shop-cron"]);
  assertEquals(unwantedApps(world(false)), []); // it never had any
});
