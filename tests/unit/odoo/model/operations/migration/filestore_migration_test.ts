import { assertEquals } from "@std/assert";
import type { FilestorePlace, Phase } from "../../../../../../src/odoo/crd/mod.ts";
import { assess } from "../../../../../../src/odoo/machine/assess.ts";
import {
  filestoreFields,
  filestoreOperation,
  migrationDeadlineMs,
} from "../../../../../../src/odoo/model/operations/migration/filestore_migration.ts";
import type { World } from "../../../../../../src/odoo/model/world.ts";
import { aClaim, aWorld, NOW, type WorldOverrides } from "../../../../../support/builders.ts";
import {
  COPY,
  COPY_CLAIM,
  ELSEWHERE,
  FILESTORE_MIGRATIONS,
  migrating,
  PLACE,
  stepJob,
} from "../../../machine/filestore_migration_worlds.ts";

function overridesOf({ operation, place, observed }: ReturnType<typeof migrating>): WorldOverrides {
  return { observed, status: { ...(operation ? { operation } : {}), ...(place ? { filestore: place } : {}) } };
}

function world(name: keyof typeof FILESTORE_MIGRATIONS, more: WorldOverrides = {}): World {
  const migration = FILESTORE_MIGRATIONS[name];
  if (!migration) throw new TypeError(`Cannot make a world: there is no migration called ${name}`);
  return aWorld({ ...overridesOf(migration), ...more });
}

/** The fields of the status when `phase` is entered. */
function fieldsIn(given: World, phase: Phase) {
  const assessment = { ...assess(given), nextPhase: phase };
  return filestoreFields(assessment, filestoreOperation(assessment));
}

const LATE: Readonly<Record<string, { given: WorldOverrides; want: string }>> = {
  "the new volume is not provided": {
    given: { observed: { filestoreCopy: { ...COPY_CLAIM, status: { phase: "Pending" } } } },
    want: "VolumeNotProvided",
  },
  "the pod finds no node": { given: {}, want: "JobNotBegun" },
};

for (const [sentence, { given, want }] of Object.entries(LATE)) {
  Deno.test(`filestoreMigrationOutcome() gives a step up in time when ${sentence}`, () => {
    const late = world("its files are not copied in time");
    const trouble = { job: { reason: "PodUnschedulable", message: "Pod p finds no node: no luck" } };
    const all = { ...late, observed: { ...late.observed, ...given.observed, podTroubles: trouble } } as World;
    const outcome = assess(all).migration;
    assertEquals(outcome.state, "failed");
    assertEquals("reason" in outcome ? outcome.reason : "", want);
    assertEquals("message" in outcome && outcome.message.endsWith("Pod p finds no node: no luck"), true);
    assertEquals(migrationDeadlineMs(all), NOW);
    assertEquals(assess({ ...all, now: NOW - 1 }).migration, { state: "running" });
  });
}

const OUTCOMES: Readonly<Record<string, { given: keyof typeof FILESTORE_MIGRATIONS; want: string }>> = {
  "its files are being compared": { given: "its files are being compared", want: "running" },
  "its files are copied, but not compared": { given: "its files are copied", want: "copied" },
  "both volumes hold the same": { given: "its files are the same", want: "succeeded" },
  "the former volume is gone, but the copy is complete": {
    given: "its files are the same, and those that were served are gone",
    want: "succeeded",
  },
  "its Job failed": { given: "its files cannot be copied", want: "failed VolumeFull" },
  "somebody deleted the copy": { given: "its new volume is deleted", want: "failed CopyDeleted" },
  "somebody deleted the files": {
    given: "its files are being compared, and those that were served are deleted",
    want: "failed SourceDeleted",
  },
  "the spec wants another class": { given: "its move is withdrawn", want: "withdrawn" },
};

for (const [sentence, { given, want }] of Object.entries(OUTCOMES)) {
  Deno.test(`filestoreMigrationOutcome() is ${want} when ${sentence}`, () => {
    const outcome = assess(world(given)).migration;
    assertEquals([outcome.state, ..."reason" in outcome ? [outcome.reason] : []].join(" "), want);
  });
}

Deno.test("filestoreMigrationOutcome() withdraws nothing when the spec cannot be read", () => {
  const unreadable = world("its move is withdrawn", { instance: { spec: { ingress: { hosts: [] } } } });
  assertEquals(assess(unreadable).migration.state, "running");
});

