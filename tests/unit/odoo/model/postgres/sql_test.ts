import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import pg from "pg";
import {
  afterWrite,
  clusterFacts,
  formatOwnership,
  type InventoryRow,
} from "../../../../../src/odoo/model/postgres/database.ts";
import { planWrite } from "../../../../../src/odoo/model/postgres/sql.ts";
import type { Findings } from "../../../../../src/odoo/model/postgres/sql_inventory.ts";
import { sqlIdentifier, sqlLiteral } from "../../../../../src/odoo/model/postgres/sql_statements.ts";
import {
  describeWrite,
  inventoryWrite,
  isWritten,
  type ObjectWrite,
  writeProblem,
} from "../../../../../src/odoo/model/postgres/sql_writes.ts";

const OURS = { uid: "uid-1", secretVersion: "s/1" };
const SIGNED = formatOwnership(OURS);
const MARKED = formatOwnership({ uid: OURS.uid });
const OTHERS = formatOwnership({ uid: "uid-2", secretVersion: "s/1" });

const ROLE: ObjectWrite = { type: "ensureRole", role: "r", password: "p", ownership: OURS };
const DATABASE: ObjectWrite = { type: "ensureDatabase", database: "d", role: "r", ownership: OURS };
const DROP_DATABASE: ObjectWrite = { type: "dropDatabase", database: "d", ownership: OURS };
const DROP_ROLE: ObjectWrite = { type: "dropRole", role: "r", ownership: OURS };

const READ_ONLY: ObjectWrite = {
  type: "ensureReadOnlyRole",
  role: "r_ro",
  password: "p",
  database: "d",
  connectionLimit: 7,
  ownership: OURS,
};
const DROP_READ_ONLY: ObjectWrite = { type: "dropReadOnlyRole", role: "r_ro", database: "d", ownership: OURS };

const ADOPT: ObjectWrite = { type: "adoptRole", role: "r", ownership: { uid: OURS.uid } };
const RESTRICT: ObjectWrite = { type: "restrictRole", role: "r", ownership: { uid: OURS.uid } };

const NOTHING: Findings = {
  roleFound: false,
  roleComment: null,
  rolePowerful: false,
  databaseFound: false,
  databaseOwner: null,
  databaseComment: null,
  databaseOwnerComment: null,
  halfDropped: false,
  databaseClosed: false,
  adminUser: "admin",
  adminIsSuperuser: true,
  serverMajor: 18,
};
const OUR_ROLE: Findings = { ...NOTHING, roleFound: true, roleComment: SIGNED };
const OUR_DATABASE: Findings = {
  ...OUR_ROLE,
  databaseFound: true,
  databaseOwner: "r",
  databaseComment: MARKED,
  databaseOwnerComment: SIGNED,
};

/** No such read-only role, our database. */
const NO_READER: Findings = { ...OUR_DATABASE, roleFound: false, roleComment: null };

const CREATE_ROLE = `create role "r" login nosuperuser nocreatedb nocreaterole`;
const SIGN_ROLE = `comment on role "r" is '${SIGNED}'`;
const SIGN_ADOPTED = `comment on role "r" is '${MARKED}'`;
const SET_PASSWORD = `alter role "r" password 'S'`;
const CREATE_DATABASE = `create database "d" owner "r" encoding 'UTF8' lc_collate 'C' template template0`;
const REVOKE = `revoke connect on database "d" from public`;
const SIGN_DATABASE = `comment on database "d" is '${MARKED}'`;
const DROP = `drop database if exists "d" with (force)`;
const GRANT = `grant "r" to current_user with inherit true, set true`;

const CREATE_READER = `create role "r_ro" login nosuperuser nocreatedb nocreaterole noinherit`;
const ALTER_READER =
  `alter role "r_ro" noinherit connection limit 7 password 'S'; comment on role "r_ro" is '${SIGNED}'; ` +
  `set local role "r"; grant connect on database "d" to "r_ro"; grant usage on schema public to "r_ro"; ` +
  `grant select on all tables in schema public to "r_ro"; ` +
  `alter default privileges in schema public grant select on tables to "r_ro"`;
const END_READER = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'r_ro'";

