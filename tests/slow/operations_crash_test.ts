/**
 * Tier test:slow. SIGKILL of the operator before and after each of its writes, to the API server and to PostgreSQL, during
 * an upgrade, a backup, a restore, a refresh and both migrations, and the end of the Job's pod in each step, deleted or with
 * exit code 137. The operation must come to the end that it would have come to, no Job may start twice that must not, and
 * no data may be lost.
 *
 * Several operators share the cluster, each with a namespace of its own (tests/support/isolated_operator.ts).
 */
import { assert, assertEquals } from "@std/assert";
import { messageOf, pause, Pod, type Stored } from "../../src/kit/mod.ts";
import { JOB_LABEL } from "../../src/odoo/model/names.ts";
import { type RequestFault, type SeenRequest, WRITE_VERBS } from "../../dev/fault_proxy.ts";
import { bundleOperator, LIKE_COMPILED } from "../../dev/bench/bundle.ts";
import { prepareForOperator, writeClustersSecret } from "../../dev/operator.ts";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import { elapsedText, type Progress, stderrProgress } from "../../dev/progress.ts";
import type { Outcome } from "../../dev/odoo_jobs.ts";
import { type IsolatedOperator, startIsolatedOperator, writesIn } from "../support/isolated_operator.ts";
import { type OperationName, OPERATIONS, OperationStage } from "../support/operation_stage.ts";
import { type Rig, startRig } from "../support/rig.ts";
import { type SqlProxy, SqlWrites, startSqlProxy } from "../support/sql_proxy.ts";

const OPERATORS = 2;
const LEAST_POINTS = 20;
/** A write that follows late may come when the operation has ended already. */
const SPARE_POINTS = 8;
/** From so many on, an operation is struck on one side of each only. */
const MANY_WRITES = 30;
const QUIET_MS = 400;
const IDLE_MS = 60_000;
/** Steps that come to the same end however often they are begun. */
const REPEATABLE = /-(move|return|clean-\w+)(-\w+)?$/;

type PodEnd = "deleted" | "exit 137";

/** What is killed, and when. */
type Point =
  | { readonly type: "killBefore" | "killAfter"; readonly nth: number; readonly again: boolean }
  | { readonly type: "killBefore" | "killAfter"; readonly sql: number }
  | { readonly type: PodEnd; readonly step: string };

interface Verdict {
  readonly name: string;
  /** False if the operation had ended before. */
  readonly struck: boolean;
  readonly wrong?: string;
  readonly doubleRuns: readonly string[];
}

let rig: Rig;
let other: PostgresServer;
let stages: {
  readonly operator: IsolatedOperator;
  readonly stage: OperationStage;
  readonly sql: SqlWrites;
  readonly proxies: readonly SqlProxy[];
}[];
/** Names of the pods that have started, by namespace and Job. */
const started = new Map<string, string[]>();
/** What befalls the next pod of a step, by namespace and step. */
const strikes = new Map<string, PodEnd>();
const progress: Progress = stderrProgress();
const startedMs = performance.now();
const totals = { points: 0, wrongEnds: 0, doubleRuns: 0, losses: 0 };

Deno.test.beforeAll(async () => {
  rig = await startRig({ bare: true, jobs: { delayMs: 50, outcomeOf: fateOf } });
  await prepareForOperator(rig.client, rig.cluster);
  other = await startPostgres();
  const seats = Array.from({ length: OPERATORS }, (_, index) => {
    const writes = new SqlWrites();
    const clusters = new Map([[`here-${index}`, rig.cluster.postgres], [`there-${index}`, other]]);
    const proxies = new Map([...clusters].map(([name, server]) => [name, startSqlProxy(server, writes)]));
    return { writes, clusters, proxies };
  });
  const entries = seats.flatMap(({ clusters, proxies }) =>
    [...proxies].map(([name, { host, port }]) => {
      const { adminUser, adminPassword } = clusters.get(name) ?? other;
      return [name, { host, port, adminUser, adminPassword }] as const;
    })
  );
  await writeClustersSecret(rig.client, rig.cluster, Object.fromEntries(entries));
  // It starts faster than the source, and is the same throughout, whatever happens to that or to the folder of bundles.
  await bundleOperator();
  const folder = `${rig.cluster.directory}/operator`;
  await Deno.mkdir(folder);
  for await (const { name } of Deno.readDir("dist")) {
    if (name.endsWith(".js")) await Deno.copyFile(`dist/${name}`, `${folder}/${name}`);
  }
  const command = [...LIKE_COMPILED, `${folder}/main.js`];
  stages = await Promise.all(seats.map(async ({ writes, clusters, proxies }, index) => {
    const operator = await startIsolatedOperator(rig.cluster, `ops-${index}-`, { command });
    const stage = new OperationStage(rig, `${operator.prefix}home`, clusters);
    await stage.build();
    return { operator, stage, sql: writes, proxies: [...proxies.values()] };
  }));
});
Deno.test.afterAll(async () => {
  progress(JSON.stringify(totals));
  await Promise.all(stages.map(({ operator }) => operator[Symbol.asyncDispose]()));
  await rig?.stop();
  await Promise.all(stages.flatMap(({ proxies }) => proxies.map((proxy) => proxy[Symbol.asyncDispose]())));
  await other?.[Symbol.asyncDispose]();
});

