import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { JobError } from "../../../../src/odoo/pod/report.ts";
import { PlainDumpFilter } from "../../../../src/odoo/pod/plain_dump.ts";
import type { ServerFacts } from "../../../../src/odoo/pod/restore_rules.ts";

const SERVER: ServerFacts = {
  version: 150004,
  settings: ["statement_timeout", "default_tablespace", "standard_conforming_strings"],
  extensions: ["plpgsql", "present"],
  allowedExtensions: ["plpgsql", "trusted"],
};
const END = "--\n-- PostgreSQL database dump complete\n--\n\n";
const UNRESTRICT = "\\unrestrict abc\n";

/** What psql would get, if the dump came in parts of `size` bytes. */
function filtered(dump: string, { size = Infinity }: { readonly size?: number } = {}) {
  const bytes = new TextEncoder().encode(dump);
  const filter = new PlainDumpFilter(SERVER);
  const [decoder, texts] = [new TextDecoder(), [] as string[]];
  for (let at = 0; at < bytes.length; at += size) {
    texts.push(decoder.decode(filter.push(bytes.slice(at, at + size)), { stream: true }));
  }
  filter.end();
  return { text: texts.join(""), leftOut: filter.leftOut };
}

/** Statements that do not pass, and what they are called. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  "\\restrict Mgdg2hLufgcl": "",
  "\\unrestrict Mgdg2hLufgcl": "",
  "SET transaction_timeout = 0;": "SET transaction_timeout",
  "SET default_tablespace = fast;": "TABLESPACE",
  "SET SESSION AUTHORIZATION 'odoo';": "OWNER",
  "ALTER TABLE public.t OWNER TO odoo;": "OWNER",
  'ALTER FUNCTION public.f(a integer, "b OWNER" text) OWNER TO "o d;oo";': "OWNER",
  "GRANT ALL ON TABLE public.t TO\n  reporting;": "ACL",
  'REVOKE ALL ON SCHEMA public FROM "a;b";': "ACL",
  "ALTER DEFAULT PRIVILEGES FOR ROLE odoo GRANT SELECT ON TABLES TO x;": "DEFAULT ACL",
  "SECURITY LABEL FOR x ON TABLE t IS 'GRANT;';": "SECURITY LABEL",
  "CREATE EXTENSION IF NOT EXISTS present WITH SCHEMA public;": "EXTENSION",
  'CREATE EXTENSION IF NOT EXISTS "vector" WITH SCHEMA public;': "EXTENSION vector",
  "COMMENT ON EXTENSION present IS 'it''s; GRANT';": "COMMENT",
  "COMMENT ON SCHEMA public IS 'standard public schema';": "COMMENT",
  "CREATE SCHEMA public;": "SCHEMA",
  "CREATE PUBLICATION p FOR ALL TABLES;": "PUBLICATION",
  "ALTER PUBLICATION p ADD TABLE ONLY public.t;": "PUBLICATION",
  "CREATE SUBSCRIPTION s CONNECTION 'host=evil' PUBLICATION p;": "SUBSCRIPTION",
  "CREATE EVENT TRIGGER e ON ddl_command_end\n   EXECUTE FUNCTION public.f();": "EVENT TRIGGER",
  "CREATE OR REPLACE PROCEDURAL LANGUAGE plpgsql;": "PROCEDURAL LANGUAGE",
};

for (const [statement, kind] of Object.entries(LEFT_OUT)) {
  Deno.test(`PlainDumpFilter leaves out ${statement.replaceAll("\n", " ")}`, () => {
    const { text, leftOut } = filtered(`select 1;\n${statement}\nselect 2;\n${END}`);
    assertEquals(text, `select 1;\n${"\n".repeat(statement.split("\n").length)}select 2;\n${END}`);
    assertEquals(leftOut, kind ? [kind] : []);
  });
}

/** Text that looks like what is left out or refused, and is something else: not a byte of it may change. */
const KEPT: Readonly<Record<string, string>> = {
  "data that looks like statements":
    "COPY public.t (a, b) FROM stdin;\nGRANT ALL ON t TO x;\n\\restrict abc\n\\N\t\\.x\n\\\\.\n'\n$$\n/*\n\\. \n\\.\n",
  "data with carriage returns at the end": "COPY t FROM stdin;\r\nREVOKE a;\r\n\\.\r\n",
  "data without a line": "COPY t (a) FROM stdin;\n\\.\n\n",
  "a literal over many lines": "INSERT INTO t VALUES ('\nGRANT ALL ON t TO x;\n\\! id\n'';\n\\restrict a\n');\n",
  "a backslash at the end of a literal": "INSERT INTO t VALUES ('C:\\', 'x;\nGRANT a;\n');\n",
  "an escape literal": "INSERT INTO t VALUES (E'it\\'s;\nGRANT a;\n', e'\\\\');\nINSERT INTO t VALUES ('\n');\n",
  "an escape literal with a doubled quote": "SELECT E'a''\\';\nGRANT x;\n';\n",
  "an escape literal that goes on after a comment": "SELECT E'a' -- x\n 'b\\';\nGRANT a;\n';\n",
  "a quoted name": 'CREATE TABLE "a;\nGRANT b" ("c""d;\nGRANT e" int);\n',
  "a body between dollars":
    "CREATE FUNCTION f() RETURNS int AS $_$\nGRANT a;\n$$;$1\nCOPY t FROM stdin;\n$_$ LANGUAGE sql;\n",
  "a body whose tag almost ends it": "DO $ab$ $a$ $abc$ $$ab$;\nGRANT x;\n $ab$ ;\n".replace("$$ab$;", "$ab ;"),
  "a dollar within a name": "SELECT a$b, c$$;\nSELECT $1, 2;\n",
  "comments in comments": "/* /* GRANT a; */\nGRANT b;\n-- */\n*/ SELECT 1;\n",
  "a comment that opens a literal": "-- it's\nSELECT 1; -- don't\nSELECT 2;\n",
  "an operator of dashes and slashes": "SELECT 1 - -1 / 2 * 3 -/*x*/1;\n",
  "a rule with several commands": "CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1;\nDELETE FROM u;\n);\n",
  "a default that speaks of owners": "ALTER TABLE t ALTER COLUMN a SET DEFAULT 'x OWNER TO y';\n",
  "a constraint that speaks of owners": "ALTER TABLE t ADD CHECK ((a <> 'OWNER TO x') OR owner);\n",
  "a comment on a table": "COMMENT ON TABLE t IS 'on EXTENSION; GRANT';\n",
  "a setting that the server has": "SET statement_timeout = 0;\nSET default_tablespace = '';\nSET a.b = 1;\n",
  "an extension that may be created": "CREATE EXTENSION IF NOT EXISTS trusted WITH SCHEMA public;\n",
  "a sequence's owner": "ALTER SEQUENCE public.s OWNED BY public.t.id;\n",
  "letters outside ASCII": "COMMENT ON TABLE été IS 'ça; GRANT €';\nCREATE TABLE GRANTé (a int);\n",
};