/** What is found → the statements, or the name that is another's. */
const PLANS: Record<string, { given: [Findings, ObjectWrite]; want: readonly string[] | string }> = {
  "a role is created, signed and given its password in one transaction": {
    given: [NOTHING, ROLE],
    want: [`${CREATE_ROLE}; ${SIGN_ROLE}; ${SET_PASSWORD}`],
  },
  "an admin who is no superuser becomes a member of the role": {
    given: [{ ...NOTHING, adminIsSuperuser: false }, ROLE],
    want: [`${CREATE_ROLE}; ${SIGN_ROLE}; ${SET_PASSWORD}; ${GRANT}`],
  },
  "before version 16 a membership has no options": {
    given: [{ ...NOTHING, adminIsSuperuser: false, serverMajor: 15 }, ROLE],
    want: [`${CREATE_ROLE}; ${SIGN_ROLE}; ${SET_PASSWORD}; grant "r" to current_user`],
  },
  "a role with this version of the password is left": { given: [OUR_ROLE, ROLE], want: [] },
  "a role with another version of the password gets this one": {
    given: [{ ...OUR_ROLE, roleComment: formatOwnership({ uid: OURS.uid, secretVersion: "s/0" }) }, ROLE],
    want: [`${SIGN_ROLE}; ${SET_PASSWORD}`],
  },
  "another's role is left": { given: [{ ...OUR_ROLE, roleComment: OTHERS }, ROLE], want: `role "r"` },
  "an unsigned role is left": { given: [{ ...OUR_ROLE, roleComment: null }, ROLE], want: `role "r"` },
  "an unsigned role is signed on request, and nothing else": {
    given: [{ ...OUR_ROLE, roleComment: null }, ADOPT],
    want: [SIGN_ADOPTED],
  },
  "a role that is ours is not signed again": { given: [OUR_ROLE, ADOPT], want: [] },
  "a role that is not there is not signed": { given: [NOTHING, ADOPT], want: [] },
  "another's role is not signed": { given: [{ ...OUR_ROLE, roleComment: OTHERS }, ADOPT], want: `role "r"` },
  "a role that somebody has commented is not signed": {
    given: [{ ...OUR_ROLE, roleComment: "Bob's" }, ADOPT],
    want: `role "r"`,
  },
  "a powerful role is not signed": {
    given: [{ ...OUR_ROLE, roleComment: null, rolePowerful: true }, ADOPT],
    want: `role "r"`,
  },
  "the admin is not signed": {
    given: [{ ...OUR_ROLE, roleComment: null, adminUser: "r" }, ADOPT],
    want: `role "r"`,
  },
  "a role of ours loses the right to create databases": {
    given: [OUR_ROLE, RESTRICT],
    want: [`alter role "r" nocreatedb`],
  },
  "another's role keeps its rights": { given: [{ ...OUR_ROLE, roleComment: OTHERS }, RESTRICT], want: `role "r"` },
  "a role that is not there has no rights": { given: [NOTHING, RESTRICT], want: [] },
  "a database is created, closed to the public and signed": {
    given: [OUR_ROLE, DATABASE],
    want: [CREATE_DATABASE, `${REVOKE}; ${SIGN_DATABASE}`],
  },
  "a database of a role that is not there is not created": { given: [NOTHING, DATABASE], want: `role "r"` },
  "a database of another's role is not created": {
    given: [{ ...OUR_ROLE, roleComment: OTHERS }, DATABASE],
    want: `role "r"`,
  },
  "a signed database is left": { given: [OUR_DATABASE, DATABASE], want: [] },
  "a database whose making was interrupted is finished": {
    given: [{ ...OUR_DATABASE, databaseComment: null }, DATABASE],
    want: [`${REVOKE}; ${SIGN_DATABASE}`],
  },
  "an old database is only signed": {
    given: [{ ...OUR_DATABASE, databaseComment: null }, { ...DATABASE, adopt: true }],
    want: [SIGN_DATABASE],
  },
  "a new database is closed to the public even for an old instance": {
    given: [OUR_ROLE, { ...DATABASE, adopt: true }],
    want: [CREATE_DATABASE, `${REVOKE}; ${SIGN_DATABASE}`],
  },
  "a half dropped database is made anew": {
    given: [{ ...OUR_DATABASE, halfDropped: true }, DATABASE],
    want: [`drop database "d"`, CREATE_DATABASE, `${REVOKE}; ${SIGN_DATABASE}`],
  },
  "a database that only says that it is ours is left": {
    given: [{ ...OUR_DATABASE, databaseOwner: "x", databaseOwnerComment: OTHERS }, DATABASE],
    want: `database "d"`,
  },
  "a database is dropped": { given: [OUR_DATABASE, DROP_DATABASE], want: [DROP] },
  "an admin who is no superuser becomes a member before the drop": {
    given: [{ ...OUR_DATABASE, adminIsSuperuser: false }, DROP_DATABASE],
    want: [GRANT, DROP],
  },
  "a database that is not there is dropped": { given: [OUR_ROLE, DROP_DATABASE], want: [] },
  "a database that its role's comment makes ours is dropped": {
    given: [{ ...OUR_DATABASE, databaseComment: null }, DROP_DATABASE],
    want: [DROP],
  },
  "a database that only its own comment makes ours is dropped if its role says nothing": {
    given: [{ ...OUR_DATABASE, databaseOwner: "admin", databaseOwnerComment: null }, DROP_DATABASE],
    want: [DROP],
  },
  "a database of another's role is not dropped whatever it says itself": {
    given: [{ ...OUR_DATABASE, databaseOwnerComment: OTHERS }, DROP_DATABASE],
    want: `database "d"`,
  },
  "an unsigned database is not dropped": {
    given: [{ ...OUR_DATABASE, databaseComment: null, databaseOwnerComment: null }, DROP_DATABASE],
    want: `database "d"`,
  },
  "a read-only role is made, signed and granted what it may read in one transaction": {
    given: [NO_READER, READ_ONLY],
    want: [`begin; ${CREATE_READER}; ${ALTER_READER}; commit`],
  },
  "an admin who is no superuser becomes a member of the owner before it grants": {
    given: [{ ...NO_READER, adminIsSuperuser: false }, READ_ONLY],
    want: [GRANT, `begin; ${CREATE_READER}; ${ALTER_READER}; commit`],
  },
  "a read-only role of another version is altered": {
    given: [{ ...OUR_DATABASE, roleComment: MARKED }, READ_ONLY],
    want: [`begin; ${ALTER_READER}; commit`],
  },
  "a read-only role of this version is left": { given: [OUR_DATABASE, READ_ONLY], want: [] },
  "another's role is not made read-only": {
    given: [{ ...OUR_DATABASE, roleComment: OTHERS }, READ_ONLY],
    want: `role "r_ro"`,
  },
  "another's database is not opened to a read-only role": {
    given: [{ ...NO_READER, databaseOwnerComment: OTHERS }, READ_ONLY],
    want: `database "d"`,
  },
  "a read-only role without its database is not made": { given: [NOTHING, READ_ONLY], want: `database "d"` },
  "a read-only role is dropped with its grants": {
    given: [OUR_DATABASE, DROP_READ_ONLY],
    want: [`begin; ${END_READER}; drop owned by "r_ro"; drop role "r_ro"; commit`],
  },
  "a read-only role that is not there is dropped": { given: [NO_READER, DROP_READ_ONLY], want: [] },
  "a read-only role whose database is gone is dropped": {
    given: [OUR_ROLE, DROP_READ_ONLY],
    want: [`drop role if exists "r_ro"`],
  },
  "another's read-only role is not dropped": {
    given: [{ ...OUR_DATABASE, roleComment: OTHERS }, DROP_READ_ONLY],
    want: `role "r_ro"`,
  },
  "a role is dropped": { given: [OUR_ROLE, DROP_ROLE], want: [`drop role if exists "r"`] },
  "a role that is not there is dropped": { given: [NOTHING, DROP_ROLE], want: [] },
  "another's role is not dropped": { given: [{ ...OUR_ROLE, roleComment: OTHERS }, DROP_ROLE], want: `role "r"` },
  "an unsigned role is not dropped": { given: [{ ...OUR_ROLE, roleComment: null }, DROP_ROLE], want: `role "r"` },
};