/** Called once for each pod that starts. */
function fateOf({ metadata: { namespace = "", name, labels } }: Stored<Pod>): Outcome | undefined {
  const job = labels?.[JOB_LABEL] ?? "";
  const key = `${namespace} ${job}`;
  started.set(key, [...started.get(key) ?? [], name]);
  const step = /-(load|migrate-database|database|files|prepare|move|copy|compare)(-\d+)?$/.exec(job)?.[1] ?? "";
  const strike = strikes.get(`${namespace} ${step}`);
  if (!strike || REPEATABLE.test(job) && step !== "move") return undefined;
  strikes.delete(`${namespace} ${step}`);
  if (strike === "deleted") void rig.client.delete(Pod, { namespace, name });
  return { exitCode: 137, reason: "Error", delayMs: strike === "deleted" ? 1_000 : 50 };
}

/** Jobs of an operation that have started more often than they may. */
function doubleRunsOf(namespace: string, jobs: string): string[] {
  return [...started].flatMap(([key, pods]) =>
    key.startsWith(`${namespace} ${jobs}`) && pods.length > 1 && !REPEATABLE.test(key) ? [`${key}: ${pods}`] : []
  );
}

/** One operation with one death in it. */
async function tryOne(
  { operator, stage, sql }: typeof stages[number],
  operation: OperationName,
  point: Point,
): Promise<Verdict> {
  const { namespace } = stage;
  const name = `${operation}: ${nameOf(point)}`;
  let isStruck = () => !strikes.has(`${namespace} ${"step" in point ? point.step : ""}`);
  let remove = () => {};
  let wanted = "Completed";
  if ("step" in point) {
    strikes.set(`${namespace} ${point.step}`, point.type);
    wanted = "Failed";
  } else if ("sql" in point) {
    const side = point.type === "killBefore" ? "before" : "after";
    const strike = sql.onWrite({ nth: point.sql, side, strike: () => operator.crash() });
    isStruck = () => strike.struck;
    remove = () => strike.remove();
  } else {
    const fault = (hits: number): RequestFault & { readonly hits: number } => ({
      type: point.type,
      hits,
      kill: () => operator.crash(),
    });
    const match = { verb: WRITE_VERBS, path: writesIn(namespace) };
    const rules = [point.nth, ...(point.again ? [point.nth + 1] : [])].map((hits) =>
      operator.proxy.onRequest({ ...match, hits }, fault(hits))
    );
    isStruck = () => rules.every(({ strikes }) => strikes > 0);
    remove = () => rules.forEach((rule) => rule.remove());
  }
  let wrong: string | undefined;
  let jobs: string | undefined;
  try {
    const trial = await stage.ask(operation);
    ({ jobs } = trial);
    const phase = await stage.ended(trial);
    remove();
    if (isStruck() || !("step" in point)) assertEquals(phase, wanted);
    await stage.checkData(trial, phase).catch((error) => {
      totals.losses++;
      throw error;
    });
    await operator.readyAtMs();
    await operator.quiet(namespace, QUIET_MS);
  } catch (error) {
    wrong = messageOf(error);
    await operator.readyAtMs().catch(() => operator.start()); // one that did not come up after a crash is told above
  }
  remove();
  const struck = isStruck();
  if ("step" in point) strikes.delete(`${namespace} ${point.step}`);
  const doubleRuns = jobs === undefined ? [] : doubleRunsOf(namespace, jobs);
  return { name, struck, doubleRuns, ...(wrong === undefined ? {} : { wrong }) };
}

/**
 * Both sides of each write, and until there are enough, the same with a second death at the write behind it. Of many writes
 * one side each, in turns: behind one is before the next.
 */
