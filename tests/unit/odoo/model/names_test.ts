import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import {
  autoInitRound,
  containerNames,
  cronSelector,
  databaseName,
  instanceLabels,
  isOlder,
  LONGEST_INSTANCE_NAME,
  objectNames,
  operationJobName,
  readOnlyRoleName,
  rivalNames,
  roleName,
  webSelector,
} from "../../../../src/odoo/model/names.ts";
import { renderedObjects, SCENARIOS } from "../../../../tools/golden.ts";
import { anInitJob, anInstance, INIT_JOB_UID, INSTANCE_UID } from "../../../support/builders.ts";

const LONG = "a".repeat(LONGEST_INSTANCE_NAME);
const LABEL = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

Deno.test("roleName() is upstream's when it fits into 63 bytes", () => {
  assertEquals(roleName({ namespace: "blue", name: "shop" }), "odoo.blue.shop");
  const exact = { namespace: "n".repeat(63 - "odoo..".length - 10), name: "a".repeat(10) };
  assertEquals(roleName(exact), `odoo.${exact.namespace}.${exact.name}`);
});

Deno.test("roleName() ends in a hash, differs and stays when it would be cut", () => {
  const namespace = "n".repeat(63);
  const names = ["a", "b", LONG, `${LONG.slice(1)}b`].map((name) => roleName({ namespace, name }));
  assertEquals(new Set(names).size, names.length);
  for (const name of names) {
    assert(name.length <= 63, name);
    assertMatch(name, /^odoo\.n+\.[0-9a-f]{10}$/);
  }
  assertEquals(roleName({ namespace, name: "a" }), "odoo.nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn.fea5989f1e");
});

Deno.test("readOnlyRoleName() is upstream's when it fits, always ends in _ro, and is never an owner's", () => {
  assertEquals(readOnlyRoleName({ namespace: "blue", name: "shop" }), "odoo.blue.shop_ro");
  for (const length of [1, 47, 48, 49, 50, 51, 52, 53, 60, 63]) {
    const instances = ["a", "b", LONG].map((name) => ({ namespace: "n".repeat(length), name }));
    const names = instances.flatMap((instance) => [roleName(instance), readOnlyRoleName(instance)]);
    assertEquals(new Set(names).size, names.length);
    for (const instance of instances) {
      const name = readOnlyRoleName(instance);
      assert(name.length <= 63 && name.endsWith("_ro"), name);
    }
  }
});

Deno.test("roleName() leaves no separator before the one of the hash", () => {
  const name = roleName({ namespace: `${"n".repeat(45)}`, name: "-b".repeat(20) });
  assertMatch(name, /[a-z0-9]\.[0-9a-f]{10}$/);
});

Deno.test("databaseName() is the one asked for, else made from the uid", () => {
  assertEquals(databaseName(anInstance({ spec: { database: { name: "Shop-1" } } }), INSTANCE_UID), "Shop-1");
  const made = "odoo_0b8f1f5e_7f2c_4f6e_9d3a_0000000000a1";
  for (const database of [undefined, null, {}, { name: "" }, { name: null }] as const) {
    assertEquals(databaseName(anInstance({ spec: { database } }), INSTANCE_UID), made);
  }
  assertEquals(databaseName(anInstance(), "ABC-1"), "odoo_____1");
});

Deno.test("operationJobName() is a valid name of at most 63 characters, the same for the same CR only", () => {
  const name = (cr: string, uid: string) => operationJobName(anInitJob({ metadata: { name: cr } }), uid);
  assertEquals(name("first", INIT_JOB_UID), "first-5c1d2e3f");
  const long = `${"a".repeat(45)}.${"b".repeat(200)}`;
  const names = [name(long, INIT_JOB_UID), name(`${long}c`, INIT_JOB_UID), name(long, "ffffffff-0")];
  assertEquals(new Set(names).size, 3);
  for (const each of names) {
    assert(each.length <= 63, each);
    assertMatch(each, LABEL);
  }
  assertEquals(name(long, INIT_JOB_UID), name(long, INIT_JOB_UID));
});