const PLACES: Readonly<Record<string, { given: World; phase: Phase; want: FilestorePlace | undefined }>> = {
  "it begins": { given: world("its files are to be moved"), phase: "MigratingFilestore", want: PLACE },
  "it goes to its last step": {
    given: world("its files are copied"),
    phase: "FinalizingFilestoreMigration",
    want: PLACE,
  },
  "it is complete": {
    given: world("its files are the same"),
    phase: "Starting",
    want: { claim: COPY, former: "shop-filestore-pvc" },
  },
  "it was withdrawn": {
    given: world("its move is withdrawn"),
    phase: "Running",
    want: { ...PLACE, storageClass: "other" },
  },
  "the files that it was about are lost": {
    given: world("its files are being compared, and those that were served are deleted"),
    phase: "Running",
    want: undefined,
  },
  "its former volume is still there": {
    given: world("its former volume is left"),
    phase: "Running",
    want: { claim: COPY, former: "shop-filestore-pvc" },
  },
  "its former volume is gone": {
    given: aWorld({
      status: { filestore: { claim: COPY, former: "shop-filestore-pvc" } },
      observed: { filestore: COPY_CLAIM },
    }),
    phase: "Running",
    want: { claim: COPY },
  },
  "the copy that was given up is gone, but not its Job": {
    given: world("a copy that was given up is left", {
      observed: { ...FILESTORE_MIGRATIONS["a copy that was given up is left"]?.observed, filestoreCopy: undefined },
    }),
    phase: "Running",
    want: PLACE,
  },
  "nothing is left of a copy that was given up": {
    given: aWorld({ status: { filestore: PLACE }, observed: { filestore: ELSEWHERE } }),
    phase: "Running",
    want: undefined,
  },
};

for (const [sentence, { given, phase, want }] of Object.entries(PLACES)) {
  Deno.test(`filestoreFields() records ${JSON.stringify(want)} when ${sentence}`, () => {
    assertEquals(fieldsIn(given, phase).filestore, want);
  });
}

Deno.test("filestoreFields() records a failed request until the request changes", () => {
  const failed = world("its files cannot be copied");
  const { filestore } = fieldsIn(failed, "Running");
  assertEquals(typeof filestore?.refused, "string");
  const after = (spec: NonNullable<WorldOverrides["instance"]>) =>
    aWorld({
      status: { filestore: { refused: filestore?.refused } },
      observed: { filestore: ELSEWHERE },
      instance: spec,
    });
  const kept = (given: World) => fieldsIn(given, "Running").filestore?.refused !== undefined;
  assertEquals(kept(after({})), true);
  assertEquals(kept(after({ spec: { replicas: 3 } })), true);
  assertEquals(kept(after({ spec: { filestore: { storageSize: "20Gi" } } })), false);
  assertEquals(kept(after({ spec: { jobDefaults: { nodeSelector: { disk: "fast" } } } })), false);
});

Deno.test("filestoreFields() writes the fields of operator 2.5.0, and removes them", () => {
  const { migrationJobName, migrationPreviousStorageClass } = fieldsIn(
    world("its files are to be moved"),
    "MigratingFilestore",
  );
  assertEquals([migrationJobName, migrationPreviousStorageClass], [stepJob("copyFiles"), "slow"]);
  const after = fieldsIn(world("its files are the same"), "Starting");
  assertEquals([after.migrationJobName, after.migrationPreviousStorageClass], [null, null]);
});

const TARGETS: Readonly<Record<string, { given: WorldOverrides; want: string | undefined }>> = {
  "the volume has another class": { given: { observed: { filestore: ELSEWHERE } }, want: "fast" },
  "the volume has that class": { given: {}, want: undefined },
  "the spec names none, whatever the default is": {
    given: { instance: { spec: { filestore: { storageClass: undefined } } }, observed: { filestore: ELSEWHERE } },
    want: undefined,
  },
  "the volume names none": {
    given: { observed: { filestore: aClaim({ spec: { storageClassName: undefined } }) } },
    want: undefined,
  },
  "the volume was bound by hand": {
    given: { observed: { filestore: aClaim({ spec: { storageClassName: "" } }) } },
    want: undefined,
  },
  "there is no volume": { given: { observed: { filestore: undefined } }, want: undefined },
};

for (const [sentence, { given, want }] of Object.entries(TARGETS)) {
  Deno.test(`filestoreMigrationRequest() has the target ${want} when ${sentence}`, () => {
    assertEquals(assess(aWorld(given)).migrations.filestore.target, want);
  });
}

Deno.test("filestoreMigrationRequest() names what it waits for", () => {
  const obstacleIn = (name: keyof typeof FILESTORE_MIGRATIONS, more: WorldOverrides = {}) =>
    assess(world(name, more)).migrations.filestore.obstacle?.message;
  assertEquals(obstacleIn("its files are to be moved"), undefined);
  assertEquals(
    obstacleIn("its files are to be moved, somebody asks for a backup"),
    "Waiting for OdooBackupJob nightly to end",
  );
  assertEquals(
    obstacleIn("its former volume is left", { instance: { spec: { filestore: { storageClass: "other" } } } }),
    "Waiting until PersistentVolumeClaim shop-filestore-pvc of the last migration is deleted",
  );
});
