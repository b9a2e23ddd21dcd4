/**
 * Every field of an OdooInstance with values that nobody should write, one at a time, on an instance that runs. Each is
 * refused by the API server, or acted on, or explained in status; taken back, the instance runs as before. Values that
 * would be code if anybody ran them leave no mark in PostgreSQL or on the machine.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ApiError, type Client, conditionOf, type Stored } from "../../src/kit/mod.ts";
import type { OdooInstance } from "../../src/odoo/crd/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "../support/eventually.ts";
import { hostileTrials, isAnswered, limitPods, withTrial } from "../support/hostile_values.ts";
import { type Rig, startRig } from "../support/rig.ts";

let rig: Rig;
let namespace: string;

Deno.test.beforeAll(async () => {
  rig = await startRig();
  namespace = await rig.namespace();
  await limitPods(rig, namespace);
  await rig.create(namespace, "victim");
  await rig.create(namespace, "neighbour");
  await rig.inPhase(namespace, "victim", "Running");
  await rig.inPhase(namespace, "neighbour", "Running");
});
Deno.test.afterAll(() => rig?.stop());

/** A folder in which a file appears if somebody has run what is only text. */
const MARKER = await Deno.makeTempDir({ prefix: "hostile-" });

/** Deeper are the types that are Kubernetes' own: tests/slow walks through those. */
const DEPTH = 3;

async function victim(client: Client): Promise<Stored<OdooInstance>> {
  return await client.get<OdooInstance>(OdooInstanceKind, { namespace, name: "victim" });
}

Deno.test("an instance answers every hostile value of every field, and runs again when it is taken back", async () => {
  const client = rig.client;
  const good = (await victim(client)).spec;
  const trials = hostileTrials(MARKER).filter(({ path }) => path.length <= DEPTH && !path.includes(0));
  let refused = 0;
  for (const trial of trials) {
    const what = `${trial.path.join(".")} = ${JSON.stringify(trial.value)?.slice(0, 60)}`;
    const set = (value: unknown) =>
      client.patch(OdooInstanceKind, { namespace, name: "victim" }, [{ op: "replace", path: "/spec", value }]);
    try {
      await set(withTrial(good, trial));
    } catch (error) {
      assert(error instanceof ApiError && [400, 422].includes(error.status), `${what}: ${error}`);
      refused++;
      continue;
    }
    await eventually(`an answer to ${what}`, async () => isAnswered(await victim(client)), { timeoutMs: 30_000 });
    await set(good);
  }
  assert(refused > 50 && refused < trials.length, `${refused} of ${trials.length} were refused`);
  const healed = await rig.inPhase(namespace, "victim", "Running", { timeoutMs: 30_000 });
  assertEquals(conditionOf(healed.status?.conditions, "Ready")?.status, "True");
});

Deno.test("a neighbour of an instance with hostile values keeps running, and nothing was carried out as code", async () => {
  const neighbour = await client().get<OdooInstance>(OdooInstanceKind, { namespace, name: "neighbour" });
  assertEquals(neighbour.status?.phase, "Running");
  assertEquals(await rig.sql("select rolname from pg_roles where rolname = 'marker'"), []);
  assertEquals(await Array.fromAsync(Deno.readDir(MARKER)), []);
  await Deno.remove(MARKER);
});

async function setOptions(count: number, bytes: number): Promise<void> {
  const options = Object.fromEntries(Array.from({ length: count }, (_, i) => [`option_${i}`, "x".repeat(bytes)]));
  await client().patch(OdooInstanceKind, { namespace, name: "victim" }, [
    { op: "add", path: "/spec/configOptions", value: options },
  ]);
}

Deno.test("a mebibyte of configOptions is refused where no Odoo has so many, else answered, and can be taken back", async () => {
  const good = (await victim(client())).spec;
  const refusal = await assertRejects(() => setOptions(1_000, 1_000), ApiError);
  assertStringIncludes(refusal.message, "at most 250");
  await setOptions(64, 16_000);
  const answered = await eventually("an answer to 1 MiB of options", async () => {
    const instance = await victim(client());
    return isAnswered(instance) && instance;
  });
  const report = conditionOf(answered.status?.conditions, "ChildrenApplied");
  assert(report?.status !== "False" || report.message.length > 20, "a refusal has a reason");
  await client().patch(OdooInstanceKind, { namespace, name: "victim" }, [{
    op: "replace",
    path: "/spec",
    value: good,
  }]);
  await rig.inPhase(namespace, "victim", "Running", { timeoutMs: 30_000 });
});

for (const length of [58, 59, 60, 63, 253]) {
  Deno.test(`a name of ${length} characters is refused, explained or works, and can be deleted`, async () => {
    const name = "n".repeat(length);
    try {
      await rig.create(namespace, name);
    } catch (error) {
      assert(error instanceof ApiError && error.status === 422, String(error));
      return;
    }
    if (length <= 58) await rig.inPhase(namespace, name, "Running", { timeoutMs: 30_000 });
    else await rig.inPhase(namespace, name, "Error", { reason: "NameInvalid" });
    await client().delete(OdooInstanceKind, { namespace, name });
    await rig.gone(OdooInstanceKind, namespace, name);
  });
}

function client(): Client {
  return rig.client;
}
