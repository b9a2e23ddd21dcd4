/**
 * Tier test:slow. SIGKILL before and after every single write of an instance's life, each in a life of its own: the
 * fault proxy counts the writes of a reference life, then kills the operator at the first, the second, … of others.
 *
 * Before write i is also between the SQL that precedes it and its record in the API server: whatever was done in
 * PostgreSQL by then was done by an operator that is dead before it could say so.
 *
 * Several operators share the cluster, each with namespaces of its own (tests/support/isolated_operator.ts).
 */
import { assert, assertEquals } from "@std/assert";
import { messageOf, pause, Secret } from "../../src/kit/mod.ts";
import { type RequestFault, type SeenRequest, WRITE_VERBS } from "../../dev/fault_proxy.ts";
import { ensureNamespace, prepareForOperator } from "../../dev/operator.ts";
import { elapsedText, type Progress, stderrProgress } from "../../dev/progress.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { type Chronicle, startChronicle } from "../support/chronicle.ts";
import { CHILD_KINDS, endState } from "../support/end_state.ts";
import { eventually } from "../support/eventually.ts";
import { type IsolatedOperator, startIsolatedOperator, writesIn } from "../support/isolated_operator.ts";
import { LIFE, live } from "../support/lifecycle.ts";
import { type Rig, startRig } from "../support/rig.ts";
import { valueOf } from "../support/sql.ts";

const OPERATORS = 4;
const NAME = "cat";
/** From the moment at which the operator is ready again to the state that the step leads to. */
const RECOVERY_MS = 15_000;
const STEP_MS = 60_000;
const QUIET_MS = 400;
const IDLE_MS = 60_000;

let rig: Rig;
let chronicle: Chronicle;
let operators: IsolatedOperator[];
let reference: { readonly state: Record<string, unknown>; readonly writes: readonly string[] };
/** Lives that are in their last phase, by the operator that cares for them. */
const alive = new Map<IsolatedOperator, string[]>();
const progress: Progress = stderrProgress();
const startedMs = performance.now();
let lives = 0;

Deno.test.beforeAll(async () => {
  rig = await startRig({ bare: true, jobs: { delayMs: 50 } });
  await prepareForOperator(rig.client, rig.cluster);
  chronicle = startChronicle(rig.client);
  const prefixes = Array.from({ length: OPERATORS }, (_, i) => `crash-${i}-`);
  operators = await Promise.all(prefixes.map((prefix) => startIsolatedOperator(rig.cluster, prefix)));
});
Deno.test.afterAll(async () => {
  await Promise.all(operators.map((operator) => operator[Symbol.asyncDispose]()));
  await chronicle?.[Symbol.asyncDispose]();
  await rig?.stop();
});

/** Where in a life or a death the operator dies: at the n-th write of this kind about its namespace. */
interface Moment {
  readonly type: "killBefore" | "killAfter";
  /** In the words of {@linkcode wordsOf}. */
  readonly write: string;
  readonly nth: number;
}

/** What came of it. */
interface Report {
  readonly moment: Moment;
  /** False if there was no such write in this life. */
  readonly struck: boolean;
  readonly problem: string | undefined;
  /** From ready again to the state that was waited for. */
  readonly recoveryMs: number;
}

/** Both sides of each write. */
function momentsOf(writes: readonly string[]): Moment[] {
  return writes.flatMap((write, index) => {
    const nth = writes.slice(0, index + 1).filter((earlier) => earlier === write).length;
    return [{ type: "killBefore", write, nth }, { type: "killAfter", write, nth }] as const;
  });
}

/** `PATCH odooinstances/{name}/status`. */
function wordsOf({ verb, path }: SeenRequest): string {
  return `${verb} ${path.replace(/^.*\/namespaces\/[^/]+\//, "").replaceAll(/-[0-9a-f]{8}\b/g, "-{uid}")}`;
}

