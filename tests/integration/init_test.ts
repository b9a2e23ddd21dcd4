/** An initialisation tells the truth: what it installed, or why not, and how to go on; and it leaves no known password. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ConfigMap, Deployment, Job, type KubeObject, Pod, Secret } from "../../src/kit/mod.ts";
import type { OdooInitJob } from "../../src/odoo/crd/mod.ts";
import { OdooInitJobKind } from "../../src/odoo/shell/kinds.ts";
import type { Outcome } from "../../dev/odoo_jobs.ts";
import { eventually } from "../support/eventually.ts";
import { lets } from "../support/odoo_hash.ts";
import { type Rig, startRig } from "../support/rig.ts";

let rig: Rig;
/** By name of the instance; without an entry all goes well. */
const outcomes = new Map<string, Outcome>();

Deno.test.beforeAll(async () => {
  rig = await startRig({
    jobs: { delayMs: 50, outcomeOf: (pod) => outcomes.get(pod.metadata.labels?.["bemade.org/instance"] ?? "") },
  });
});
Deno.test.afterAll(() => rig?.stop());

function databaseOf(uid: string): string {
  return `odoo_${uid.replaceAll("-", "_")}`;
}

async function tryAgain(namespace: string, instance: string, modules: string[] = ["base"]): Promise<void> {
  outcomes.delete(instance);
  await rig.client.create<OdooInitJob>(OdooInitJobKind, {
    metadata: { name: "again", namespace },
    spec: { odooInstanceRef: { name: instance }, modules },
  });
}

function initJob(namespace: string, name: string) {
  return eventually(`OdooInitJob ${name} has ended`, async () => {
    const cr = await rig.client.get<OdooInitJob>(OdooInitJobKind, { namespace, name });
    return (cr.status?.phase === "Completed" || cr.status?.phase === "Failed") && cr;
  });
}

Deno.test("an initialisation that went well tells what is installed, sets the URLs, and gives admin a password in a Secret", async () => {
  const namespace = await rig.namespace();
  const { metadata: { uid } } = await rig.create(namespace, "shop", {
    init: { modules: ["sale"], demo: false, languages: ["fr_CA"] },
  });
  const { status } = await rig.inPhase(namespace, "shop", "Running");
  const cr = await initJob(namespace, "shop-auto-init");
  assertEquals([cr.status?.phase, cr.status?.message], [
    "Completed",
    "Installed sale 19.0.1.0 (2 modules in all) with Odoo 19.0-20260101 in 1 s; languages: en_US, fr_CA",
  ]);
  const parameters = await rig.sql(
    "select key, value from ir_config_parameter where key ~ 'url' order by key",
    [],
    databaseOf(uid),
  );
  assertEquals(parameters.map(({ key, value }) => [key, value]), [
    ["report.url", "http://shop:8069"],
    ["web.base.url", "https://shop.example.com"],
    ["web.base.url.freeze", "True"],
  ]);
  const secret = await rig.client.get(Secret, { namespace, name: "shop-admin" });
  const password = atob(secret.data?.password ?? "");
  assertEquals([atob(secret.data?.username ?? ""), secret.metadata.labels?.["bemade.org/instance"]], ["admin", "shop"]);
  assertEquals(secret.metadata.ownerReferences?.map((owner) => owner.uid), [uid]);
  assertMatch(password, /^[0-9a-f]{48}$/);
  const [user] = await rig.sql("select password from res_users where login = 'admin'", [], databaseOf(uid));
  assertEquals([lets(user?.password, password), lets(user?.password, "admin")], [true, false]);
  const log = await Deno.readTextFile(rig.operator?.process.logPath ?? "");
  assert(!(log + JSON.stringify([cr, status])).includes(password), "the password is in the log or a status");
});

const TROUBLES: Readonly<Record<string, { readonly name: string; readonly outcome: Outcome; readonly says: string }>> =
  {
    "does not have a module": {
      name: "unknown",
      outcome: { image: { unknown: ["sale"] } },
      says: "the image has no module sale",
    },
    "does not find a module on disk": {
      name: "missing",
      outcome: { image: { missing: ["sale"] } },
      says: "left half-way: sale (to install)",
    },
    "dies half-way": {
      name: "crashing",
      outcome: { image: { crashAt: "sale" } },
      says: "The Job ended before sale could be installed: odoo.tools.convert.ParseError: while parsing sale/",
    },
    "is killed for its memory and leaves no word": {
      name: "hungry",
      outcome: { exitCode: 137, reason: "OOMKilled" },
      says: "OOMKilled (exit code 137): it used more memory than its limit, raise spec.resources.limits.memory",
    },
    "ends well and says nothing that can be read": {
      name: "mumbling",
      outcome: { message: '{"ok":true,"modules":[{"na' },
      says: "The Job ended without a result that can be read",
    },
  };

