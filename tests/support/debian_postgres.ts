/** Debian's PostgreSQL: the server of which the machine also has pg_dump, pg_restore and psql, which the npm package lacks. */
import { ensureSystemPackages, thisMachine } from "../../tools/system_packages.ts";

const FOLDER = "/usr/lib/postgresql";

/** The folder with `bin` of the newest version; Debian's package is installed if there is none. */
export async function debianPostgres(): Promise<string> {
  const found = await newest();
  if (found) return found;
  const machine = thisMachine();
  // the package's programs are in a folder of their own, not on the PATH
  const has = async () => await newest() !== undefined;
  await ensureSystemPackages(["postgresql"], {
    ...machine,
    has: (name) => name === "postgresql" ? has() : machine.has(name),
  });
  return await newest() ?? "";
}

async function newest(): Promise<string | undefined> {
  let best = 0;
  try {
    for await (const { name } of Deno.readDir(FOLDER)) {
      const complete = await Deno.stat(`${FOLDER}/${name}/bin/initdb`).then(() => true, () => false);
      if (complete) best = Math.max(best, Number(name) || 0);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return best > 0 ? `${FOLDER}/${best}` : undefined;
}