/** Lets the operator die at a moment of what `act` does in a namespace. `act` is told how long its steps take. */
async function crashing(
  operator: IsolatedOperator,
  { namespace, moment }: { readonly namespace: string; readonly moment: Moment },
  act: (ended: () => Promise<void>) => Promise<void>,
): Promise<Report> {
  let diedAtMs = Infinity;
  let recoveryMs = 0;
  const fault: RequestFault = {
    type: moment.type,
    kill: async () => {
      await operator.crash();
      diedAtMs = performance.now();
    },
  };
  const where = (request: SeenRequest) => wordsOf(request) === moment.write;
  const match = { verb: WRITE_VERBS, path: writesIn(namespace), where, hits: moment.nth };
  const rule = operator.proxy.onRequest(match, fault);
  let problem: string | undefined;
  try {
    await act(async () => {
      const endedMs = performance.now();
      if (endedMs < diedAtMs || recoveryMs) return;
      recoveryMs = Math.max(1, endedMs - await operator.readyAtMs());
    });
    if (recoveryMs > RECOVERY_MS) problem = `it took ${Math.round(recoveryMs)} ms`;
  } catch (error) {
    problem = messageOf(error);
  }
  rule.remove();
  return { moment, struck: rule.strikes > 0, problem, recoveryMs };
}

/** Shares moments out among the operators; each takes the next when it is through with one. */
async function atEach(
  moments: readonly Moment[],
  run: (operator: IsolatedOperator, moment: Moment) => Promise<Report>,
): Promise<Report[]> {
  const reports: Report[] = [];
  const waiting = [...moments];
  await Promise.all(operators.map(async (operator) => {
    for (let moment = waiting.shift(); moment; moment = waiting.shift()) {
      const report = await run(operator, moment);
      reports.push(report);
      const end = report.problem ? `: ${report.problem}` : "";
      const count = `${reports.length} of ${moments.length} crashes, ${elapsedText(performance.now() - startedMs)}`;
      progress(`${count}: ${nameOf(report)}${end}`, { passing: !end });
    }
  }));
  progress("", { passing: true });
  return reports;
}

function nameOf({ moment: { type, write, nth }, struck }: Report): string {
  return `${type} ${write} #${nth}${struck ? "" : " (not reached)"}`;
}

/**
 * No report has a problem, and no moment was missed but the last ones of a kind: how often a status is written is a
 * matter of how fast pods become ready.
 */
function checkReports(reports: readonly Report[]): void {
  const slowest = Math.max(...reports.map(({ recoveryMs }) => recoveryMs));
  const missed = reports.filter(({ struck }) => !struck);
  progress(`${reports.length} crashes, ${missed.length} not reached; slowest recovery ${Math.round(slowest)} ms`);
  assertEquals(reports.filter(({ problem }) => problem).map((report) => `${nameOf(report)}: ${report.problem}`), []);
  assertEquals(missed.filter(({ moment }) => moment.nth === 1).map(nameOf), []);
  assert(missed.length <= reports.length / 20, `not reached: ${missed.map(nameOf)}`);
}

/** A life from its creation to its last step, and what is to be said of it whatever happened on the way. */
async function liveThrough(operator: IsolatedOperator, ended: () => Promise<void>, namespace: string): Promise<void> {
  for (const step of LIFE) {
    await live(rig, step, { namespace, name: NAME, timeoutMs: STEP_MS });
    await ended();
  }
  await operator.quiet(namespace, QUIET_MS);
  assertEquals(chronicle.strangeSteps(`${namespace}/${NAME}`), []);
  assertEquals([chronicle.count("OdooInitJob", namespace), chronicle.count("Job", namespace)], [1, 1]);
  const { data = {} } = await rig.client.get(Secret, { namespace, name: `${NAME}-odoo-user` });
  const login = { user: atob(data.username ?? ""), password: atob(data.password ?? "") };
  const { metadata } = await rig.client.get(OdooInstanceKind, { namespace, name: NAME });
  const database = `odoo_${metadata.uid.replaceAll("-", "_")}`;
  const owner = "select datdba::regrole::text from pg_database where datname = current_database()";
  const owned = await valueOf(rig.cluster.postgres, { ...login, database, sql: owner });
  assertEquals(String(owned).replaceAll('"', ""), login.user);
}