for (const [sentence, { given: [found, write], want }] of Object.entries(PLANS)) {
  Deno.test(`planWrite(): ${sentence}`, () => {
    const plan = planWrite(found, write, "S");
    assertEquals("foreign" in plan ? plan.foreign : plan.map(({ text }) => text), want);
  });
}

Deno.test("planWrite() marks what waits for a checkpoint as slow", () => {
  const slow = (found: Findings, write: ObjectWrite) => {
    const plan = planWrite(found, write, "S");
    assert(!("foreign" in plan));
    return plan.filter((statement) => statement.slow).map(({ text }) => text);
  };
  assertEquals(slow({ ...OUR_DATABASE, halfDropped: true }, DATABASE), [`drop database "d"`, CREATE_DATABASE]);
  assertEquals(slow(OUR_DATABASE, DROP_DATABASE), [DROP]);
  assertEquals(slow(NOTHING, ROLE), []);
});

Deno.test("sqlIdentifier() and sqlLiteral() quote as pg does", () => {
  const identifier = fc.string({
    minLength: 1,
    maxLength: 20,
    unit: fc.constantFrom(`"`, `'`, `\\`, ";", "-", " ", "a", "é"),
  });
  fc.assert(fc.property(identifier, (text) => {
    assertEquals(sqlIdentifier(text), pg.escapeIdentifier(text));
    assertEquals(sqlLiteral(text), pg.escapeLiteral(text));
  }));
  fc.assert(fc.property(fc.string(), (text) => assertEquals(sqlLiteral(text), pg.escapeLiteral(text))));
  assertThrows(() => sqlIdentifier("a".repeat(64)), RangeError);
});

