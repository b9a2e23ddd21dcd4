/**
 * What holds for every operation, on the real control plane: who is told, what a Job is worth that somebody deletes, whose
 * turn it is and when, that a stopped instance stays stopped, and that nothing changes places under a pod that still ends.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { conditionOf, Event, Job, Pod, type Stored } from "../../src/kit/mod.ts";
import type { JobRequest, OdooInstance } from "../../src/odoo/crd/mod.ts";
import { databaseName, INSTANCE_LABEL, JOB_LABEL, OUTCOME_FINALIZER } from "../../src/odoo/model/names.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import type { Outcome } from "../../dev/odoo_jobs.ts";
import { eventually } from "../support/eventually.ts";
import { startHistory } from "../support/history.ts";
import {
  MARK,
  NAME,
  type OperationName,
  OPERATIONS,
  OperationStage,
  type StateOf,
  type Trial,
} from "../support/operation_stage.ts";
import { type Rig, startRig } from "../support/rig.ts";

let rig: Rig;
let stage: OperationStage;
/** By container; without an entry all goes well. */
const outcomes = new Map<string, Outcome>();
/** Names of the Jobs whose pods have started, once for each pod. */
const started: string[] = [];

Deno.test.beforeAll(async () => {
  rig = await startRig({ jobs: { delayMs: 50, outcomeOf } });
  stage = new OperationStage(rig, await rig.namespace());
  await stage.build();
});
Deno.test.beforeEach(() => outcomes.clear());
Deno.test.afterAll(() => rig?.stop());

/** Called once for each pod that starts. */
function outcomeOf({ metadata: { labels }, spec }: Stored<Pod>): Outcome | undefined {
  if (labels?.[INSTANCE_LABEL] !== NAME) return undefined;
  started.push(labels[JOB_LABEL] ?? "");
  return outcomes.get(spec?.containers[0]?.name ?? "");
}

function isRunning({ phase }: NonNullable<JobRequest["status"]>): boolean {
  return phase === "Running";
}

/** That a request is told that it waits, and why. */
function waits(reason: string, message: RegExp): StateOf<JobRequest> {
  return {
    what: `waits (${reason})`,
    isSo: ({ phase, conditions }) => {
      const told = conditionOf(conditions, "Succeeded");
      return phase === "Pending" && told?.reason === reason && message.test(told.message);
    },
  };
}

const HAS_ENDED: StateOf<JobRequest> = {
  what: "has ended",
  isSo: ({ phase }) => phase === "Completed" || phase === "Failed",
};

/** As the status has it, in milliseconds since the epoch. */
function instant(text: string | null | undefined): number {
  return Date.parse(`${text?.replace(" ", "T")}Z`);
}

/** Events on the request and on the instance about it, but for changes of phase. */
async function toldOf({ id }: Trial): Promise<readonly string[]> {
  const { items } = await rig.client.list(Event, { namespace: stage.namespace });
  const about = items.filter(({ regarding, note = "" }) => regarding?.name === id || note.includes(` ${id}: `));
  return about.map(({ regarding, type, reason }) => `${regarding?.kind}: ${type} ${reason}`).sort();
}

const ENDS: Readonly<
  Record<string, { readonly operation: OperationName; readonly failing?: string; readonly want: readonly string[] }>
> = {
  "an upgrade that succeeds": { operation: "upgrade", want: ["Normal UpgradeCompleted", "Normal UpgradeStarted"] },
  "a backup that succeeds": { operation: "backup", want: ["Normal BackupCompleted", "Normal BackupStarted"] },
  "a restore that fails": {
    operation: "restore",
    failing: "restore",
    want: ["Normal RestoreStarted", "Warning RestoreFailed"],
  },
};

Deno.test("the events of a beginning and of an end are on the request and on the instance", async (t) => {
  for (const [sentence, { operation, failing, want }] of Object.entries(ENDS)) {
    await t.step(sentence, async () => {
      if (failing) outcomes.set(failing, { exitCode: 1, message: '{"ok":false,"error":"It went wrong"}' });
      const trial = await stage.ask(operation);
      await stage.ended(trial);
      const { kind } = OPERATIONS[operation].kind ?? OdooInstanceKind;
      await eventually("all is told", async () => {
        const both = ["OdooInstance", kind].flatMap((about) => want.map((told) => `${about}: ${told}`));
        assertEquals(await toldOf(trial), both.sort());
        return true;
      });
    });
  }
});

for (const [operation, container] of Object.entries({ upgrade: "upgrade", backup: "backup", restore: "restore" })) {
  Deno.test(`the Job of an operation (${operation}) that a person deletes fails the request, and is not made again`, async () => {
    outcomes.set(container, { delayMs: 60_000 });
    const trial = await stage.ask(operation as OperationName);
    const { namespace } = stage;
    const { metadata: { uid } } = await stage.request(trial, { what: "is at work", isSo: isRunning });
    const jobs = (await rig.client.list(Job, { namespace })).items.filter(({ metadata }) =>
      metadata.ownerReferences?.some((owner) => owner.uid === uid)
    );
    assertEquals(jobs.map(({ metadata }) => metadata.finalizers), [[OUTCOME_FINALIZER]]);
    const name = jobs[0]?.metadata.name ?? "";
    await eventually(`the pod of ${name} works`, () => started.includes(name));
    await rig.client.patch(Job, { namespace, name }, [{ op: "remove", path: "/metadata/finalizers" }]);
    await rig.client.delete(Job, { namespace, name });
    const phase = await stage.ended(trial);
    const { status } = await stage.request(trial, HAS_ENDED);
    assertEquals([phase, conditionOf(status?.conditions, "Succeeded")?.reason, status?.message], [
      "Failed",
      "JobDeleted",
      `Job ${name} was deleted before its result could be read`,
    ]);
    await stage.checkData(trial, phase);
    assertEquals(started.filter((job) => job.startsWith(`${trial.id}-${uid.slice(0, 8)}`)), [name]);
  });
}

