/**
 * The life of instances with real Odoo in real pods: every operation in turn, each judged by what Odoo itself then shows.
 * Runs on any cluster; what it is told is in settings.ts, how to run it in docs/development.md.
 */
// deno-lint-ignore-file no-console -- the summary is printed
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ConfigMap, PersistentVolumeClaim, Secret } from "../../src/kit/mod.ts";
import { filestoreClaimName, objectNames } from "../../src/odoo/model/names.ts";
import {
  OdooBackupJobKind,
  OdooInstanceKind,
  OdooRestoreJobKind,
  OdooStagingRefreshJobKind,
  OdooUpgradeJobKind,
} from "../../src/odoo/shell/kinds.ts";
import { download } from "./bucket.ts";
import { addonsConfigMap, BROKEN_MODULE, GOOD_MODULE, WITH_ADDONS } from "./addons.ts";
import { type Content, makeContent, readContent } from "./content.ts";
import { startDatabaseManager } from "./database_manager.ts";
import { OdooSession } from "./odoo_session.ts";
import { type ProbeCounts, startProbe } from "./probe.ts";
import { readSettings } from "./settings.ts";
import { Site } from "./site.ts";
import { Stages } from "./stages.ts";
import { makeNoise, streamByOthers, watchMemory } from "./streaming.ts";

const INSTANCE = "shop";
const COPY = "copy";
const STAGING = "staging";
const MOVING = "moving";

const settings = readSettings();
let site: Site;
/** What the instance holds when the backup is made. */
let content: Content;

const stages = new Stages(async () => {
  if (site) console.error(await site.report());
});
Deno.test.afterAll(async () => {
  console.log(stages.summary());
  await site?.[Symbol.asyncDispose]();
});

/** The outcome of a request in one line, with the reason of its condition. */
function outcomeOf({ status }: Awaited<ReturnType<Site["ask"]>>): string {
  const reason = status?.conditions?.find(({ type }) => type === "Succeeded")?.reason;
  return `${status?.phase} ${reason}: ${status?.message}`;
}

stages.add("install", "the chart brings up the operator", [], async () => {
  site = await Site.open(settings);
});

stages.add("init", "a new instance gets its database and serves", ["install"], async (note) => {
  await site.client.apply(ConfigMap, addonsConfigMap(site.namespace));
  await site.create(INSTANCE, { init: { enabled: true, modules: ["base", "contacts"], demo: false }, ...WITH_ADDONS });
  const { status } = await site.inPhase(INSTANCE, "Running", { passed: note });
  assertEquals([status?.dbInitialized, status?.ready, status?.readyReplicas], [true, true, 2]);
});

stages.add(
  "login",
  "the administrator logs in with the generated password, and nobody with admin/admin",
  ["init"],
  async () => {
    assertEquals(await OdooSession.login(await site.web(INSTANCE), "admin"), undefined);
    const odoo = await site.login(INSTANCE);
    assertEquals(await odoo.parameter("web.base.url"), `https://${INSTANCE}.example.com`);
  },
);

stages.add("content", "records and attachments are made, and served as they were made", ["login"], async (note) => {
  const odoo = await site.login(INSTANCE);
  await makeContent(odoo);
  content = await readContent(odoo);
  const counts = { partners: Object.keys(content.partners).length, files: Object.keys(content.files).length };
  assertEquals(counts, { partners: 60, files: 44 });
  note(counts);
});

for (const format of ["zip", "dump", "sql"] as const) {
  stages.add(
    `backup ${format}`,
    `a backup in the format ${format} holds all files, and no pod is touched`,
    ["content"],
    async (note) => {
      const destination = site.location(`nightly.${format}`);
      const cr = await site.ask(OdooBackupJobKind, `nightly-${format}`, {
        odooInstanceRef: { name: INSTANCE },
        destination,
        format,
      });
      assertMatch(outcomeOf(cr), /^Completed Completed: /);
      const { bytes, files, missingFiles, seconds } = cr.status?.summary ?? {};
      note({ bytes, files, seconds });
      assertEquals(missingFiles, 0);
      if (format === "zip") assert(Number(files) >= 40, `only ${files} files`);
      assert((await site.inPhase(INSTANCE, "Running")).status?.lastBackup);
    },
  );
}

stages.add("database manager", "Odoo's own database manager takes the backup", ["backup zip"], async () => {
  await using manager = await startDatabaseManager(site);
  await manager.restore(await download(settings.s3, site.key("nightly.zip")));
  const odoo = await OdooSession.login(manager.fetch, await site.secret(objectNames.adminSecret(INSTANCE), "password"));
  assert(odoo, "the restored database does not know the administrator");
  assertEquals(await readContent(odoo), content);
});

