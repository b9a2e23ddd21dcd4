/** scripts/copy_database.sh as a container would run it, without the container: its environment, its directory, its message. */
import { assert, assertEquals } from "@std/assert";
import { LEFT_OUT_ENTRIES } from "../../src/odoo/model/operations/copy/dump_entries.ts";
import { SCRIPTS } from "../../src/odoo/resources/scripts.ts";
import { eventually } from "./eventually.ts";

const LONGEST_MS = 60_000;

/** Names that a shell, psql, a list of entries or a report could take for something else, and what is hard to copy. */
export const HOSTILE_NAMES = `
create schema "we""ird; $(id)";
create table "we""ird; $(id)"."1; 2 3 EXTENSION - x
\\! touch /tmp/copy-database-owned" ("a'b" int, "\t" text);
insert into "we""ird; $(id)"."1; 2 3 EXTENSION - x
\\! touch /tmp/copy-database-owned" select i, E'x\\ny\\\\.' from generate_series(1, 5) i;
create table empty_one (id serial primary key, parent int references empty_one);
create table big (id int, body text);
insert into big select i, (select string_agg(md5((i * n)::text), '') from generate_series(1, 200000) n) from generate_series(1, 3) i;
create table measured (at date, value int) partition by range (at);
create table measured_1 partition of measured for values from ('2020-01-01') to ('2021-01-01');
create index on measured (value);
insert into measured select '2020-02-02', i from generate_series(1, 7) i;
create sequence backwards increment by -3 start with -1;
select nextval('backwards'), nextval('backwards');
create sequence untouched;
create materialized view partners as select count(*) from res_partner;
select lo_from_bytea(0, 'large object');
create function audit() returns trigger language plpgsql as 'begin return new; end';
create trigger audited before insert on res_partner for each row execute function audit();
create function empty_one() returns void language sql as 'select';`;

/** A login that the script is given. */
export interface Login {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** From where, to where, and by which programs. */
export interface DatabaseCopy {
  /** The folder with psql, pg_dump and pg_restore in `bin`. */
  readonly programs: string;
  readonly source: Login;
  readonly target: Login;
  readonly env?: Readonly<Record<string, string>>;
  /** Programs that come before the real ones, by name. */
  readonly doubles?: Readonly<Record<string, string>>;
}

/** How it ended. */
export interface CopyEnding {
  readonly code: number;
  readonly report: Readonly<Record<string, unknown>>;
  readonly output: string;
}

/** A script that runs. */
export interface RunningCopy {
  readonly directory: string;
  readonly script: Deno.ChildProcess;
  readonly ended: Promise<CopyEnding>;
}

/** Runs it to its end. */
export async function copyDatabase(copy: DatabaseCopy): Promise<CopyEnding> {
  return await (await startDatabaseCopy(copy)).ended;
}

/** Starts it. */
export async function startDatabaseCopy(copy: DatabaseCopy): Promise<RunningCopy> {
  const { programs, source, target, env, doubles = {} } = copy;
  const directory = await Deno.makeTempDir({ prefix: "copy-" });
  await Deno.mkdir(`${directory}/bin`);
  for (const [name, text] of Object.entries(doubles)) {
    await Deno.writeTextFile(`${directory}/bin/${name}`, text, { mode: 0o755 });
  }
  await Deno.mkdir(`${directory}/work`);
  const script = new Deno.Command("sh", {
    args: ["-c", SCRIPTS.copyDatabase, "copy_database.sh", SCRIPTS.loadFacts],
    clearEnv: true,
    env: {
      PATH: `${directory}/bin:${programs}/bin:${Deno.env.get("PATH")}`,
      REAL: `${programs}/bin`,
      COPY_DIR: `${directory}/work`,
      COPY_LEAVE_OUT: LEFT_OUT_ENTRIES.map(([pattern]) => pattern).join("\n"),
      TERMINATION_LOG: `${directory}/message`,
      ...loginEnv(source, "SOURCE_"),
      ...loginEnv(target, ""),
      ...env,
    },
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(LONGEST_MS),
  }).spawn();
  return { directory, script, ended: ending(directory, script) };
}

/** Waits until nothing works in the script's directory any more. */
export async function noPrograms(directory: string): Promise<void> {
  await eventually("all programs have ended", async () => {
    assertEquals(await programsIn(directory), []);
    return true;
  }, { timeoutMs: 30_000 }); // a pg_dump that asks a silent server to cancel is killed ten seconds after it was told to end
}

/** Debian's PostgreSQL is what runs, so there is a /proc. */
async function programsIn(directory: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    const folder = /^\d+$/.test(name) ? await Deno.readLink(`/proc/${name}/cwd`).catch(() => "") : ""; // it may have ended
    if (folder.startsWith(directory)) found.push(await Deno.readTextFile(`/proc/${name}/comm`).catch(() => "ended"));
  }
  return found;
}

function loginEnv({ host, port, user, password, database }: Login, prefix: string): Record<string, string> {
  const variables = { PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password, PGDATABASE: database };
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [`${prefix}${name}`, value]));
}

async function ending(directory: string, script: Deno.ChildProcess): Promise<CopyEnding> {
  try {
    const { code, stdout, stderr } = await script.output();
    const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    const message = await Deno.readFile(`${directory}/message`).catch(() => new Uint8Array());
    assert(message.length <= 4000, "the kubelet would cut it");
    const text = new TextDecoder("utf-8", { fatal: true }).decode(message);
    return { code, report: JSON.parse(text || "{}"), output };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
