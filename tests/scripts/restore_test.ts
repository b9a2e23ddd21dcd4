/**
 * `odoo-operator job restore` and scripts/restore_load.sh together, as in a pod, on a real PostgreSQL and a real S3 service: what
 * comes back of a backup, and what happens to a pod that has no room or no other container.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { HOSTILE_TEXT } from "../support/odoo_backup.ts";
import { runRestorePod } from "../support/restore_pod.ts";
import { type BackupKind, type RestoreRig, SIDE, startRestoreRig, text } from "../support/restore_rig.ts";

let rig: RestoreRig;

Deno.test.beforeAll(async () => {
  rig = await startRestoreRig();
});
Deno.test.afterAll(() => rig?.[Symbol.asyncDispose]());

const LEFT_OUT: Readonly<Record<BackupKind, readonly string[]>> = {
  sql: ["ACL", "COMMENT", "DEFAULT ACL", "OWNER", "PUBLICATION"],
  dump: ["ACL", "COMMENT", "PUBLICATION"],
  zip: ["ACL", "COMMENT", "DEFAULT ACL", "PUBLICATION"],
};

for (const format of ["zip", "dump", "sql"] as const) {
  Deno.test(`job restore brings back all data of a ${format} that another role owned`, async () => {
    const { report, codes, output } = await rig.attempt({
      content: rig.backups[format],
      format,
      env: { RESTORE_ODOO_VERSION: "19.0-20260101" },
      look: async (data) => {
        if (format !== "zip") return;
        for (const [path, content] of Object.entries(rig.files)) {
          assertEquals(await Deno.readTextFile(`${data}/filestore/${SIDE}/${path}`), content);
        }
      },
    });
    assertEquals(codes, { restore: 0, load: 0 }, output);
    assertEquals(report, {
      ok: true,
      tables: 4,
      modules: 2,
      odooVersion: "19.0.1.3",
      attachments: 30,
      files: 30,
      format,
      checksum: "unknown",
      leftOut: LEFT_OUT[format],
      ...(format === "zip" ? { unpackedFiles: 30, postgresVersion: "15.0" } : {}),
    });
    assertEquals(await rig.side(`select count(*)::int from res_partner`), 2000);
    assertEquals(await rig.side("select name from res_partner where id = 7"), `${HOSTILE_TEXT}7`);
    assertEquals(await rig.side("select twice(21)"), 42);
    assertEquals(await rig.side("select distinct tableowner from pg_tables where schemaname = 'public'"), "tenant");
    assertEquals(await rig.side("select count(*)::int from pg_publication"), 0);
    assertEquals(await rig.side("select obj_description('res_partner'::regclass)"), "it's; GRANT");
  });
}

Deno.test("job restore believes a backup whose checksum is right, in the metadata or beside it", async () => {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(rig.backups.zip)));
  const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const zip = await rig.attempt({ content: rig.backups.zip, format: "zip", metadata: { sha256 } });
  assertEquals([zip.report.ok, zip.report.checksum], [true, "matched"], zip.output);
  using sidecar = rig.object("shop/backup.json");
  await sidecar.put(text(JSON.stringify({ sha256, bytes: rig.backups.zip.length })));
  const beside = await rig.attempt({ content: rig.backups.zip, format: "zip" });
  const other = await rig.attempt({ content: rig.backups.dump, format: "dump" }); // of another size: not this object's
  await sidecar.delete();
  assertEquals([beside.report.checksum, other.report.checksum], ["matched", "unknown"], beside.output + other.output);
});

Deno.test("job restore loads what needs no extension though one may not be created, and says which", async () => {
  const sql = new TextDecoder().decode(rig.backups.sql).replace(
    "\nSET default_tablespace",
    () =>
      "\nCREATE EXTENSION IF NOT EXISTS adminpack WITH SCHEMA pg_catalog;\nCOMMENT ON EXTENSION adminpack IS 'x';\nSET transaction_timeout = 0;\nSET default_tablespace",
  );
  const { report, output } = await rig.attempt({ content: text(sql), format: "sql" });
  assertEquals(report.ok, true, output);
  assertEquals(
    (report.leftOut as string[]).filter((kind) => /adminpack|SET/.test(kind)),
    ["EXTENSION adminpack", "SET transaction_timeout"],
  );
});

Deno.test("job restore says that the volume is full, and how to help it", { ignore: Deno.uid() !== 0 }, async () => {
  const data = await Deno.makeTempDir();
  const mount = async (...args: string[]) => {
    const { success, stderr } = await new Deno.Command(args[0] ?? "", { args: args.slice(1) }).output();
    assert(success, new TextDecoder().decode(stderr));
  };
  await mount("mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", data);
  try {
    const { report, codes, output } = await runRestorePod(
      await rig.prepared({ content: rig.backups.zip, format: "zip" }, data),
    );
    assertEquals([report.reason, codes.restore], ["VolumeFull", 1], output);
    assertStringIncludes(String(report.error), "storageSize");
  } finally {
    await mount("umount", data);
    await Deno.remove(data);
  }
});

Deno.test("job restore and restore_load.sh wait no longer than they are told when the other does not come", async () => {
  const data = await Deno.makeTempDir();
  const options = await rig.prepared({ content: rig.backups.zip, format: "zip" }, data);
  const [restore, load] = [{ ...options.restore, RESTORE_PEER_SECONDS: "2" }, {
    ...options.load,
    RESTORE_PEER_SECONDS: "2",
  }];
  const alone = await runRestorePod({ ...options, restore, script: "exit 0" });
  assertEquals(alone.report.reason, "LoadContainerAbsent", alone.output);
  const lonely = await runRestorePod({ ...options, restore: { ...restore, RESTORE_SHARED: data }, load });
  assertEquals(lonely.codes.load, 1);
  assertStringIncludes(lonely.output, "The other container gave no order in 2 s");
  await Deno.remove(data, { recursive: true });
});
