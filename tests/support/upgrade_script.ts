/**
 * scripts/upgrade.sh in the real shell and Python, around a double of Odoo: a program of that name on the PATH that writes
 * down its arguments, does to the database what it is told, and ends as it is told; and a package of that name, with as
 * much as is needed to ask for the addons path.
 */
import { assert } from "@std/assert";
import type { PostgresServer } from "../../dev/postgres.ts";
import { parseReport, type Report } from "../../src/odoo/model/operations/reports/report.ts";
import { eventually } from "./eventually.ts";

const SCRIPTS = decodeURIComponent(new URL("../../scripts/", import.meta.url).pathname);
export const UID = "0b8f1f5e-7f2c-4f6e-9d3a-0000000000a1";
export const PASSWORD = "tenant-password";

/** The SQL of a successful update of `sale`. */
export const UPDATED = "update ir_module_module set latest_version = '18.0.2.0' where name = 'sale'";

const ODOO_DOUBLE = `
import os, signal, sys, time
if sys.argv[1:] == ["--version"]:
    print("Odoo Server 18.0-20260101")
    sys.exit(0)
with open(os.environ["DOUBLE_FOLDER"] + "/arguments", "a") as file:
    file.writelines(word + "\\n" for word in sys.argv[1:])
print(os.environ["DOUBLE_LOG"], file=sys.stderr, flush=True)
if os.environ["DOUBLE_SQL"]:
    import psycopg2
    connection = psycopg2.connect(dbname=os.environ["PGDATABASE"])
    connection.cursor().execute(os.environ["DOUBLE_SQL"])
    connection.commit()
if os.environ["DOUBLE_EXIT"] == "wait for SIGTERM":
    signal.sigwait([signal.SIGTERM])  # the real one ends with 0 then, too
    sys.exit(0)
if os.environ["DOUBLE_EXIT"] == "SIGKILL":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(os.environ["DOUBLE_EXIT"]))
`;

/** What the check asks of Odoo's own package. */
const PACKAGE_DOUBLE: Readonly<Record<string, string>> = {
  "__init__.py": "",
  "tools.py": "class config:\n    parse_config = staticmethod(lambda arguments: print('some noise'))\n",
  "addons.py": "import os\n__path__ = []\n",
  "modules/__init__.py": "",
  "modules/module.py":
    "import os\nimport odoo.addons\ndef initialize_sys_path():\n    odoo.addons.__path__.append(os.environ['DOUBLE_ADDONS'])\n",
};

/** What the image has. */
export const ON_DISK = ["base", "sale", "crm", "account", "project"];

/** How the script ended. */
export interface Ending {
  readonly code: number;
  /** Arguments of Odoo; empty if it was not run. */
  readonly args: readonly string[];
  /** What the kubelet would read; `undefined` if nothing was written. */
  readonly message: string | undefined;
  /** All that was printed. */
  readonly log: string;
}

/** What differs from one run to the next. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** What the image has. @default {ON_DISK} */
  readonly onDisk?: readonly string[];
  /** odoo.conf. */
  readonly config?: string;
  /** Whether Odoo can be asked for its addons path. @default {"yes"} */
  readonly package?: "yes" | "no";
  /** Called when Odoo runs. */
  readonly meanwhile?: (script: Deno.ChildProcess) => Promise<void>;
}

/** Runs the script for the database `shop` of the role `tenant`. */
export async function runUpgrade(
  { server, python }: { readonly server: PostgresServer; readonly python: string },
  options: RunOptions = {},
): Promise<Ending> {
  const { env = {}, onDisk = ON_DISK, config = "[options]\n", meanwhile } = options;
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/odoo`, `#!${python}${ODOO_DOUBLE}`, { mode: 0o755 });
    await Deno.symlink(python, `${folder}/python3`);
    await Deno.writeTextFile(`${folder}/odoo.conf`, config);
    await Deno.mkdir(`${folder}/python/odoo/modules`, { recursive: true });
    for (const [name, text] of Object.entries(options.package === "no" ? {} : PACKAGE_DOUBLE)) {
      await Deno.writeTextFile(`${folder}/python/odoo/${name}`, text);
    }
    for (const name of onDisk) {
      await Deno.mkdir(`${folder}/addons/${name}`, { recursive: true });
      await Deno.writeTextFile(`${folder}/addons/${name}/__manifest__.py`, "{}");
    }
    await Deno.mkdir(`${folder}/addons/no_module`, { recursive: true });
    const [script, ...texts] = await Promise.all(
      ["upgrade.sh", "job_database.py", "upgrade_run.py"].map((name) => Deno.readTextFile(`${SCRIPTS}${name}`)),
    );
    const child = new Deno.Command("sh", {
      args: ["-c", script ?? "", "upgrade.sh", ...texts],
      clearEnv: true,
      env: {
        PATH: `${folder}:${Deno.env.get("PATH")}`,
        PYTHONPATH: `${folder}/python`,
        UPGRADE_MODULES: "sale",
        UPGRADE_INSTALL: "",
        UPGRADE_OWNER: UID,
        UPGRADE_PATIENCE: "10",
        PGHOST: server.host,
        PGPORT: String(server.port),
        PGUSER: "tenant",
        PGPASSWORD: PASSWORD,
        PGDATABASE: "shop",
        DOUBLE_FOLDER: folder,
        DOUBLE_ADDONS: `${folder}/addons`,
        DOUBLE_SQL: UPDATED,
        DOUBLE_EXIT: "0",
        DOUBLE_LOG: "2026-11-21 INFO shop odoo.modules.loading: Loading module sale (2/3)",
        CONFIG_FILE: `${folder}/odoo.conf`,
        TERMINATION_LOG: `${folder}/message`,
        ...env,
      },
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const ended = child.output();
    if (meanwhile) {
      await eventually("Odoo runs", async () => await textOf(`${folder}/arguments`) !== undefined);
      await meanwhile(child);
    }
    const { code, stdout, stderr } = await ended;
    const args = (await textOf(`${folder}/arguments`))?.trimEnd().split("\n") ?? [];
    const log = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    return {
      code,
      args: args.map((word) => word.replace(folder, "")),
      message: await textOf(`${folder}/message`),
      log,
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The report; throws where the kubelet would find none, or more than the contract allows. */
export function reportOf({ message = "", log }: Ending): Report {
  const report = parseReport(message);
  assert(report, `no report: ${message}\n${log}`);
  assert(new TextEncoder().encode(message).length <= 4000, "the message is too long");
  return report;
}
