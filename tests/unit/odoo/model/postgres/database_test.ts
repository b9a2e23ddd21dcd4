import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  afterWrite,
  clusterFacts,
  databaseOwnerUid,
  databasesOwnedBy,
  factsChange,
  failureReason,
  formatOwnership,
  identifierProblem,
  type InventoryRow,
  isPostgresFailure,
  parseOwnership,
  passwordProblem,
} from "../../../../../src/odoo/model/postgres/database.ts";

const UID = "7d0f4a5e-0d6a-4e2c-9a51-0a5a8e9a1f10";

const ROWS: readonly InventoryRow[] = [
  { kind: "server", name: "180004", owner: null, comment: null },
  { kind: "role", name: "odoo.shop.blue", owner: null, comment: formatOwnership({ uid: UID, secretVersion: "s/1" }) },
  { kind: "role", name: "postgres", owner: null, comment: null },
  { kind: "database", name: "odoo_2", owner: "odoo.shop.blue", comment: formatOwnership({ uid: UID }) },
  { kind: "database", name: "odoo_1", owner: "odoo.shop.blue", comment: "by hand" },
  { kind: "database", name: "postgres", owner: "postgres", comment: "default administrative connection database" },
];

Deno.test("parseOwnership() reads what formatOwnership() wrote", () => {
  const uid = fc.stringMatching(/^[\w.-]{1,128}$/);
  fc.assert(fc.property(uid, fc.option(fc.string(), { nil: undefined }), (uid, secretVersion) => {
    const ownership = secretVersion === undefined ? { uid } : { uid, secretVersion };
    assertEquals(parseOwnership(formatOwnership(ownership)), ownership);
  }));
});

Deno.test("parseOwnership() takes nothing for ours that the operator cannot have written", () => {
  const foreign: Record<string, string | null | undefined> = {
    "no comment": null,
    "an absent comment": undefined,
    "an empty comment": "",
    "somebody's words": "Created by Bob, do not touch",
    "a bare uid": UID,
    "a JSON string": JSON.stringify(UID),
    "a JSON array": JSON.stringify([{ "bemade.org/owner": UID }]),
    "cut JSON": formatOwnership({ uid: UID }).slice(0, -1),
    "another key": JSON.stringify({ owner: UID }),
    "a uid that is a number": `{"bemade.org/owner":5}`,
    "a uid that is empty": `{"bemade.org/owner":""}`,
    "a uid with a quote": `{"bemade.org/owner":"x' or ''='"}`,
    "a uid of 200 characters": JSON.stringify({ "bemade.org/owner": "a".repeat(200) }),
    "an owner behind a prototype": `{"__proto__":{"bemade.org/owner":"${UID}"}}`,
    "a secret that is an object": `{"bemade.org/owner":"${UID}","secret":{}}`,
    "text before it": ` ${formatOwnership({ uid: UID })}`,
  };
  for (const [what, comment] of Object.entries(foreign)) assertEquals(parseOwnership(comment), undefined, what);
  fc.assert(fc.property(fc.string(), (text) => assertEquals(parseOwnership(text), undefined)));
});

Deno.test("parseOwnership() keeps an owner whose comment has fields of a later version", () => {
  assertEquals(parseOwnership(`{"bemade.org/owner":"${UID}","since":"2026"}`), { uid: UID });
});

Deno.test("formatOwnership() throws when the uid is none", () => {
  for (const uid of ["", "a b", "a'b", "a".repeat(129)]) assertThrows(() => formatOwnership({ uid }), RangeError);
});

Deno.test("clusterFacts() sorts the inventory into roles and databases with their owners", () => {
  const facts = clusterFacts(ROWS);
  assertEquals(facts.serverMajor, 18);
  assertEquals(facts.roles.get("odoo.shop.blue"), {
    name: "odoo.shop.blue",
    ownership: { uid: UID, secretVersion: "s/1" },
  });
  assertEquals(facts.roles.get("postgres"), { name: "postgres" });
  assertEquals(facts.databases.get("odoo_1"), { name: "odoo_1", owner: "odoo.shop.blue" });
  assertEquals(databasesOwnedBy(facts, "odoo.shop.blue"), ["odoo_1", "odoo_2"]);
  assertEquals(databasesOwnedBy(facts, "nobody"), []);
  assertThrows(() => clusterFacts([]), TypeError);
});

