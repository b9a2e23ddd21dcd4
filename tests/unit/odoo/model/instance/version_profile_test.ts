import { assertEquals } from "@std/assert";
import { conditionOf } from "../../../../../src/kit/conditions.ts";
import type { Stored } from "../../../../../src/kit/types.ts";
import type { JobRequest, OdooInstanceStatus } from "../../../../../src/odoo/crd/mod.ts";
import { decide } from "../../../../../src/odoo/machine/decide.ts";
import { profileOf, type VersionProfile } from "../../../../../src/odoo/model/instance/version_profile.ts";
import type { World } from "../../../../../src/odoo/model/world.ts";
import {
  aBackupJob,
  anAddress,
  anInitJob,
  anUpgradeJob,
  aWorld,
  emptyFacts,
  unknownFacts,
  type WorldOverrides,
} from "../../../../support/builders.ts";

const PROFILES: Readonly<Record<string, VersionProfile | undefined>> = {
  "15.0-20221001": undefined,
  "16.0-20260101": { major: 16, minPostgres: 12, known: true },
  "17.0": { major: 17, minPostgres: 12, known: true },
  "saas~17.4+e-20260101": { major: 17, minPostgres: 12, known: true },
  "18.0.1.3": { major: 18, minPostgres: 12, known: true },
  "19.0": { major: 19, minPostgres: 13, known: true },
  "20.0-20261001": { major: 20, minPostgres: 16, known: true },
  "saas-20.2": { major: 20, minPostgres: 16, known: true },
  "21.0": { major: 21, minPostgres: 16, known: false },
  "": undefined,
  "latest": undefined,
};

for (const [version, want] of Object.entries(PROFILES)) {
  Deno.test(`profileOf() ${want ? `needs PostgreSQL ${want.minPostgres}` : "knows nothing"} when Odoo is '${version}'`, () => {
    assertEquals(profileOf(version), want);
  });
}

function ended(cr: Stored<JobRequest>, version: string, completionTime: string): Stored<JobRequest> {
  return { ...cr, status: { ...cr.status, phase: "Completed", completionTime, summary: { odoo: version } } } as Stored<
    JobRequest
  >;
}

function statusOf(world: World): OdooInstanceStatus {
  const effect = decide(world).effects.find(({ type }) => type === "status");
  return effect?.type === "status" ? effect.status : {};
}

const FIRST = ended(anInitJob(), "18.0-20250101", "2026-01-01 00:00:00");
const LATER = ended(anUpgradeJob(), "20.0-20261001", "2026-11-01 00:00:00");

/** Requests and what the status said before; the version that it says then. */
const VERSIONS: Readonly<
  Record<string, { readonly requests: readonly Stored<JobRequest>[]; readonly before?: string; readonly want: unknown }>
> = {
  "nothing when no job has reported": { requests: [], want: undefined },
  "the version of the first request": { requests: [FIRST], want: "18.0-20250101" },
  "the version of the request that ended last, whatever their order": {
    requests: [LATER, FIRST],
    want: "20.0-20261001",
  },
  "what it said when the requests are gone": { requests: [], before: "19.0", want: "19.0" },
  "what it said when a request has failed": {
    requests: [{ ...LATER, status: { ...LATER.status, phase: "Failed" } } as Stored<JobRequest>],
    before: "19.0",
    want: "19.0",
  },
  "the recorded one when the reported version cannot be parsed": {
    requests: [ended(anInitJob(), "newest", "2026-01-01 00:00:00")],
    before: "19.0",
    want: "19.0",
  },
  "what it said when only a backup has ended": {
    requests: [ended(aBackupJob(), "17.0", "2026-01-01 00:00:00")],
    before: "19.0",
    want: "19.0",
  },
};

for (const [sentence, { requests, before, want }] of Object.entries(VERSIONS)) {
  Deno.test(`decide() has as the version of Odoo ${sentence}`, () => {
    const status = before ? { odooVersion: before } : {};
    assertEquals(statusOf(aWorld({ status, observed: { requests } })).odooVersion, want);
  });
}

function on(serverMajor: number, odooVersion: string, overrides: WorldOverrides = {}): WorldOverrides {
  const status = { odooVersion, activeCluster: "main", ...overrides.status };
  return { ...overrides, status, cluster: { address: anAddress(), facts: emptyFacts({ serverMajor }) } };
}

const SAID_SO = {
  type: "PostgresSupported",
  status: "False",
  reason: "PostgresTooOld",
  message: "too old",
  lastTransitionTime: "2026-11-21T03:00:00Z",
} as const;

/** Worlds, and status and reason of the condition PostgresSupported. */
const WORLDS: Readonly<
  Record<string, { readonly given: WorldOverrides; readonly want: readonly string[] | undefined }>
> = {
  "is not there when the server is new enough": { given: on(16, "20.0"), want: undefined },
  "says so when the server is too old": { given: on(15, "20.0"), want: ["False", "PostgresTooOld"] },
  "is not there when the version is not known": { given: on(15, ""), want: undefined },
  "is taken back when the server was upgraded": {
    given: on(16, "20.0", { status: { conditions: [SAID_SO] } }),
    want: ["True", "Supported"],
  },
  "stays when the server does not answer": {
    given: {
      status: { odooVersion: "20.0", activeCluster: "main", conditions: [SAID_SO] },
      cluster: { address: anAddress(), facts: unknownFacts() },
    },
    want: ["False", "PostgresTooOld"],
  },
};

for (const [sentence, { given, want }] of Object.entries(WORLDS)) {
  Deno.test(`the condition PostgresSupported ${sentence}`, () => {
    const condition = conditionOf(statusOf(aWorld(given)).conditions, "PostgresSupported");
    assertEquals(condition && [condition.status, condition.reason], want);
  });
}

Deno.test("the condition PostgresSupported names both versions, and what to do", () => {
  const condition = conditionOf(statusOf(aWorld(on(15, "20.0-20261001"))).conditions, "PostgresSupported");
  assertEquals(
    condition?.message,
    "Odoo 20.0-20261001 needs PostgreSQL 16, and cluster main has PostgreSQL 15: upgrade the server, or set spec.image to an older Odoo",
  );
});