stages.add("upgrade", "modules are installed and updated, and visitors notice nothing", ["content"], async (note) => {
  const web = await site.web(INSTANCE);
  const startedAt = performance.now();
  const seconds = () => Math.round((performance.now() - startedAt) / 100) / 10;
  const probe = startProbe(web, "/web/login");
  let counts: ProbeCounts;
  let cr: Awaited<ReturnType<Site["ask"]>>;
  try {
    cr = await site.ask(OdooUpgradeJobKind, "monthly", {
      odooInstanceRef: { name: INSTANCE },
      modules: ["contacts"],
      modulesInstall: [GOOD_MODULE],
    });
    note({ upgradedAfter: seconds() });
    await site.restarted(INSTANCE, cr);
    note({ restartedAfter: seconds() });
  } finally {
    counts = await probe.stop();
    note({ ...counts });
  }
  assertMatch(outcomeOf(cr), /^Completed Completed: /);
  const odoo = await site.login(INSTANCE);
  assertEquals(await odoo.parameter("e2e.note"), "here");
  assertEquals(await readContent(odoo), content);
  assertEquals(counts.bad, {});
});

const BROKEN_UPGRADES: Readonly<Record<string, { readonly modulesInstall: readonly string[]; readonly want: RegExp }>> =
  {
    "a module that nobody has": { modulesInstall: ["no_such_module"], want: /^Failed UnknownModule: .*no_such_module/ },
    "a module whose data is broken": { modulesInstall: [BROKEN_MODULE], want: /^Failed LoadFailed: .*no_such_record/s },
  };
for (const [n, [what, { modulesInstall, want }]] of Object.entries(BROKEN_UPGRADES).entries()) {
  stages.add(
    `broken upgrade ${n + 1}`,
    `${what} fails by its name, and the instance serves as before`,
    ["upgrade"],
    async () => {
      const cr = await site.ask(OdooUpgradeJobKind, `broken-${n}`, {
        odooInstanceRef: { name: INSTANCE },
        modulesInstall,
      });
      assertMatch(outcomeOf(cr), want);
      await site.inPhase(INSTANCE, "Running");
      const odoo = await site.login(INSTANCE);
      assertEquals(await odoo.parameter("e2e.broken"), undefined);
      assertEquals(await odoo.search("ir.module.module", [["state", "like", "to "]], ["name"]), []);
      assertEquals(await readContent(odoo), content);
    },
  );
}

for (const format of ["zip", "dump"] as const) {
  const sentence = `an instance without a database gets the ${format}'s data, neutralized`;
  stages.add(`restore ${format}`, sentence, [`backup ${format}`], async () => {
    const name = `${COPY}-${format}`;
    await site.create(name, { init: { enabled: false, modules: ["base"], demo: false }, ...WITH_ADDONS });
    const cr = await site.ask(OdooRestoreJobKind, `from-${format}`, {
      odooInstanceRef: { name },
      source: { type: "s3", s3: site.location(`nightly.${format}`) },
      format,
    });
    assertMatch(outcomeOf(cr), /^Completed Completed: /);
    await site.inPhase(name, "Running");
    const odoo = await site.login(name, INSTANCE);
    const found = await readContent(odoo, { files: format === "zip" });
    assertEquals(found, format === "zip" ? content : { ...content, files: {} });
    await assertNeutralized(odoo, name);
    await site.client.delete(OdooInstanceKind, { namespace: site.namespace, name });
  });
}

stages.add("staging refresh", "a staging instance becomes a neutralized copy", ["content"], async () => {
  await site.create(STAGING, WITH_ADDONS);
  await site.inPhase(STAGING, "Running");
  const cr = await site.ask(OdooStagingRefreshJobKind, "weekly", {
    odooInstanceRef: { name: STAGING },
    source: { instanceName: INSTANCE },
  });
  assertMatch(outcomeOf(cr), /^Completed Completed: /);
  await site.inPhase(STAGING, "Running");
  const odoo = await site.login(STAGING, INSTANCE);
  assertEquals(await readContent(odoo), content);
  await assertNeutralized(odoo, STAGING);
});