Deno.test("databaseOwnerUid() lets a role's word go before its database's", () => {
  const [ours, others] = [{ uid: UID }, { uid: "other" }];
  assertEquals(databaseOwnerUid({ role: others, database: ours }), "other");
  assertEquals(databaseOwnerUid({ role: undefined, database: ours }), UID);
  assertEquals(databaseOwnerUid({ role: ours, database: undefined }), UID);
  assertEquals(databaseOwnerUid({ role: undefined, database: undefined }), undefined);
});

Deno.test("afterWrite() adds, replaces and removes without touching the facts before", () => {
  const before = clusterFacts(ROWS);
  const role = { name: "odoo.shop.blue", ownership: { uid: UID, secretVersion: "s/2" } };
  const after = afterWrite(before, { kind: "role", name: role.name, facts: role });
  assertEquals(after.roles.get(role.name), role);
  assertEquals(before.roles.get(role.name)?.ownership?.secretVersion, "s/1");
  const dropped = afterWrite(after, { kind: "database", name: "odoo_1" });
  assertEquals([...dropped.databases.keys()], ["odoo_2", "postgres"]);
  assertEquals(after.databases.size, 3);
});

Deno.test("factsChange() names what differs, and nothing when nothing does", () => {
  const facts = clusterFacts(ROWS);
  const down = { known: false, reason: "DatabaseUnreachable", message: "refused" } as const;
  assertEquals(factsChange(facts, clusterFacts(ROWS)), undefined);
  assertEquals(factsChange(down, { ...down }), undefined);
  assertEquals(factsChange(down, { ...down, message: "no answer" }), "all");
  assertEquals(factsChange(facts, down), "all");
  assertEquals(factsChange(down, facts), "all");
  assertEquals(factsChange(facts, { ...facts, serverMajor: 19 }), "all");
  const role = { name: "odoo.shop.blue", ownership: { uid: UID, secretVersion: "s/2" } };
  assertEquals(
    factsChange(facts, afterWrite(facts, { kind: "role", name: role.name, facts: role })),
    new Set([role.name]),
  );
  const moved = { name: "odoo_1", owner: "postgres" };
  assertEquals(
    factsChange(facts, afterWrite(facts, { kind: "database", name: "odoo_1", facts: moved })),
    new Set(["odoo_1"]),
  );
  assertEquals(factsChange(facts, afterWrite(facts, { kind: "database", name: "odoo_2" })), new Set(["odoo_2"]));
});

Deno.test("identifierProblem() refuses what PostgreSQL would cut or cannot store", () => {
  assertEquals(identifierProblem("a".repeat(63)), undefined);
  assertEquals(identifierProblem(`odoo.ns."; drop role x; --`), undefined);
  for (const name of ["", "a".repeat(64), "é".repeat(32), "a\0b", "\ud800"]) {
    assertEquals(typeof identifierProblem(name), "string", JSON.stringify(name));
  }
});

Deno.test("passwordProblem() refuses what cannot be a password and quotes none", () => {
  assertEquals(passwordProblem("' SUPERUSER --"), undefined);
  assertEquals(passwordProblem("ü\n\\ '"), undefined);
  for (const password of ["", "secret\0", "secret".repeat(200_000), "secret\udc00"]) {
    const problem = passwordProblem(password);
    assertEquals(typeof problem, "string");
    assertEquals(problem?.includes("secret"), false);
  }
});

Deno.test("failureReason() tells no answer, no entry and no permission apart", () => {
  const wanted: Record<string, string> = {
    "28P01": "DatabaseLoginFailed",
    "28000": "DatabaseLoginFailed",
    "57P03": "DatabaseUnreachable",
    "57P01": "DatabaseUnreachable",
    "57014": "DatabaseUnreachable",
    "08006": "DatabaseUnreachable",
    "53300": "DatabaseRefused",
    "42501": "DatabaseRefused",
    "2BP01": "DatabaseRefused",
  };
  for (const [sqlState, reason] of Object.entries(wanted)) assertEquals(failureReason(sqlState), reason, sqlState);
  assertEquals(failureReason(undefined), "DatabaseUnreachable");
});

Deno.test("isPostgresFailure() knows an error that says why", () => {
  const failure = Object.assign(new Error("x"), { reason: "DatabaseRefused", connected: true });
  assertEquals(isPostgresFailure(failure), true);
  assertEquals(isPostgresFailure(new Error("x")), false);
  assertEquals(isPostgresFailure(Object.assign(new Error("x"), { reason: "Other", connected: true })), false);
  assertEquals(isPostgresFailure({ reason: "DatabaseRefused", connected: true }), false);
});
