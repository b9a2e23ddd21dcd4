import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { decide } from "../../../../../src/odoo/machine/decide.ts";
import { adminPasswordMark, adminPasswordProblem } from "../../../../../src/odoo/model/instance/admin_password.ts";
import { configInputsHash, configText } from "../../../../../src/odoo/model/instance/config_text.ts";
import { CONTENT_HASH_ANNOTATION, RENDERED_FROM_ANNOTATION } from "../../../../../src/odoo/model/names.ts";
import type { AdminPasswordFacts } from "../../../../../src/odoo/model/world.ts";
import { anAddress, aResolved, aSecret, aWorld, type WorldOverrides } from "../../../../support/builders.ts";

const REF = { name: "vault", key: "master" } as const;
const INSTANCE = { spec: { adminPassword: undefined, adminPasswordSecretRef: REF } } as const;

/** A world whose odoo.conf was rendered from the Secret in version `uid/7`. */
function worldWith(adminPassword: AdminPasswordFacts | undefined, overrides: WorldOverrides = {}) {
  const userSecret = aSecret("shop-odoo-user", { version: "uid-of-user-secret/3" });
  const text = configText(aResolved(INSTANCE), anAddress());
  const rendered = configInputsHash(text, "uid/7/master", userSecret.version);
  const annotations = { [RENDERED_FROM_ANNOTATION]: rendered, [CONTENT_HASH_ANNOTATION]: "c0ffee" };
  const configSecret = aSecret("shop-odoo-conf", { annotations });
  return aWorld({ instance: INSTANCE, ...overrides, observed: { userSecret, configSecret, adminPassword } });
}

function rendering(world: ReturnType<typeof aWorld>) {
  return decide(world).effects.filter(({ type }) => type === "renderConfig");
}

function readiness(world: ReturnType<typeof aWorld>) {
  const status = decide(world).effects.find((effect) => effect.type === "status");
  assert(status?.type === "status");
  const ready = status.status.conditions?.find(({ type }) => type === "Ready");
  return [status.status.phase, ready?.status, ready?.reason];
}

Deno.test("decide() renders odoo.conf again, from the Secret and not from the plan, when its version differs", () => {
  assertEquals(rendering(worldWith({ version: "uid/7" })), []);
  const [effect] = rendering(worldWith({ version: "uid/8" }));
  assert(effect?.type === "renderConfig");
  assertEquals(effect.adminPassword, REF);
});

const MISSING: Readonly<Record<string, { readonly given: AdminPasswordFacts; readonly says: string }>> = {
  "its Secret does not exist": { given: { missing: "noSecret" }, says: "create it in namespace blue" },
  "its Secret has no such key": { given: { missing: "noKey", version: "uid/8" }, says: "key master of Secret vault" },
  "it names nothing": { given: { missing: "incomplete" }, says: "both a name and a key" },
};

for (const [sentence, { given, says }] of Object.entries(MISSING)) {
  Deno.test(`decide() renders nothing and says AdminPasswordMissing when ${sentence}`, () => {
    const fresh = worldWith(given, { phase: "Provisioning", status: { dbInitialized: false } });
    assertEquals([rendering(fresh), readiness(fresh)], [[], ["Error", "False", "AdminPasswordMissing"]]);
    assertStringIncludes(adminPasswordProblem(fresh)?.message ?? "", says);
    const serving = worldWith(given);
    assertEquals([rendering(serving), readiness(serving)], [[], ["Running", "False", "AdminPasswordMissing"]]);
  });
}

Deno.test("adminPasswordMark() is the password without a reference, and undefined while the Secret was not read", () => {
  assertEquals(adminPasswordMark(aWorld()), "master-secret");
  assertEquals(adminPasswordMark(worldWith(undefined)), undefined);
  assertEquals(adminPasswordProblem(worldWith(undefined)), undefined);
  assertEquals(adminPasswordProblem(aWorld()), undefined);
  const both = worldWith({ version: "uid/9" }, { instance: { spec: { adminPasswordSecretRef: REF } } });
  assertEquals(adminPasswordMark(both), "uid/9/master");
});