async function newNamespace({ prefix }: IsolatedOperator): Promise<string> {
  const namespace = `${prefix}${++lives}`;
  await ensureNamespace(rig.client, namespace);
  return namespace;
}

/** A namespace whose instance has lived and is still there. */
async function takeLife(operator: IsolatedOperator): Promise<string> {
  const left = alive.get(operator)?.pop();
  if (left) return left;
  const namespace = await newNamespace(operator);
  await liveThrough(operator, () => Promise.resolve(), namespace);
  return namespace;
}

async function dieIn(namespace: string): Promise<void> {
  await rig.client.delete(OdooInstanceKind, { namespace, name: NAME });
  await rig.gone(OdooInstanceKind, namespace, NAME);
}

async function complaints(): Promise<string[]> {
  return (await Promise.all(operators.map((operator) => operator.complaints()))).flat();
}

Deno.test("slow: a life without a crash, for reference", async () => {
  const [operator] = operators;
  assert(operator);
  const namespace = await newNamespace(operator);
  await liveThrough(operator, () => Promise.resolve(), namespace);
  const writes = operator.writes(namespace).map(wordsOf);
  reference = { state: await endState(rig.client, namespace), writes };
  alive.set(operator, [namespace]);
  progress(`${writes.length} writes: ${writes.join(", ")}`);
  assertEquals(await complaints(), []);
});

Deno.test("slow: an operator that is killed before or after any write of a life brings it to the same end", async () => {
  const reports = await atEach(momentsOf(reference.writes), async (operator, moment) => {
    const namespace = await newNamespace(operator);
    alive.set(operator, [...alive.get(operator) ?? [], namespace]);
    return await crashing(operator, { namespace, moment }, async (ended) => {
      await liveThrough(operator, ended, namespace);
      assertEquals(await endState(rig.client, namespace), reference.state);
    });
  });
  checkReports(reports);
  assertEquals(await complaints(), []);
});

Deno.test("slow: nothing is written for a minute when all crashes are over", async () => {
  const sinceMs = performance.now();
  await pause(IDLE_MS); // nothing can be waited for: that nothing comes is what is tested
  const writes = [...alive].flatMap(([operator, namespaces]) =>
    namespaces.flatMap((namespace) => operator.writes(namespace, sinceMs).map(wordsOf))
  );
  assertEquals(writes, []);
});

Deno.test("slow: an operator that is killed before or after any write of a deletion leaves nothing behind", async () => {
  const [first] = operators;
  assert(first);
  const namespace = await takeLife(first);
  const sinceMs = performance.now();
  await dieIn(namespace);
  const writes = first.writes(namespace, sinceMs).map(wordsOf);
  progress(`${writes.length} writes: ${writes.join(", ")}`);
  const reports = await atEach(momentsOf(writes), async (operator, moment) => {
    const namespace = await takeLife(operator);
    return await crashing(operator, { namespace, moment }, async (ended) => {
      await dieIn(namespace);
      await ended();
    });
  });
  await Promise.all([...alive.values()].flat().map(dieIn));
  checkReports(reports);
  assertEquals(await rig.sql("select rolname from pg_roles where rolname like 'odoo.%'"), []);
  assertEquals(await rig.sql("select datname from pg_database where datname like 'odoo%'"), []);
  await eventually("the garbage collector is through", async () => {
    const lists = await Promise.all(
      CHILD_KINDS.map((type) => rig.client.list(type, { labelSelector: "bemade.org/instance" })),
    );
    assertEquals(
      lists.flatMap(({ items }) => items).map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`),
      [],
    );
    return true;
  }, { timeoutMs: 90_000, intervalMs: 1_000 });
  assertEquals(await complaints(), []);
});