/** Sends no mail, runs no scheduled action but the clean-up, and is not taken for the instance that it was copied from. */
async function assertNeutralized(odoo: OdooSession, name: string): Promise<void> {
  assertEquals(String(await odoo.parameter("database.is_neutralized")).toLowerCase(), "true");
  const mail = await odoo.search("ir.mail_server", [["active", "=", true], ["smtp_host", "!=", "invalid"]], ["name"]);
  assertEquals(mail, []);
  const actions = await odoo.search("ir.cron", [["active", "=", true]], ["model_id"]);
  assert(actions.length <= 1, `scheduled actions are on: ${JSON.stringify(actions)}`);
  assertEquals(await odoo.parameter("web.base.url"), `https://${name}.example.com`);
  const original = await site.login(INSTANCE);
  assert(await odoo.parameter("database.uuid") !== await original.parameter("database.uuid"), "it has the same uuid");
}

stages.add("filestore migration", "the files move to another storage class", ["backup zip"], async (note) => {
  const { secondStorageClass: storageClass } = settings;
  if (!storageClass) throw new Error("E2E_STORAGE_CLASS2 is not set");
  // ReadWriteOnce is what every class can do
  const filestore = {
    storageSize: "1Gi",
    storageClass: settings.storageClass,
    accessModes: ["ReadWriteOnce" as const],
  };
  const init = { enabled: false, modules: ["base"], demo: false };
  await site.create(MOVING, { init, filestore, replicas: 1, strategy: { type: "Recreate" }, ...WITH_ADDONS });
  const cr = await site.ask(OdooRestoreJobKind, "to-move", {
    odooInstanceRef: { name: MOVING },
    source: { type: "s3", s3: site.location("nightly.zip") },
    neutralize: false,
  });
  assertMatch(outcomeOf(cr), /^Completed Completed: /);
  await site.inPhase(MOVING, "Running");
  await site.change(MOVING, "/spec/filestore/storageClass", storageClass);
  await site.inPhase(MOVING, "MigratingFilestore");
  const moved = await site.inPhase(MOVING, "Running", { timeoutMs: 600_000, passed: note });
  const name = filestoreClaimName(moved);
  const { spec } = await site.client.get(PersistentVolumeClaim, { namespace: site.namespace, name });
  assertEquals(spec?.storageClassName, storageClass);
  assertEquals(await readContent(await site.login(MOVING, INSTANCE)), content);
});

stages.add("database migration", "the database moves to another PostgreSQL", ["content"], async (note) => {
  if (!settings.secondPostgres) throw new Error("E2E_POSTGRES2_HOST is not set");
  await site.change(INSTANCE, "/spec/database", { cluster: "second" });
  await site.inPhase(INSTANCE, "MigratingDatabase");
  const { status } = await site.inPhase(INSTANCE, "Running", { timeoutMs: 600_000, passed: note });
  assertEquals(status?.activeCluster, "second");
  assertEquals(await readContent(await site.login(INSTANCE)), content);
});

if (settings.streamMib > 0) {
  const sentence = `${settings.streamMib} MiB are streamed to S3 about as fast as mc or rclone do it, in little memory`;
  stages.add("streaming", sentence, ["init"], async (note) => {
    await makeNoise(site, INSTANCE, settings.streamMib);
    const memory = watchMemory(site, INSTANCE);
    const cr = await site.ask(OdooBackupJobKind, "large", {
      odooInstanceRef: { name: INSTANCE },
      destination: site.location("large.sql"),
      format: "sql",
    });
    const rssMib = await memory.stop();
    assertMatch(outcomeOf(cr), /^Completed Completed: /);
    const seconds = Number(cr.status?.summary?.seconds);
    const others = await streamByOthers(site, INSTANCE);
    const ratios = Object.values(others).map((other) => Math.round(100 * other / seconds) / 100);
    note({ mib: settings.streamMib, rssMib, seconds, others, ratios });
    assert(rssMib <= 128, `the container took ${rssMib} MiB`);
    assert(Math.max(...ratios) >= 0.8, `it takes ${seconds} s, and ${JSON.stringify(others)} for others`);
  });
}

stages.add("delete", "instances go with all that was their own", ["init"], async () => {
  const { namespace, client } = site;
  // A copy goes first: the finished pod that copied the files still holds the volume of its source.
  const { items } = await client.list(OdooInstanceKind, { namespace });
  for (const { metadata: { name } } of items.toSorted((a) => a.metadata.name === INSTANCE ? 1 : -1)) {
    await client.delete(OdooInstanceKind, { namespace, name });
    await site.gone(OdooInstanceKind, name);
  }
  await site.gone(PersistentVolumeClaim, objectNames.filestore(INSTANCE));
  await site.gone(Secret, objectNames.adminSecret(INSTANCE));
});
