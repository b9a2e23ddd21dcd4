/** Tier test:slow. Many instances at once, again and again: all arrive, and a restart beside them writes nothing. */
import { assertEquals } from "@std/assert";
import { pause } from "../../src/kit/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { AuditLog } from "../../dev/measure.ts";
import { OPERATOR_USER } from "../../dev/operator.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";

const AT_ONCE = 50;

let rig: Rig;

Deno.test.beforeAll(async () => {
  rig = await startRig({ cluster: {} });
});
Deno.test.afterAll(() => rig?.stop());

async function createMany(namespace: string): Promise<void> {
  await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => rig.create(namespace, `shop-${i}`)));
  await eventually(`${AT_ONCE} instances are Running`, async () => {
    const { items } = await rig.client.list(OdooInstanceKind, { namespace });
    const running = items.filter(({ status }) => status?.phase === "Running").length;
    if (running < AT_ONCE) throw new Error(`${running} are`);
    return true;
  }, { timeoutMs: 180_000, intervalMs: 500 });
}

for (let round = 1; round <= 5; round++) {
  Deno.test(`slow: ${AT_ONCE} instances created at once all become Running (round ${round} of 5)`, async () => {
    const namespace = await rig.namespace();
    await createMany(namespace);
    const { items } = await rig.client.list(OdooInstanceKind, { namespace });
    await Promise.all(items.map(({ metadata }) => rig.client.delete(OdooInstanceKind, metadata)));
    await Promise.all(items.map(({ metadata }) => rig.gone(OdooInstanceKind, namespace, metadata.name)));
    assertEquals(await rig.sql("select rolname from pg_roles where rolname like $1", [`odoo.${namespace}.%`]), []);
  });
}

Deno.test(`slow: an operator that starts beside ${AT_ONCE} Running instances lists, watches, and writes nothing`, async () => {
  const namespace = await rig.namespace();
  await createMany(namespace);
  await rig.kill();
  const audit = new AuditLog(rig.cluster.auditLog, OPERATOR_USER);
  const mark = await audit.mark();
  await rig.start();
  for (let quiet = await audit.mark();; quiet = await audit.mark()) {
    await pause(3_000); // nothing can be waited for: that nothing comes is what is tested
    if ((await audit.since(quiet)).requests === 0) break;
  }
  const { writes, byKind } = await audit.since(mark);
  assertEquals([writes, byKind], [0, { "get ": 1 }]);
});
