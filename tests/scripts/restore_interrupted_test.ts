/** Restores that stand still in the middle of their load, and what happens to them there. */
import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { fromOdoo, startOdoo } from "../support/odoo_source.ts";
import { type RestoreEnding, type RunningRestorePod, startRestorePod } from "../support/restore_pod.ts";
import { type RestoreRig, startRestoreRig } from "../support/restore_rig.ts";

let rig: RestoreRig;

Deno.test.beforeAll(async () => {
  rig = await startRestoreRig();
});
Deno.test.afterAll(() => rig?.[Symbol.asyncDispose]());

/** A restore that stands still in the middle of its load, and what happens to it there. */
async function interrupted(happens: (pod: RunningRestorePod) => Promise<void>): Promise<RestoreEnding> {
  const released = Promise.withResolvers<void>();
  const middle = rig.backups.dump.length - 5000;
  await using odoo = startOdoo(() => {
    const pieces = async function* () {
      yield rig.backups.dump.slice(0, middle);
      await released.promise;
      yield rig.backups.dump.slice(middle);
    };
    return new Response(ReadableStream.from(pieces()), { headers: { "content-type": "application/octet-stream" } });
  });
  const data = await Deno.makeTempDir();
  try {
    const pod = await startRestorePod(await rig.prepared(fromOdoo(odoo, "dump", "old"), data));
    await eventually("the load has begun", async () => {
      return await rig.side("select count(*)::int from pg_tables where tablename = 'res_partner'") === 1;
    }, { timeoutMs: 30_000 });
    await happens(pod);
    released.resolve();
    return await pod.ended;
  } finally {
    released.resolve();
    await Deno.remove(data, { recursive: true });
  }
}

Deno.test("job restore says that PostgreSQL went away when it is restarted during the load", async () => {
  const { report, output } = await interrupted(() => rig.server.restart());
  assertEquals(report.reason, "DatabaseUnreachable", output);
});

Deno.test("job restore says that the container load was killed when it was", async () => {
  const { report, output } = await interrupted(({ load }) => Promise.resolve(load.kill("SIGKILL")));
  assertEquals(report.reason, "LoadKilled", output);
});

Deno.test("restore_load.sh ends by itself when the container that sends was killed", async () => {
  const { codes, output } = await interrupted(({ restore }) => Promise.resolve(restore.kill("SIGKILL")));
  assertEquals([codes.restore, codes.load > 0], [137, true], output);
});

Deno.test("restore_load.sh ends when it is told to, and so does job restore", async () => {
  const { report, codes, output } = await interrupted(({ load }) => Promise.resolve(load.kill("SIGTERM")));
  assertEquals([codes.load, report.ok], [143, false], output);
});