Deno.test("writeProblem() finds unusable names and passwords and quotes no password", () => {
  for (const write of [ROLE, DATABASE, DROP_DATABASE, DROP_ROLE, READ_ONLY, DROP_READ_ONLY]) {
    assertEquals(writeProblem(write), undefined);
  }
  const bad = "x".repeat(64);
  for (
    const write of [{ ...ROLE, role: bad }, { ...READ_ONLY, database: bad }, { ...DATABASE, role: bad }, {
      ...DATABASE,
      database: "",
    }, {
      ...DROP_ROLE,
      role: bad,
    }]
  ) {
    assert(writeProblem(write)?.includes("name"), describeWrite(write));
  }
  assert(writeProblem({ ...DROP_ROLE, ownership: { uid: "" } })?.includes("owner"));
  const problem = writeProblem({ ...ROLE, password: "secret\0" });
  assert(problem?.includes("password") && !problem.includes("secret"));
});

Deno.test("describeWrite() names what is written", () => {
  assertEquals([ADOPT, RESTRICT, ROLE, DATABASE, DROP_DATABASE, DROP_ROLE].map(describeWrite), [
    `adopt role "r"`,
    `restrict role "r"`,
    `ensure role "r"`,
    `ensure database "d"`,
    `drop database "d"`,
    `drop role "r"`,
  ]);
});

Deno.test("isWritten() is true once the inventory has what inventoryWrite() says", () => {
  const server: InventoryRow = { kind: "server", name: "180004", owner: null, comment: null };
  const role: InventoryRow = { kind: "role", name: "r", owner: null, comment: SIGNED };
  const database: InventoryRow = { kind: "database", name: "d", owner: "r", comment: MARKED };
  const both = clusterFacts([server, role, database]);
  assertEquals([ROLE, DATABASE, DROP_DATABASE, DROP_ROLE].map((write) => isWritten(both, write)), [
    true,
    true,
    false,
    false,
  ]);
  assertEquals(inventoryWrite(ROLE), { kind: "role", name: "r", facts: { name: "r", ownership: OURS } });
  assertEquals(both.roles.get("r"), { name: "r", ownership: OURS });
  const facts = { name: "d", owner: "r", ownership: { uid: OURS.uid } };
  assertEquals(inventoryWrite(DATABASE), { kind: "database", name: "d", facts });
  assertEquals(both.databases.get("d"), facts);
  assertEquals(inventoryWrite(DROP_DATABASE), { kind: "database", name: "d" });
  assertEquals(inventoryWrite(DROP_ROLE), { kind: "role", name: "r" });
  const lacking = [
    clusterFacts([server]),
    clusterFacts([server, { ...role, comment: OTHERS }, database]),
    clusterFacts([server, role, { ...database, owner: "x" }]),
    clusterFacts([server, role, { ...database, comment: null }]),
  ];
  for (const facts of lacking) assertEquals(isWritten(facts, DATABASE), false);
  const old = { ...ROLE, ownership: { ...OURS, secretVersion: "s/2" } };
  assertEquals(isWritten(both, old), false);
});

Deno.test("isWritten() sends a role's adoption and restriction once", () => {
  const server: InventoryRow = { kind: "server", name: "180004", owner: null, comment: null };
  const role: InventoryRow = { kind: "role", name: "r", owner: null, comment: null, createsDatabases: true };
  const found = clusterFacts([server, role]);
  const adopted = afterWrite(found, inventoryWrite(ADOPT));
  const restricted = afterWrite(adopted, inventoryWrite(RESTRICT));
  const written = [found, adopted, restricted].map((facts) => [isWritten(facts, ADOPT), isWritten(facts, RESTRICT)]);
  assertEquals(written, [[false, false], [true, false], [true, true]]);
  assertEquals(adopted.roles.get("r"), { name: "r", ownership: { uid: OURS.uid }, createsDatabases: true });
});
