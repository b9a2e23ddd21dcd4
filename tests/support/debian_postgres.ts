/** PostgreSQL as Debian packages it: the server that its own pg_dump can dump, which the one of dev/postgres_binaries.ts is not. */
import { ensureSystemPackages, thisMachine } from "../../tools/system_packages.ts";

const PACKAGE = "postgresql";
const FOLDER = "/usr/lib/postgresql";

/** The folder with `bin`, in which server, psql, pg_dump and pg_restore are of one version. */
export async function debianPostgres(): Promise<string> {
  const machine = thisMachine();
  await ensureSystemPackages([PACKAGE], {
    ...machine,
    has: async (name) => name === PACKAGE ? await newest() !== undefined : await machine.has(name),
  });
  const found = await newest();
  if (!found) throw new Error(`Cannot find PostgreSQL below ${FOLDER}, though ${PACKAGE} is installed`);
  return found;
}

async function newest(): Promise<string | undefined> {
  const majors: string[] = [];
  try {
    for await (const { name } of Deno.readDir(FOLDER)) {
      if (await hasServer(name)) majors.push(name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const major = majors.sort((a, b) => Number(b) - Number(a))[0];
  return major && `${FOLDER}/${major}`;
}

async function hasServer(major: string): Promise<boolean> {
  try {
    return (await Deno.stat(`${FOLDER}/${major}/bin/postgres`)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