for (const [what, { name, outcome, says }] of Object.entries(TROUBLES)) {
  Deno.test(`an image that ${what} leads to InitFailed with the reason, in the instance and its OdooInitJob`, async () => {
    const namespace = await rig.namespace();
    outcomes.set(name, outcome);
    await rig.create(namespace, name, { init: { modules: ["sale"], demo: false } });
    const { status } = await rig.inPhase(namespace, name, "InitFailed", { reason: "InitFailed" });
    assertStringIncludes(status?.message ?? "", says);
    assertStringIncludes(status?.message ?? "", "Create a new OdooInitJob to try again");
    const cr = await initJob(namespace, `${name}-auto-init`);
    assertEquals(cr.status?.phase, "Failed");
    assertStringIncludes(cr.status?.message ?? "", says);
    assertEquals(status?.dbInitialized, false);
  });
}

Deno.test("a new OdooInitJob begins again with an empty database after one that was left half-built", async () => {
  const namespace = await rig.namespace();
  outcomes.set("phoenix", { image: { crashAt: "broken_module" } });
  const { metadata: { uid } } = await rig.create(namespace, "phoenix", {
    init: { modules: ["broken_module"], demo: false },
  });
  await rig.inPhase(namespace, "phoenix", "InitFailed");
  const modules = () => rig.sql("select name, state from ir_module_module order by name", [], databaseOf(uid));
  assertEquals((await modules()).map(({ state }) => state), ["installed", "to install"]);
  await tryAgain(namespace, "phoenix", ["sale"]);
  await rig.inPhase(namespace, "phoenix", "Running");
  assertEquals((await modules()).map(({ name, state }) => [name, state]), [["base", "installed"], [
    "sale",
    "installed",
  ]]);
  assertEquals((await initJob(namespace, "again")).status?.phase, "Completed");
});

Deno.test("an initialisation refuses a database that somebody else has filled, says what to do, and touches nothing", async () => {
  const namespace = await rig.namespace();
  const { metadata: { uid } } = await rig.create(namespace, "restored", { init: { enabled: false } });
  await rig.inPhase(namespace, "restored", "Uninitialized");
  const fill = "create table ir_module_module (name varchar); insert into ir_module_module values ('precious')";
  await rig.sql(fill, [], databaseOf(uid));
  await tryAgain(namespace, "restored");
  const { status } = await rig.inPhase(namespace, "restored", "InitFailed", { reason: "InitFailed" });
  assertStringIncludes(status?.message ?? "", "nothing was touched. Set spec.database.name to another name");
  assertEquals(await rig.sql("select name from ir_module_module", [], databaseOf(uid)), [{ name: "precious" }]);
});

Deno.test("adminPasswordSecretRef: the master password comes from that Secret, which may come late, and follows it", async () => {
  const namespace = await rig.namespace();
  const written = (name: string, password: string, labels: Record<string, string> = {}) =>
    rig.client.create(Secret, { metadata: { name, namespace, labels }, data: { master: btoa(password) } });
  const adminPasswd = async () => {
    const secret = await rig.client.get(Secret, { namespace, name: "careful-odoo-conf" });
    return atob(secret.data?.["odoo.conf"] ?? "").match(/^admin_passwd = (.*)$/m)?.[1] ?? "";
  };
  await rig.create(namespace, "careful", {
    adminPassword: null,
    adminPasswordSecretRef: { name: "vault", key: "master" },
  });
  const { status } = await rig.inPhase(namespace, "careful", "Error", { reason: "AdminPasswordMissing" });
  assertStringIncludes(
    status?.message ?? "",
    `create it in namespace ${namespace}, with the password under key master`,
  );
  const listed = await rig.client.list(Secret, { namespace });
  assert(!listed.items.some(({ metadata }) => metadata.name === "careful-odoo-conf"), "rendered without a password");
  await written("vault", "correct horse", { "bemade.org/instance": "careful" });
  await rig.inPhase(namespace, "careful", "Running");
  const hash = await adminPasswd();
  assert(lets(hash, "correct horse"));
  await rig.client.patch(Secret, { namespace, name: "vault" }, [
    { op: "replace", path: "/data/master", value: btoa("battery staple") },
  ]);
  await eventually("odoo.conf has the new password", async () => lets(await adminPasswd(), "battery staple"));
  const { status: after, spec } = await rig.inPhase(namespace, "careful", "Running");
  const kinds = [ConfigMap, Deployment, Job, Pod] as const;
  const objects = await Promise.all(kinds.map((type) => rig.client.list<KubeObject>(type, { namespace })));
  const log = await Deno.readTextFile(rig.operator?.process.logPath ?? "");
  for (const password of ["correct horse", "battery staple", hash]) {
    assert(!(log + JSON.stringify([objects, after, spec])).includes(password), "a password is where none belongs");
  }
});
