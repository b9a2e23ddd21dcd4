/** A Python that can do what the one in Odoo's images can: found, or installed like the programs that the tests call. */
import { ensureSystemPackages, thisMachine } from "../../tools/system_packages.ts";

const PACKAGE = "python3-psycopg2";
const INTERPRETERS: readonly string[] = ["/usr/bin/python3", "python3"];

/** The path of a python3 that has psycopg2. */
export async function pythonWithPsycopg2(): Promise<string> {
  const machine = thisMachine();
  await ensureSystemPackages([PACKAGE], {
    ...machine,
    has: async (name) => name === PACKAGE ? await capable() !== undefined : await machine.has(name),
  });
  const path = await capable();
  if (!path) throw new Error(`Cannot find a python3 with psycopg2: ${PACKAGE} is installed for another one`);
  return path;
}

async function capable(): Promise<string | undefined> {
  for (const interpreter of INTERPRETERS) {
    try {
      const { success, stdout } = await new Deno.Command(interpreter, {
        args: ["-c", "import psycopg2, sys; print(sys.executable)"],
        stderr: "null",
      }).output();
      if (success) return new TextDecoder().decode(stdout).trim();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}
