/**
 * Tier test:slow. The places of an OdooInstance that tests/integration/hostile_spec_test.ts leaves out, those of Kubernetes'
 * own types at any depth, walked through by several instances at a time. After each place the instance is healthy again
 * within ten seconds, and nobody else was touched. Row 28 of the table of faults.
 */
import { assert, assertEquals } from "@std/assert";
import { ApiError, conditionOf, Deployment, Pod, type Stored } from "../../src/kit/mod.ts";
import type { OdooInstance } from "../../src/odoo/crd/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "../support/eventually.ts";
import { hostileTrials, isAnswered, limitPods, type Trial, withTrial } from "../support/hostile_values.ts";
import { type Rig, startRig } from "../support/rig.ts";

const WALKERS = 4;
const ANSWERED = { timeoutMs: 30_000, intervalMs: 50 };
const HEALED = { timeoutMs: 10_000, intervalMs: 100 };
const MARKER = await Deno.makeTempDir({ prefix: "hostile-" });

let rig: Rig;
let namespace: string;

Deno.test.beforeAll(async () => {
  rig = await startRig();
  namespace = await rig.namespace();
  await limitPods(rig, namespace);
  const names = ["neighbour", ...Array.from({ length: WALKERS }, (_, index) => `victim-${index}`)];
  await Promise.all(names.map((name) => rig.create(namespace, name)));
  await Promise.all(names.map((name) => rig.inPhase(namespace, name, "Running", { timeoutMs: 60_000 })));
});
Deno.test.afterAll(async () => {
  await rig?.stop();
  await Deno.remove(MARKER, { recursive: true });
});

function read(name: string): Promise<Stored<OdooInstance>> {
  return rig.client.get<OdooInstance>(OdooInstanceKind, { namespace, name });
}

function isHealthy({ metadata, status }: Stored<OdooInstance>): boolean {
  const is = (type: string) => conditionOf(status?.conditions, type)?.status;
  return status?.observedGeneration === metadata.generation && is("Ready") === "True" &&
    is("ChildrenApplied") !== "False";
}

/** By place, so that the instance is healed between two places. */
function places(): Trial[][] {
  const deep = hostileTrials(MARKER).filter(({ path }) => path.length > 3 || path.includes(0));
  return [...Map.groupBy(deep, ({ path }) => path.join(".")).values()];
}

/** Tries all values at one place, and takes them back. Returns how many the API server refused. */
async function walk(name: string, good: OdooInstance["spec"], trials: readonly Trial[]): Promise<number> {
  const set = (value: unknown) =>
    rig.client.patch(OdooInstanceKind, { namespace, name }, [{ op: "replace", path: "/spec", value }]);
  let refused = 0;
  for (const trial of trials) {
    const what = `${trial.path.join(".")} = ${JSON.stringify(trial.value)?.slice(0, 60)}`;
    try {
      await set(withTrial(good, trial));
    } catch (error) {
      assert(error instanceof ApiError && [400, 422].includes(error.status), `${what}: ${error}`);
      refused += 1;
      continue;
    }
    await eventually(`an answer to ${what}`, async () => isAnswered(await read(name)), ANSWERED);
  }
  if (refused === trials.length) return refused;
  await set(good);
  await eventually(`${name} is healthy after ${trials[0]?.path.join(".")}`, async () => {
    const instance = await read(name);
    if (!isHealthy(instance)) {
      throw new Error(`${instance.status?.phase}: ${JSON.stringify(instance.status?.conditions)}`);
    }
    return true;
  }, HEALED);
  return refused;
}

/** What belongs to the neighbour, with its versions. */
async function neighbourhood(): Promise<string[]> {
  const selection = { namespace, labelSelector: "bemade.org/instance=neighbour" };
  const lists = await Promise.all([rig.client.list(Pod, selection), rig.client.list(Deployment, selection)]);
  const { metadata } = await read("neighbour");
  return [metadata, ...lists.flatMap(({ items }) => items.map((item) => item.metadata))].map((
    { uid, resourceVersion },
  ) => `${uid}/${resourceVersion}`);
}

Deno.test("slow: an instance answers hostile values at any depth, heals from each place, and disturbs nobody (row 28)", async () => {
  const before = await neighbourhood();
  const waiting = places();
  assert(waiting.length > 300, `${waiting.length} places`);
  const trials = waiting.flat().length;
  let refused = 0;
  await Promise.all(Array.from({ length: WALKERS }, async (_, index) => {
    const name = `victim-${index}`;
    const good = (await read(name)).spec;
    for (let place = waiting.shift(); place; place = waiting.shift()) refused += await walk(name, good, place);
  }));
  assert(refused > 0 && refused < trials, `${refused} of ${trials} were refused`);
  assertEquals(await neighbourhood(), before);
  assertEquals(await rig.sql("select rolname from pg_roles where rolname = 'marker'"), []);
  assertEquals(await Array.fromAsync(Deno.readDir(MARKER)), []);
});
