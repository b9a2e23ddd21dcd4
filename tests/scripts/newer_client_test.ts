/** scripts/copy_database.sh with the programs of a newer major than the server's, which begin with what that does not know. */
import { assertEquals } from "@std/assert";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import { copyDatabase, type CopyEnding } from "../support/copy_database.ts";
import { debianPostgres } from "../support/debian_postgres.ts";
import { makeOdooDatabase } from "../support/odoo_backup.ts";
import { query } from "../support/sql.ts";

const PASSWORD = "tenant-password";

let server: PostgresServer;
let programs: string;

Deno.test.beforeAll(async () => {
  programs = await debianPostgres();
  server = await startPostgres({ programs });
  await makeOdooDatabase(server, "prod");
  await query(server, { sql: `create role tenant login password '${PASSWORD}' nosuperuser` });
  await query(server, { sql: "grant pg_read_all_data to tenant" });
});
Deno.test.afterAll(() => server?.[Symbol.asyncDispose]());

const DUMP_17 = `#!/bin/sh
[ "$*" != --version ] || { echo "pg_dump (PostgreSQL) 17.6 (Debian 17.6-0+deb13u1)"; exit; }
exec "$REAL/pg_dump" "$@"
`;

/** TEST DOUBLE of pg_restore 17: sets what a server of 15 does not know, and then, if it may go on, `more`. */
function restore17(more = ""): string {
  return `#!/bin/sh
case "$*" in *--list*) exec "$REAL/pg_restore" "$@" ;; esac
echo 'pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"' >&2
echo 'Command was: SET transaction_timeout = 0;' >&2
case "$*" in *--exit-on-error*) exit 1 ;; esac
"$REAL/pg_restore" "$@" || exit
${more}
echo 'pg_restore: warning: errors ignored on restore: 1' >&2
exit 1
`;
}

async function copied(restore: string): Promise<CopyEnding> {
  await query(server, { sql: "drop database if exists side with (force)" });
  await query(server, { sql: "create database side owner tenant template template0 encoding 'UTF8' lc_collate 'C'" });
  const login = { host: server.host, port: server.port, user: "tenant", password: PASSWORD };
  return await copyDatabase({
    programs,
    source: { ...login, database: "prod" },
    target: { ...login, database: "side" },
    doubles: { pg_dump: DUMP_17, pg_restore: restore },
  });
}

Deno.test("copy_database.sh lets pass that an older server does not know a setting of a newer pg_restore", async () => {
  const { report, output } = await copied(restore17());
  assertEquals(report.ok, true, output);
});

Deno.test("copy_database.sh lets pass nothing else that a newer pg_restore complains of", async () => {
  const { report, output } = await copied(
    restore17(`echo 'pg_restore: error: COPY failed for table "res_partner"' >&2`),
  );
  assertEquals([report.ok, report.reason], [false, "LoadFailed"], output);
});