function pointsOf(operation: OperationName, writes: number, sqlWrites: number): Point[] {
  const sides = ["killBefore", "killAfter"] as const;
  const all = [false, true].flatMap((again) =>
    Array.from({ length: writes }, (_, index) => sides.map((type) => ({ type, nth: index + 1, again }))).flat()
  );
  const deaths = OPERATIONS[operation].steps.flatMap((step) =>
    (["deleted", "exit 137"] as const).map((type) => ({ type, step }))
  );
  const chosen = writes < MANY_WRITES
    ? all.slice(0, Math.max(2 * writes, LEAST_POINTS + SPARE_POINTS))
    : all.slice(0, 2 * writes)
      .filter((_, index) => index % 4 === 0 || index % 4 === 3);
  const inSql = Array.from({ length: sqlWrites }, (_, index) => sides.map((type) => ({ type, sql: index + 1 }))).flat();
  return [...chosen, ...inSql, ...deaths];
}

function nameOf(point: Point): string {
  if ("step" in point) return `pod of ${point.step || "the Job"} ${point.type}`;
  if ("sql" in point) return `${point.type} SQL write ${point.sql}`;
  return `${point.type} write ${point.nth}${point.again ? " and again" : ""}`;
}

function wordsOf({ verb, path }: SeenRequest): string {
  return `${verb} ${path.replace(/^.*\/namespaces\/[^/]+\//, "")}`;
}

interface Writes {
  readonly api: readonly string[];
  readonly sql: readonly string[];
}

/** The writes of an operation that nobody disturbs: of the second one, as the first clears away what others have left. */
async function writesOf(operation: OperationName): Promise<Writes> {
  const [first] = stages;
  assert(first);
  await writesOfOne(first, operation);
  return await writesOfOne(first, operation);
}

async function writesOfOne(
  { operator, stage, sql }: typeof stages[number],
  operation: OperationName,
): Promise<Writes> {
  await operator.quiet(stage.namespace, QUIET_MS);
  const sinceMs = performance.now();
  const trial = await stage.ask(operation);
  const phase = await stage.ended(trial);
  await stage.checkData(trial, phase);
  await operator.quiet(stage.namespace, QUIET_MS);
  assertEquals([phase, doubleRunsOf(stage.namespace, trial.jobs)], ["Completed", []]);
  return { api: operator.writes(stage.namespace, sinceMs).map(wordsOf), sql: sql.since(sinceMs) };
}

for (const operation of Object.keys(OPERATIONS) as OperationName[]) {
  Deno.test(`slow: a killed operator or pod changes the end of no ${operation}, and nothing runs twice`, async () => {
    const writes = await writesOf(operation);
    progress(`${operation}: ${writes.api.length} writes: ${writes.api.join(", ")}`);
    progress(`${operation}: ${writes.sql.length} SQL writes: ${writes.sql.join(", ")}`);
    const waiting = pointsOf(operation, writes.api.length, writes.sql.length);
    const count = waiting.length;
    const verdicts: Verdict[] = [];
    await Promise.all(stages.map(async (where) => {
      for (let point = waiting.shift(); point; point = waiting.shift()) {
        const verdict = await tryOne(where, operation, point);
        verdicts.push(verdict);
        const bad = verdict.wrong ?? verdict.doubleRuns.join();
        const told = `${verdicts.length} of ${count}, ${elapsedText(performance.now() - startedMs)}: ${verdict.name}`;
        progress(`${told}${verdict.struck ? "" : " (not reached)"}${bad ? `: ${bad}` : ""}`, { passing: !bad });
      }
    }));
    const struck = verdicts.filter(({ struck }) => struck);
    const wrong = verdicts.flatMap(({ name, wrong }) => wrong ? [`${name}: ${wrong}`] : []);
    const double = verdicts.flatMap(({ name, doubleRuns }) => doubleRuns.map((run) => `${name}: ${run}`));
    totals.points += struck.length;
    totals.wrongEnds += wrong.length;
    totals.doubleRuns += double.length;
    progress(
      `${operation}: ${struck.length} of ${count} points struck, ${wrong.length} wrong, ${double.length} double`,
    );
    assertEquals([wrong, double], [[], []]);
    assert(struck.length >= LEAST_POINTS, `only ${struck.length} points`);
  });
}

Deno.test("slow: nothing is written for a minute when all these operations are over", async () => {
  const sinceMs = performance.now();
  await pause(IDLE_MS); // nothing can be waited for: that nothing comes is what is tested
  const writes = stages.flatMap(({ operator, stage }) => operator.writes(stage.namespace, sinceMs).map(wordsOf));
  assertEquals(writes, []);
});