Deno.test("an upgrade whose time comes during a restore says for whom it waits, and then runs", async () => {
  outcomes.set("prepare", { delayMs: 8_000 });
  const restore = await stage.ask("restore");
  await stage.instance({ what: "is prepared", isSo: ({ operation }) => operation?.stage === "prepare" });
  const due = Date.now() + 2_000;
  const upgrade = await stage.ask("upgrade", { scheduledTime: new Date(due).toISOString() });
  await stage.request(upgrade, waits("Scheduled", /^Waiting for 20\d\d-/));
  await stage.request(upgrade, waits("Waiting", new RegExp(`^Waiting for OdooRestoreJob ${restore.id} to end$`)));
  assert(Date.now() >= due, "it waited for the restore before its time");
  assertEquals(await stage.ended(upgrade), "Completed");
  const [first, second] = await Promise.all([stage.request(restore, HAS_ENDED), stage.request(upgrade, HAS_ENDED)]);
  assertEquals(first.status?.phase, "Completed");
  assert(instant(first.status?.completionTime) <= instant(second.status?.startTime), "both were at work");
  await stage.checkData(restore, "Completed");
});

Deno.test("a scheduled upgrade runs once, at its time, when the operator was killed before that", async () => {
  const due = Date.now() + 12_000;
  const trial = await stage.ask("upgrade", { scheduledTime: new Date(due).toISOString() });
  await stage.request(trial, waits("Scheduled", /^Waiting for 20\d\d-/));
  await rig.kill();
  await rig.start();
  assert(Date.now() < due, "the operator came too late to show anything");
  assertEquals(await stage.ended(trial), "Completed");
  const { status } = await stage.request(trial, HAS_ENDED);
  const lateMs = instant(status?.startTime) - due; // the status has whole seconds
  assert(lateMs > -1_000 && lateMs < 5_000, `begun ${lateMs} ms after its time`);
  assertEquals(started.filter((job) => job === status?.jobName), [status?.jobName]);
});

const STOPPED: StateOf<OdooInstance> = {
  what: "is stopped",
  isSo: ({ phase, operation }) => phase === "Stopped" && !operation,
};

for (const [operation, phase] of [["restore", "Restoring"], ["refresh", "CloningFromSource"]] as const) {
  Deno.test(`a ${operation} replaces the data of a stopped instance, which stays stopped`, async () => {
    const { namespace } = stage;
    await scale(0);
    await stage.instance(STOPPED);
    await eventually("no pod is left", async () => !(await podsOf(NAME, `${NAME}-cron`)).length);
    await using history = await startHistory(rig.client, namespace);
    const trial = await stage.ask(operation);
    const { status } = await stage.request(trial, HAS_ENDED);
    assertEquals(status?.phase, "Completed", status?.message ?? "");
    await stage.instance(STOPPED);
    await history.upToDate();
    assertEquals([history.replicas(NAME), history.replicas(`${NAME}-cron`)], [[0], [0]]);
    assertEquals(history.phases(NAME), ["Stopped", phase, "Stopped"]);
    assertEquals(await podsOf(NAME, `${NAME}-cron`), []);
    await scale(1);
    await rig.inPhase(namespace, NAME, "Running");
    await stage.checkData(trial, "Completed"); // the former data is kept until the new one is served
  });
}

function scale(replicas: number): Promise<unknown> {
  const patch = [{ op: "add", path: "/spec/replicas", value: replicas }] as const;
  return rig.client.patch(OdooInstanceKind, { namespace: stage.namespace, name: NAME }, patch);
}

async function podsOf(...apps: readonly string[]): Promise<readonly Stored<Pod>[]> {
  const { namespace } = stage;
  return (await rig.client.list(Pod, { namespace, labelSelector: `app in (${apps.join()})` })).items;
}

Deno.test("a restore waits for a pod that does not end, names it and its node, and goes on when it is gone", async () => {
  const { namespace } = stage;
  const [pod] = await podsOf(NAME);
  assert(pod?.spec?.nodeName);
  const { name, uid } = pod.metadata;
  await rig.client.patch(Pod, { namespace, name }, [
    { op: "add", path: "/metadata/finalizers", value: ["example.com/dead-node"] },
  ]);
  const trial = await stage.ask("restore");
  const instance = await stage.instance({
    what: "says which pod it waits for",
    isSo: ({ conditions }) => conditionOf(conditions, "Ready")?.reason === "PodsEnding",
  });
  const { message = "" } = conditionOf(instance.status?.conditions, "Ready") ?? {};
  assertStringIncludes(
    message,
    `Waiting for pod ${name} on node ${pod.spec.nodeName} to terminate. The operator never force-deletes it`,
  );
  assertEquals([instance.status?.message, instance.status?.operation?.stage], [message, "swap"]);
  const { status } = await stage.request(trial, { what: "is at work", isSo: isRunning });
  assertMatch(conditionOf(status?.conditions, "Succeeded")?.message ?? "", /swap: waiting for all pods to end/);
  const select = "SELECT value FROM ir_config_parameter WHERE key = $1";
  const [row] = await rig.sql(select, [MARK], databaseName(instance, instance.metadata.uid));
  assertEquals(row?.value, `before ${trial.id}`, "the databases have changed places under the pod");
  assertEquals((await podsOf(NAME)).map(({ metadata }) => metadata.uid), [uid]);
  await rig.client.patch(Pod, { namespace, name }, [{ op: "remove", path: "/metadata/finalizers" }]);
  assertEquals(await stage.ended(trial), "Completed");
  await stage.checkData(trial, "Completed");
});
