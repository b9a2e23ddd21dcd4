/** Tier test:slow. A cold burst, with an operator that is killed and a PostgreSQL that is restarted in its middle. */
import { assert, assertEquals } from "@std/assert";
import { conditionOf, keyOf, pause, type Stored } from "../../src/kit/mod.ts";
import type { OdooInitJob, OdooInstance } from "../../src/odoo/crd/mod.ts";
import { OdooInitJobKind, OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { AuditLog, memoryOf } from "../../dev/measure.ts";
import { OPERATOR_USER } from "../../dev/operator.ts";
import { elapsedText, stderrProgress } from "../../dev/progress.ts";
import { startChronicle } from "../support/chronicle.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";

const AT_ONCE = 300;
const ARRIVAL_MS = 480_000;
const IDLE_MS = 60_000;
/** From `create` to Running, what was done twice because of the kill included. */
const REQUESTS_PER_INSTANCE = 40;

let rig: Rig;

Deno.test.beforeAll(async () => {
  rig = await startRig({ cluster: {} });
});
Deno.test.afterAll(() => rig?.stop());

async function instancesOf(namespace: string): Promise<readonly Stored<OdooInstance>[]> {
  return (await rig.client.list<OdooInstance>(OdooInstanceKind, { namespace })).items;
}

/** Resolves when so many instances fulfil a condition. */
async function reached(
  namespace: string,
  { what, count, holds }: {
    readonly what: string;
    readonly count: number;
    readonly holds: (instance: Stored<OdooInstance>) => boolean;
  },
): Promise<void> {
  await eventually(`${count} instances ${what}`, async () => {
    const found = (await instancesOf(namespace)).filter(holds).length;
    if (found < count) throw new Error(`${found} do`);
    return true;
  }, { timeoutMs: ARRIVAL_MS, intervalMs: 250 });
}

/**
 * A Job whose connection the restart cuts has failed, as Odoo would have; its instance says so and waits for a person,
 * who asks again here.
 */
async function askAgain(namespace: string, asked: Set<string>): Promise<void> {
  for (const { metadata: { name }, status } of await instancesOf(namespace)) {
    if (status?.phase !== "InitFailed" || asked.has(name)) continue;
    const message = conditionOf(status.conditions, "Ready")?.message ?? "";
    assert(/terminat|ECONNREFUSED|ECONNRESET|shutting down|starting up/.test(message), `${name}: ${message}`);
    asked.add(name);
    await rig.client.create<OdooInitJob>(OdooInitJobKind, {
      metadata: { namespace, name: `${name}-again` },
      spec: { odooInstanceRef: { name } },
    });
  }
}

Deno.test(`slow: ${AT_ONCE} at once all run, though the operator is killed and PostgreSQL restarted meanwhile`, async () => {
  const progress = stderrProgress();
  const startedMs = performance.now();
  const tell = (what: string) => progress(`${what} after ${elapsedText(performance.now() - startedMs)}`);
  const namespace = await rig.namespace();
  await using chronicle = startChronicle(rig.client);
  const audit = new AuditLog(rig.cluster.auditLog, OPERATOR_USER);
  const mark = await audit.mark();
  await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => rig.create(namespace, `shop-${i}`)));
  await reached(namespace, { what: "have begun", count: 60, holds: ({ status }) => status?.phase === "Initializing" });
  await rig.kill();
  tell("Killed");
  await rig.start();
  tell("Started again");
  const initialized = ({ status }: Stored<OdooInstance>) => status?.dbInitialized === true;
  await reached(namespace, { what: "have a database", count: 30, holds: initialized });
  await rig.cluster.postgres.restart();
  tell("PostgreSQL restarted");

  const asked = new Set<string>();
  await eventually(`${AT_ONCE} instances are Running`, async () => {
    await askAgain(namespace, asked);
    const phases = (await instancesOf(namespace)).map(({ status }) => status?.phase);
    const running = phases.filter((phase) => phase === "Running").length;
    if (running === AT_ONCE) return true;
    throw new Error(`${running} are; the others: ${[...new Set(phases)]}`);
  }, { timeoutMs: ARRIVAL_MS, intervalMs: 500 });
  tell(`All run, ${asked.size} of them at the second attempt,`);

  const { requests, writes } = await audit.since(mark);
  const { peakMiB } = await memoryOf(rig.operator?.process.pid ?? 0);
  progress(`${requests} requests, ${writes} of them writes; the second operator's memory at its peak: ${peakMiB} MiB`);
  assert(requests / AT_ONCE <= REQUESTS_PER_INSTANCE, `${requests} requests`);
  const jobs = AT_ONCE + asked.size;
  assertEquals([chronicle.count("OdooInitJob", namespace), chronicle.count("Job", namespace)], [jobs, jobs]);
  const strange = (await instancesOf(namespace)).flatMap((instance) => chronicle.strangeSteps(keyOf(instance)));
  assertEquals(strange, []);
  const owners = `select count(*)::int as databases, count(distinct datdba)::int as roles from pg_database
    join pg_roles on pg_roles.oid = datdba where rolname like $1`;
  assertEquals(await rig.sql(owners, [`odoo.${namespace}.%`]), [{ databases: AT_ONCE, roles: AT_ONCE }]);
  const connections = "select count(*)::int as n from pg_stat_activity where application_name = 'odoo-operator'";
  const [{ n } = {}] = await rig.sql(connections);
  assert(Number(n) <= 4, `${n} connections`);

  const quiet = await audit.mark();
  await pause(IDLE_MS); // nothing can be waited for: that nothing comes is what is tested
  assertEquals((await audit.since(quiet)).writes, 0);
});