Deno.test("objectNames makes valid labels of the longest instance name, and no two Deployments or Secrets alike", () => {
  for (const make of [objectNames.web, objectNames.cron, objectNames.service]) {
    const name = make(LONG);
    assert(name.length <= 63, name);
    assertMatch(name, LABEL);
  }
  for (const make of Object.values(objectNames)) assert(make(LONG).length <= 253);
  assertNotEquals(objectNames.web("shop"), objectNames.cron("shop"));
  assertNotEquals(objectNames.userSecret("shop"), objectNames.config("shop"));
});

Deno.test("instanceLabels() and the selectors are upstream's", () => {
  assertEquals(instanceLabels("shop", "Production"), {
    "bemade.org/environment": "production",
    "bemade.org/instance": "shop",
  });
  assertEquals([webSelector("shop"), cronSelector("shop")], [{ app: "shop" }, { app: "shop-cron" }]);
});

Deno.test("containerNames are upstream's, and valid for the longest instance name", () => {
  assertEquals([containerNames.web("shop"), containerNames.cron("shop")], ["odoo-shop", "odoo-cron-shop"]);
  for (const make of Object.values(containerNames)) {
    assertMatch(make("n".repeat(LONGEST_INSTANCE_NAME)), /^[a-z][-a-z0-9]{0,61}[a-z0-9]$/);
  }
});

const RIVALS: Readonly<Record<string, readonly string[]>> = {
  "shop": ["shop-cron", "shop-blocked"],
  "shop-cron": ["shop-cron-cron", "shop-cron-blocked", "shop"],
  "shop-blocked": ["shop-blocked-cron", "shop-blocked-blocked", "shop"],
};

for (const [name, want] of Object.entries(RIVALS)) {
  Deno.test(`rivalNames() of ${name} are those whose children meet its own`, () => {
    assertEquals(rivalNames(name), want);
  });
}

Deno.test("rivalNames() names every instance with a child of the same kind and name, and no other", () => {
  const children = (name: string) =>
    Object.values(SCENARIOS).flatMap(({ instance, initJob }) =>
      renderedObjects({ instance: { ...instance, metadata: { ...instance.metadata, name } }, initJob })
    ).map(({ kind, metadata }) => `${kind} ${metadata?.name}`).filter((child) => !child.startsWith("Job "));
  const ours = new Set(children("shop"));
  for (const suffix of new Set(Object.values(objectNames).map((nameOf) => nameOf("")))) {
    const rival = `shop${suffix}`;
    const meets = rival !== "shop" && children(rival).some((child) => ours.has(child));
    assertEquals([rivalNames("shop").includes(rival), rivalNames(rival).includes("shop")], [meets, meets], rival);
  }
});

Deno.test("isOlder() goes by the time of creation, then by uid", () => {
  const at = (creationTimestamp: string, uid: string) => anInstance({ metadata: { creationTimestamp, uid } });
  const [first, second] = [at("2026-11-21T04:00:00Z", "b"), at("2026-11-21T04:00:01Z", "a")];
  assertEquals([isOlder(first, second), isOlder(second, first), isOlder(first, first)], [true, false, false]);
  assertEquals(isOlder(at("2026-11-21T04:00:00Z", "a"), first), true);
});

Deno.test("objectNames.blocked() is a Service name however long the instance's name is", () => {
  const name = objectNames.blocked("s".repeat(LONGEST_INSTANCE_NAME));
  assertEquals([name.length <= 63, /^[a-z][-a-z0-9]*$/.test(name)], [true, true]);
});

const ROUNDS: Readonly<Record<string, { readonly given: string; readonly want: number | undefined }>> = {
  "the first, which has no number": { given: "shop-auto-init", want: 1 },
  "a later one": { given: "shop-auto-init-12", want: 12 },
  "none, as the first is never numbered": { given: "shop-auto-init-1", want: undefined },
  "none with a leading zero": { given: "shop-auto-init-02", want: undefined },
  "none with an exponent": { given: "shop-auto-init-1e3", want: undefined },
  "none below zero": { given: "shop-auto-init--5", want: undefined },
  "none beyond what can be counted": { given: "shop-auto-init-99999999999999999", want: undefined },
  "none of another instance": { given: "shop2-auto-init-2", want: undefined },
  "none by another name": { given: "monthly", want: undefined },
};

for (const [sentence, { given, want }] of Object.entries(ROUNDS)) {
  Deno.test(`autoInitRound() knows ${sentence}`, () => assertEquals(autoInitRound("shop", given), want));
}
