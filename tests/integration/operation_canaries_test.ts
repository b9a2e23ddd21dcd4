/**
 * Every operation with secrets that nobody else has: keys of S3, tokens of webhooks, the master password of another Odoo, logins of
 * databases, and what a program prints of them. None is found wherever the operator writes or can be looked at.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { prepareForOperator } from "../../dev/operator.ts";
import { conditionOf, Job, type KubeObject, type ResourceType, Secret } from "../../src/kit/mod.ts";
import type { JobRequestStatus } from "../../src/odoo/crd/mod.ts";
import { databaseName, objectNames } from "../../src/odoo/model/names.ts";
import {
  OdooBackupJobKind,
  OdooRestoreJobKind,
  OdooStagingRefreshJobKind,
  OdooUpgradeJobKind,
} from "../../src/odoo/shell/kinds.ts";
import { Canaries } from "../support/canaries.ts";
import { recorded, visible } from "../support/canary_places.ts";
import { eventually } from "../support/eventually.ts";
import { startReceiver } from "../support/receiver.ts";
import { startRig } from "../support/rig.ts";

const ACCESS_KEY = "access key's \\ canary 1";
const SECRET_KEY = "secret key's \\ canary 2";
const HOOK = "token-of-hooks-canary-3";
const PLAIN_HOOK = "plain-token-of-hooks-canary-4";
const SOURCE = "other master's \\ canary 5";
/** The operator does not know it, so it must be told by its form. */
const PRINTED = "printed/by+programs-canary-6";

/** What all kinds of requests have. */
interface Request extends KubeObject {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: JobRequestStatus | null;
}

const LAST_WORDS = [
  "+ PGPASSWORD=" + PRINTED,
  `> Authorization: Bearer ${PRINTED}`,
  `psycopg2.OperationalError: cannot connect to postgres://shop:${PRINTED}@db:5432/shop`,
].join("\n");

