import { assertEquals } from "@std/assert";
import { formatOwnership } from "../../../../../src/odoo/model/postgres/database.ts";
import type { Findings, SessionFindings } from "../../../../../src/odoo/model/postgres/sql_inventory.ts";
import { planSwap } from "../../../../../src/odoo/model/postgres/sql_swap.ts";
import {
  describeWrite,
  isWritten,
  type SwapDatabaseOptions,
  writeProblem,
} from "../../../../../src/odoo/model/postgres/sql_writes.ts";

const OURS = formatOwnership({ uid: "uid-1", secretVersion: "s/1" });
const OTHERS = formatOwnership({ uid: "uid-2" });
const MARKED = formatOwnership({ uid: "uid-1" });
const FROM_SIDE = `{"bemade.org/owner":"uid-1","side":"s","old":"o"}`;
const FROM_SIDE_ONLY = `{"bemade.org/owner":"uid-1","side":"s"}`;

const OPTIONS: SwapDatabaseOptions = { live: "l", side: "s", old: "o", role: "r", ownership: { uid: "uid-1" } };

const ABSENT: Findings = {
  roleFound: true,
  roleComment: OURS,
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
const THERE: Findings = {
  ...ABSENT,
  databaseFound: true,
  databaseOwner: "r",
  databaseComment: MARKED,
  databaseOwnerComment: OURS,
};
const CLOSED: Findings = { ...THERE, databaseClosed: true };
const SWAPPED: Findings = { ...THERE, databaseComment: FROM_SIDE };
const FIRST: Findings = { ...THERE, databaseComment: FROM_SIDE_ONLY };

const END = (...names: string[]) =>
  `select pg_terminate_backend(pid) from pg_stat_activity where datname in (${
    names.map((name) => `'${name}'`).join(", ")
  })`;
const CLOSE = (...names: string[]) =>
  names.map((name) => `alter database "${name}" allow_connections false`).join("; ");
const OPEN = (name: string) => `alter database "${name}" allow_connections true`;
const RENAME = (from: string, to: string) => `alter database "${from}" rename to "${to}"`;
const SIGN = (name: string, text: string) => `comment on database "${name}" is '${text}'`;

const SWAP = [
  CLOSE("l", "s"),
  END("l", "s"),
  [RENAME("l", "o"), RENAME("s", "l"), OPEN("l"), SIGN("l", FROM_SIDE)].join("; "),
];
const SWAP_FIRST = [CLOSE("s"), END("s"), [RENAME("s", "l"), OPEN("l"), SIGN("l", FROM_SIDE_ONLY)].join("; ")];
const UNSWAP = [
  CLOSE("l", "o"),
  END("l", "o"),
  [RENAME("l", "s"), RENAME("o", "l"), OPEN("s"), OPEN("l"), SIGN("s", MARKED)].join("; "),
];
const UNSWAP_FIRST = [CLOSE("l"), END("l"), [RENAME("l", "s"), OPEN("s"), SIGN("s", MARKED)].join("; ")];

interface Case {
  /** Live, side, old. */
  readonly given: readonly [Findings, Findings, Findings];
  readonly sessions?: readonly SessionFindings[];
  /** Statements, or the beginning of what stands in the way. */
  readonly want: readonly string[] | string;
}

const SWAPS: Readonly<Record<string, Case>> = {
  "the side takes the place of the live one": { given: [THERE, THERE, ABSENT], want: SWAP },
  "one that was interrupted with the doors closed goes on": { given: [CLOSED, CLOSED, ABSENT], want: SWAP },
  "the side becomes the first live one": { given: [ABSENT, THERE, ABSENT], want: SWAP_FIRST },
  "nothing is left to do afterwards": { given: [SWAPPED, ABSENT, CLOSED], want: [] },
  "nothing is left to do afterwards where there was no live one": { given: [FIRST, ABSENT, ABSENT], want: [] },
  "nothing is left to do when the old one was dropped": { given: [SWAPPED, ABSENT, ABSENT], want: [] },
  "a lost side is not taken for a swap": { given: [THERE, ABSENT, ABSENT], want: `there is no database "s"` },
  "one of another operation is not taken for this one": {
    given: [{ ...THERE, databaseComment: `{"bemade.org/owner":"uid-1","side":"x"}` }, ABSENT, THERE],
    want: `there is no database "s"`,
  },
  "nothing at all": { given: [ABSENT, ABSENT, ABSENT], want: `there is no database "s"` },
  "the old name is taken": { given: [THERE, THERE, THERE], want: `database "o" exists already` },
  "the live one is another's": { given: [{ ...THERE, databaseOwner: "x" }, THERE, ABSENT], want: `database "l"` },
  "the side is another's": { given: [THERE, { ...THERE, databaseOwner: "x" }, ABSENT], want: `database "s"` },
  "the role is another's": { given: [{ ...THERE, roleComment: OTHERS }, THERE, ABSENT], want: `role "r"` },
  "the side was half dropped": {
    given: [THERE, { ...THERE, halfDropped: true }, ABSENT],
    want: `database "s" was half dropped`,
  },
  "somebody is connected whom the administrator cannot end": {
    given: [THERE, THERE, ABSENT],
    sessions: [{ role: "dba", comment: null, endable: false }],
    want: `role "dba" is connected to it`,
  },
  "somebody is connected whom the administrator can end": {
    given: [THERE, THERE, ABSENT],
    sessions: [{ role: "dba", comment: null, endable: true }],
    want: SWAP,
  },
};

const UNSWAPS: Readonly<Record<string, Case>> = {
  "the old one is live again": { given: [SWAPPED, ABSENT, CLOSED], want: UNSWAP },
  "the old one is live again when the new one is gone": {
    given: [ABSENT, ABSENT, CLOSED],
    want: [CLOSE("o"), END("o"), `${RENAME("o", "l")}; ${OPEN("l")}`],
  },
  "the first live one is a side again": { given: [FIRST, ABSENT, ABSENT], want: UNSWAP_FIRST },
  "nothing to do before a swap": { given: [THERE, THERE, ABSENT], want: [] },
  "nothing to do when the side was dropped": { given: [THERE, ABSENT, ABSENT], want: [] },
  "nothing to do where there was no live one": { given: [ABSENT, THERE, ABSENT], want: [] },
  "one that was interrupted with the doors closed is opened": { given: [CLOSED, CLOSED, ABSENT], want: [OPEN("l")] },
  "no rollback is possible when the old one was dropped": {
    given: [SWAPPED, ABSENT, ABSENT],
    want: `database "o" does not exist any more`,
  },
  "nothing to do when all are lost": { given: [ABSENT, ABSENT, ABSENT], want: [] },
  "all names are taken": { given: [SWAPPED, THERE, CLOSED], want: `databases "l", "s", "o" are all there` },
  "the old one is another's": { given: [SWAPPED, ABSENT, { ...THERE, databaseOwner: "x" }], want: `database "o"` },
};

for (const [type, cases] of Object.entries({ swapDatabase: SWAPS, unswapDatabase: UNSWAPS } as const)) {
  for (const [sentence, { given: [live, side, old], sessions = [], want }] of Object.entries(cases)) {
    Deno.test(`planSwap() of ${type}: ${sentence}`, () => {
      const plan = planSwap({ live, side, old, sessions }, {
        type: type as "swapDatabase" | "unswapDatabase",
        ...OPTIONS,
      });
      const text = "foreign" in plan
        ? plan.foreign
        : "conflict" in plan
        ? plan.conflict.slice(0, want.length)
        : plan.map(({ text }) => text);
      assertEquals(text, want);
    });
  }
}

Deno.test("planSwap() makes an admin who is no superuser a member of the owner, and of readers that are connected", () => {
  const modest = { ...THERE, adminIsSuperuser: false, serverMajor: 15 };
  const sessions = [{ role: "r", comment: OURS, endable: false }, { role: "r_ro", comment: OURS, endable: false }];
  const plan = planSwap({ live: modest, side: modest, old: ABSENT, sessions }, { type: "swapDatabase", ...OPTIONS });
  const want = [`grant "r" to current_user`, `grant "r_ro" to current_user`, ...SWAP];
  assertEquals("length" in plan && plan.map(({ text }) => text), want);
});

Deno.test("writeProblem() wants three names for three databases; a swap is always looked for", () => {
  const write = { type: "swapDatabase", ...OPTIONS } as const;
  assertEquals(writeProblem(write), undefined);
  assertEquals(writeProblem({ ...write, old: "l" }), "two of its databases have the same name");
  assertEquals(writeProblem({ ...write, side: "x".repeat(64) })?.startsWith("the name cannot be used"), true);
  assertEquals(describeWrite({ ...write, type: "unswapDatabase" }), `unswap database "l"`);
  assertEquals(isWritten({ known: true, serverMajor: 18, roles: new Map(), databases: new Map() }, write), false);
});
