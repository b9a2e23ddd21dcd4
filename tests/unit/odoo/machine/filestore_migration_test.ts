/** What is planned for a filestore migration: the new volume, the two Jobs, and what goes afterwards. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Job, PersistentVolumeClaim } from "../../../../src/kit/builders/kinds.ts";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import { OUTCOME_FINALIZER } from "../../../../src/odoo/model/names.ts";
import type { Effect } from "../../../../src/odoo/model/plan.ts";
import { aBatchJob, aClaim, aDeployment, anInstance, aWorld, type WorldOverrides } from "../../../support/builders.ts";
import { DATABASE_MIGRATIONS } from "./database_migration_worlds.ts";
import { COPY, COPY_CLAIM, ELSEWHERE, FILESTORE_MIGRATIONS, migrating, stepJob } from "./filestore_migration_worlds.ts";

function effectsOf(
  { operation, place, observed }: ReturnType<typeof migrating>,
  more: WorldOverrides,
): readonly Effect[] {
  const status = { ...(operation ? { operation } : {}), ...(place ? { filestore: place } : {}) };
  return decide(aWorld({ ...more, observed: { ...observed, ...more.observed }, status })).effects;
}

function named(name: keyof typeof FILESTORE_MIGRATIONS): ReturnType<typeof migrating> {
  const migration = FILESTORE_MIGRATIONS[name];
  if (!migration) throw new TypeError(`Cannot make a world: there is no migration called ${name}`);
  return migration;
}

function created(effects: readonly Effect[]) {
  return effects.flatMap((effect) => effect.type === "create" ? [effect] : []);
}

function newClaim(more: WorldOverrides): PersistentVolumeClaim {
  const effects = effectsOf(named("its new volume is to be made"), { phase: "MigratingFilestore", ...more });
  const [{ object, owner } = {}] = created(effects);
  assertEquals([object?.kind, object?.metadata?.name, owner?.kind], ["PersistentVolumeClaim", COPY, "OdooInstance"]);
  return object as PersistentVolumeClaim;
}

const SIZES: Readonly<Record<string, { wish: string; request: string; capacity: string; want: string }>> = {
  "the spec wants more": { wish: "20Gi", request: "10Gi", capacity: "10Gi", want: "20Gi" },
  "the volume was larger than its claim asked for": { wish: "1Gi", request: "1Gi", capacity: "8Gi", want: "8Gi" },
  "the claim has grown": { wish: "1Gi", request: "4096Mi", capacity: "2Gi", want: "4096Mi" },
};

for (const [sentence, { wish, request, capacity, want }] of Object.entries(SIZES)) {
  Deno.test(`decide() makes the new volume as large as ${want} when ${sentence}`, () => {
    const filestore = aClaim({
      spec: { storageClassName: "slow", resources: { requests: { storage: request } } },
      status: { capacity: { storage: capacity } },
    });
    const { spec } = newClaim({ instance: { spec: { filestore: { storageSize: wish } } }, observed: { filestore } });
    assertEquals([spec?.resources?.requests?.storage, spec?.storageClassName], [want, "fast"]);
  });
}

Deno.test("decide() gives the new volume the spec's access modes, else those of the present one", () => {
  const filestore = aClaim({ spec: { storageClassName: "slow", accessModes: ["ReadWriteOnce"] } });
  assertEquals(newClaim({ observed: { filestore } }).spec?.accessModes, ["ReadWriteOnce"]);
  const instance = { spec: { filestore: { accessModes: ["ReadWriteMany"] } } } as const;
  assertEquals(newClaim({ instance, observed: { filestore } }).spec?.accessModes, ["ReadWriteMany"]);
});

for (
  const [phase, step, live] of [
    ["MigratingFilestore", "copyFiles", "true"],
    ["FinalizingFilestoreMigration", "compareFiles", "false"],
  ] as const
) {
  Deno.test(`decide() makes the Job of ${step} once in ${phase}: it reads the present volume, and no selector finds it`, () => {
    const [{ object, owner } = {}, ...more] = created(effectsOf(migrating(step), { phase }));
    const job = object as Job;
    const { metadata, spec } = job.spec?.template ?? {};
    assertEquals([job.metadata?.name, owner?.kind, more.length], [stepJob(step), "OdooInstance", 0]);
    assertEquals(spec?.volumes?.map(({ persistentVolumeClaim: claim }) => claim?.claimName), [
      "shop-filestore-pvc",
      COPY,
    ]);
    assertEquals(spec?.containers[0]?.volumeMounts?.[0]?.readOnly, true);
    assertEquals(spec?.containers[0]?.env?.find(({ name }) => name === "COPY_LIVE")?.value, live);
    assertEquals(metadata?.labels?.app, undefined);
    assertEquals(created(effectsOf(migrating(step, { state: "active" }), { phase })), []);
  });
}

Deno.test("decide() tells by an event that a filestore migration begins, with its first Job only", () => {
  const reasons = (effects: readonly Effect[]) =>
    effects.flatMap((effect) => effect.type === "event" && !effect.warning ? [effect.reason] : []);
  const begun = effectsOf(migrating("copyFiles"), { phase: "MigratingFilestore" });
  assertEquals(reasons(begun), ["FilestoreMigrationStarted"]);
  const second = effectsOf(migrating("compareFiles"), { phase: "FinalizingFilestoreMigration" });
  assertEquals(reasons(second), []);
});

Deno.test("decide() holds the Job of a migration until its outcome is in the status", () => {
  const releases = (effects: readonly Effect[]) => effects.filter(({ type }) => type === "releaseJob").length;
  const active = migrating("copyFiles", { state: "active" });
  assertEquals(releases(effectsOf(active, { phase: "MigratingFilestore" })), 0);
  assertEquals(releases(effectsOf({ observed: active.observed }, { phase: "Running" })), 1);
});

function removed(effects: readonly Effect[]): string[] {
  return effects.flatMap((effect) => {
    if (effect.type === "deleteClaim") return [effect.claim.metadata.name];
    return effect.type === "deleteChild" ? [`${effect.object.kind} ${effect.object.metadata.name}`] : [];
  });
}

Deno.test("decide() deletes a copy that was given up, and its Jobs first, though they are at work", () => {
  const left = named("a copy that was given up is left");
  assertEquals(removed(effectsOf(left, {})), [`Job ${stepJob("copyFiles")}`, COPY]);
});

Deno.test("decide() deletes a former volume only when no Deployment names it and all serve", () => {
  const left = named("its former volume is left");
  const former = "shop-filestore-pvc";
  assertEquals(removed(effectsOf(left, {})), [former]);
  for (const phase of ["Starting", "Degraded", "Stopped"] as const) {
    const web = aDeployment("shop", { replicas: 2, ready: phase === "Degraded" ? 1 : 0 });
    const instance = { spec: { replicas: phase === "Stopped" ? 0 : 2 } };
    assertEquals(removed(effectsOf(left, { phase, instance, observed: { web } })), [], phase);
  }
  const cron = aDeployment("shop-cron");
  const volumes = [{ name: "filestore", persistentVolumeClaim: { claimName: former } }];
  const template = { spec: { containers: [], volumes } };
  const behind = { ...cron, spec: { ...cron.spec, selector: {}, template } };
  assertEquals(removed(effectsOf(left, { observed: { cron: behind } })), []);
});

Deno.test("decide() deletes ended Jobs, whose pods hold a volume that is to go", () => {
  const left = named("its former volume waits for a Job's pod");
  const job = aBatchJob(stepJob("compareFiles"), anInstance());
  const released = { ...job, metadata: { ...job.metadata, finalizers: [] } };
  const held = { ...job, metadata: { ...job.metadata, name: "held", finalizers: [OUTCOME_FINALIZER] } };
  assertEquals(removed(effectsOf(left, { observed: { jobs: [released, held] } })), [`Job ${stepJob("compareFiles")}`]);
});

Deno.test("decide() fills in the class that the volume has where the spec names none, and not the default", () => {
  const silent = { spec: { filestore: { storageClass: undefined } } };
  const classOf = (observed: WorldOverrides["observed"]) => {
    const [effect] = decide(aWorld({ instance: silent, ...(observed ? { observed } : {}) })).effects;
    return effect?.type === "patchInstance"
      ? effect.operations.flatMap((operation) =>
        operation.path === "/spec/filestore/storageClass" && "value" in operation ? [operation.value] : []
      )
      : [];
  };
  assertEquals(classOf({ filestore: ELSEWHERE }), ["slow"]);
  assertEquals(classOf({ filestore: undefined }), ["standard"]);
  assertEquals(classOf({ filestore: aClaim({ spec: { storageClassName: "" } }) }), []);
  assertEquals(COPY_CLAIM.metadata.name, COPY);
});

Deno.test("decide() tells in condition and event what the log of a migration says most when it failed", () => {
  const effects = effectsOf(named("its files differ"), { phase: "FinalizingFilestoreMigration" });
  const status = effects.flatMap((effect) => effect.type === "status" ? [effect.status] : [])[0];
  const told = status?.conditions?.find(({ type }) => type === "FilestoreMigrated")?.message;
  assertStringIncludes(told ?? "", "It is full (cannot write a/bc: no space)");
  const notes = effects.flatMap((effect) => effect.type === "event" ? [effect.note] : []);
  assertEquals(notes[0], "The files stay where they are. It is full (cannot write a/bc: no space)");
});

Deno.test("decide() tells in the condition, without secrets, what the log of a database migration says most", () => {
  const failed = DATABASE_MIGRATIONS["could not copy the database"];
  const { effects } = decide(aWorld({ ...failed, phase: "MigratingDatabase" }));
  const status = effects.flatMap((effect) => effect.type === "status" ? [effect.status] : [])[0];
  const told = status?.conditions?.find(({ type }) => type === "DatabaseMigrated")?.message;
  assertStringIncludes(told ?? "", "rows are missing (PASSWORD=*** fails). The database is where it was");
});