for (const [sentence, text] of Object.entries(KEPT)) {
  Deno.test(`PlainDumpFilter changes nothing of ${sentence}`, () => {
    assertEquals(filtered(text + END), { text: text + END, leftOut: [] });
  });
}

/** What is not a dump of pg_dump, or could be read by psql in another way than here. */
const REFUSED: Readonly<Record<string, string>> = {
  "\\! touch /tmp/owned\n": "a command of psql",
  "\\restrict a b\n": "a command of psql",
  "\\connect other\n": "a command of psql",
  "SELECT 1 \\! id\n;\n": "a command of psql",
  "COPY t FROM stdin;\n1\n\\.\n\\i /etc/passwd\n": "a command of psql",
  "COPY t FROM stdin; SELECT 1;\n": "COPY that pg_dump does not write",
  "COPY t\nFROM stdin;\n\\! id\n": "COPY that pg_dump does not write",
  "COPY t FROM PROGRAM 'id';\n": "COPY that pg_dump does not write",
  "COPY t FROM stdin WITH (FORMAT csv);\n": "COPY that pg_dump does not write",
  "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1;\nCOPY t FROM stdin;\n\\! id\n": "BEGIN ATOMIC",
  "CREATE DATABASE x;\n": "CREATE DATABASE",
  "ALTER ROLE odoo SUPERUSER;\n": "ALTER ROLE",
  "SET standard_conforming_strings = off;\n": "standard_conforming_strings",
};

for (const [text, says] of Object.entries(REFUSED)) {
  Deno.test(`PlainDumpFilter refuses ${JSON.stringify(text)}`, () => {
    for (const size of [1, 3, Infinity]) {
      const failure = assertThrows(() => filtered(text + END, { size }), JobError);
      assertEquals(failure.reason, "DumpRefused");
      assertStringIncludes(failure.message, says);
    }
  });
}

Deno.test("PlainDumpFilter gives the same in whatever parts the dump comes", () => {
  const dump = [...Object.values(KEPT), ...Object.keys(LEFT_OUT).map((statement) => `${statement}\n`)].join("") + END;
  const whole = filtered(dump);
  assert(whole.leftOut.length > 10);
  for (let size = 1; size < 70; size++) assertEquals(filtered(dump, { size }), whole, `parts of ${size} bytes`);
});

/** Dumps that stop too early. */
const TRUNCATED: Readonly<Record<string, string>> = {
  "it is empty": "",
  "the trailer is missing": "SELECT 1;\n",
  "it stops in data": `COPY t FROM stdin;\n1\n${END}`,
  "it stops in a literal": `SELECT '\n${END}`,
  "it stops in a body": `DO $$\n${END}`,
  "it stops in a comment": `/*\n${END}`,
  "a statement follows the trailer": `${END}SELECT 1;\n`,
  "a statement is not ended after the trailer": `${END}SELECT 1`,
  "the trailer is cut": END.slice(0, 30),
};

for (const [sentence, dump] of Object.entries(TRUNCATED)) {
  Deno.test(`PlainDumpFilter says that the dump is truncated when ${sentence}`, () => {
    assertEquals(assertThrows(() => filtered(dump), JobError).reason, "DumpTruncated");
  });
}

Deno.test("PlainDumpFilter takes a dump for whole when only the end of its restriction follows the trailer", () => {
  assertEquals(filtered(`SELECT 1;\n${END}${UNRESTRICT}`).text, `SELECT 1;\n${END}\n`);
});

Deno.test("PlainDumpFilter holds back no more than a mebibyte when a statement is long", () => {
  const filter = new PlainDumpFilter(SERVER);
  filter.push(new TextEncoder().encode("CREATE VIEW v AS SELECT '"));
  let passed = 0;
  for (let part = 0; part < 40; part++) passed += filter.push(new Uint8Array(65536).fill(120)).length;
  assert(passed > 38 * 65536, `${passed} bytes came out`);
});

Deno.test("PlainDumpFilter is not held up by a line of data that never ends", () => {
  const filter = new PlainDumpFilter(SERVER);
  filter.push(new TextEncoder().encode("COPY t FROM stdin;\n"));
  assertEquals(filter.push(new Uint8Array(1 << 22).fill(120)).length, 1 << 22);
});