Deno.test("no secret is outside Secrets, in every operation", async (t) => {
  const failing = new Set<string>();
  const rig = await startRig({
    bare: true,
    jobs: {
      delayMs: 50,
      outcomeOf: ({ spec }) =>
        failing.has(spec?.containers[0]?.name ?? "") ? { exitCode: 1, message: LAST_WORDS } : undefined,
    },
    cluster: { auditLevel: "Request", postgres: { settings: { log_statement: "all" } } },
  });
  await using receiver = startReceiver({ hostname: "127.0.0.2" }); // the first is the API server's, which is refused
  try {
    const { client } = rig;
    await prepareForOperator(client, rig.cluster);
    await rig.start({ args: ["--log-level=debug", "--allowed-webhook-hosts=127.0.0.2"] });
    const namespace = await rig.namespace();
    const canaries = new Canaries();
    const fixed = { ACCESS_KEY, SECRET_KEY, HOOK, PLAIN_HOOK, SOURCE, PRINTED };
    for (const [name, value] of Object.entries(fixed)) canaries.add(name, value);

    /** Looks for what was given, and for the logins that the operator has made. */
    const look = async (when: string, job?: string) => {
      const { items } = await client.list(Secret, { namespace });
      for (const { metadata: { name }, data = {} } of items) {
        if (data.password) canaries.add(`${name} ${data.password}`, atob(data.password));
      }
      const places = await visible(rig);
      assert(!job || places.some(({ what }) => what === `jobs ${job}`), `${when}: there is no Job to look at`);
      const leaks = canaries.findIn(places);
      assertEquals(leaks, [], `${when}: ${JSON.stringify(leaks)}`);
    };
    const url = `http://127.0.0.2:${receiver.port}`;
    const webhook = { url, secretTokenSecretRef: { name: "hook", key: "token" } };
    const ask = async (type: ResourceType, name: string, instance: string, spec: Record<string, unknown>) => {
      await client.create<Request>(type, {
        metadata: { name, namespace },
        spec: { odooInstanceRef: { name: instance }, ...spec },
      });
      const cr = await eventually(`${name} has ended`, async () => {
        const cr = await client.get<Request>(type, { namespace, name });
        if (!cr.status?.completionTime) throw new Error(`it is ${JSON.stringify(cr.status)}`);
        return cr;
      }, { timeoutMs: 90_000 });
      await rig.inPhase(namespace, instance, "Running", { timeoutMs: 90_000 });
      return cr;
    };
    /** Names of the Jobs that were made for a request. */
    const jobsOf = async (uid = "") => {
      const { items } = await client.list(Job, { namespace });
      const mine = items.filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.uid === uid));
      return mine.map(({ metadata }) => metadata.name);
    };
    const succeeds = async (...request: Parameters<typeof ask>) => {
      const cr = await ask(...request);
      const told = conditionOf(cr.status?.conditions, "Succeeded");
      assertEquals(cr.status?.phase, "Completed", told?.message);
      const jobs = await jobsOf(cr.metadata?.uid);
      assert(jobs.length > 0, "a Job is there to be looked at");
      await look(`after ${request[1]}`, jobs[0]);
    };
    const location = {
      bucket: "backups",
      objectKey: "shop/nightly.zip",
      endpoint: "https://s3.example.com",
      s3CredentialsSecretRef: { name: "s3-keys" },
      caSecretRef: { name: "s3-ca" },
    };

    await t.step("two instances", async () => {
      const stringData = { accessKey: ACCESS_KEY, secretKey: SECRET_KEY };
      await client.create(Secret, { metadata: { name: "s3-keys", namespace }, stringData });
      await client.create(Secret, { metadata: { name: "hook", namespace }, stringData: { token: HOOK } });
      await rig.create(namespace, "live", { environment: "Production" });
      await rig.create(namespace, "staging");
      const live = await rig.inPhase(namespace, "live", "Running");
      await rig.inPhase(namespace, "staging", "Running");
      rig.jobs.copies.addDirectory(namespace, objectNames.filestore("live"), databaseName(live, live.metadata.uid));
      await look("before any operation");
    });
    await t.step("a backup, of which a webhook is told", async () => {
      await succeeds(OdooBackupJobKind, "nightly", "live", { destination: location, webhook });
      await eventually("the webhook is told", () => receiver.requests.length > 0);
      assertStringIncludes(receiver.requests[0] ?? "", `Authorization: Bearer ${HOOK}`);
    });
    await t.step("a backup that fails with secrets in its last words", async () => {
      failing.add("backup");
      const spec = { destination: location, webhook: { url, token: PLAIN_HOOK } };
      const { status } = await ask(OdooBackupJobKind, "broken", "live", spec);
      assertEquals(
        status?.message,
        "The Job ended before the backup was complete: " +
          "psycopg2.OperationalError: cannot connect to postgres://shop:***@db:5432/shop",
      );
      assertEquals(status?.logTail?.split("\n").length, 3);
      await eventually("the webhook is told", () => receiver.requests.some((text) => text.includes(PLAIN_HOOK)));
      await look("after a failed backup");
      failing.clear();
    });
    await t.step("restores from S3 and from another Odoo", async () => {
      await succeeds(OdooRestoreJobKind, "back", "staging", { source: { type: "s3", s3: location }, webhook });
      const odoo = { url: "https://old.example.com", masterPassword: SOURCE };
      await succeeds(OdooRestoreJobKind, "moved", "staging", { source: { type: "odoo", odoo } });
    });
    await t.step("an upgrade that succeeds, and one that fails", async () => {
      await succeeds(OdooUpgradeJobKind, "monthly", "staging", { modules: ["base"] });
      failing.add("upgrade");
      const { status } = await ask(OdooUpgradeJobKind, "bad", "staging", { modules: ["base"] });
      assertEquals(status?.phase, "Failed");
      await look("after a failed upgrade");
      failing.clear();
    });
    await t.step("a staging refresh, and all that was written down", async () => {
      await succeeds(OdooStagingRefreshJobKind, "weekly", "staging", { source: { instanceName: "live" } });
      assert(canaries.names.length >= 8, `only ${canaries.names.length} secrets were looked for`);
      assertEquals(canaries.findIn(await recorded(rig)), []);
    });
  } finally {
    await rig.stop();
  }
});
