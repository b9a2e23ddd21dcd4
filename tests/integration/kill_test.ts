/** kill -9 at any moment of the path: the same end, and never a second init Job. */
import { assertEquals } from "@std/assert";
import { Job, watchObjects } from "../../src/kit/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { AuditLog } from "../../dev/measure.ts";
import { OPERATOR_USER } from "../../dev/operator.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";

let rig: Rig;

Deno.test.beforeAll(async () => {
  rig = await startRig();
});
Deno.test.afterAll(() => rig?.stop());

/** The path has 28 requests (see the bench); the kill comes as soon as so many are in the API server's audit log. */
const MOMENTS = [1, 3, 5, 7, 9, 11, 13, 16, 19, 22, 25];

for (const moment of MOMENTS) {
  Deno.test(`an operator killed after ${moment} requests and started again makes the instance Running with one Job`, async () => {
    const namespace = await rig.namespace();
    const jobs = new Set<string>();
    const watching = new AbortController();
    const watch = (async () => {
      for await (const event of watchObjects(rig.client, Job, { namespace, signal: watching.signal })) {
        if (event.type === "applied") jobs.add(event.object.metadata.uid);
        if (event.type === "restarted") { for (const job of event.objects) jobs.add(job.metadata.uid); }
      }
    })();
    try {
      if (!rig.operator) await rig.start();
      const name = `phoenix-${moment}`;
      const audit = new AuditLog(rig.cluster.auditLog, OPERATOR_USER);
      const mark = await audit.mark();
      await rig.create(namespace, name);
      await eventually(`${moment} requests`, async () => (await audit.since(mark)).requests >= moment, {
        intervalMs: 1,
      });
      await rig.kill();
      await rig.start();
      await rig.inPhase(namespace, name, "Running");
      assertEquals(jobs.size, 1);
      await rig.client.delete(OdooInstanceKind, { namespace, name });
      await rig.gone(OdooInstanceKind, namespace, name);
      assertEquals(await rig.sql("select 1 from pg_roles where rolname = $1", [`odoo.${namespace}.${name}`]), []);
    } finally {
      watching.abort();
      await watch;
    }
  });
}

/** As the first process of a container, which gets no signal that it has not asked for. */
const FIRST_PROCESS = ["unshare", "--pid", "--fork", "--mount-proc", Deno.execPath(), "run", "-A", "main.ts"];

for (const [how, command] of Object.entries({ "": undefined, " that is PID 1": FIRST_PROCESS })) {
  const ignore = command !== undefined && (Deno.build.os !== "linux" || Deno.uid() !== 0);
  Deno.test(`SIGTERM ends an operator${how} within two seconds, with exit code 0, and the next one goes on`, {
    ignore,
  }, async () => {
    await rig.operator?.[Symbol.asyncDispose]();
    const { process } = await rig.start(command ? { command } : {});
    const namespace = await rig.namespace();
    const names = Array.from({ length: 10 }, (_, i) => `busy-${i}`);
    for (const name of names) await rig.create(namespace, name);
    const started = performance.now();
    await process.stop({ graceMs: 2_000 });
    assertEquals(process.exit, { code: 0, signal: undefined });
    const tookMs = performance.now() - started;
    if (tookMs > 2_000) throw new Error(`it took ${tookMs} ms`);
    await rig.start();
    for (const name of names) await rig.inPhase(namespace, name, "Running", { timeoutMs: 30_000 });
    const { items } = await rig.client.list(Job, { namespace });
    assertEquals(items.length, names.length);
  });
}
