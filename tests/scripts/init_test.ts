/**
 * scripts/init.sh, run by the real shell against a double of Odoo: a program of that name on the PATH that writes down its
 * arguments and ends as it is told.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";

const SCRIPT = decodeURIComponent(new URL("../../scripts/init.sh", import.meta.url).pathname);

const ODOO_DOUBLE = `#!/bin/sh
if [ "$1" = --version ]; then
  printf '%s\\n' "$DOUBLE_VERSION"
  exit "\${DOUBLE_VERSION_EXIT:-0}"
fi
printf '%s\\n' "$@" >>"$DOUBLE_LOG"
exit "\${DOUBLE_EXIT:-0}"
`;

const STANDARD = [
  "-c",
  "/etc/odoo/odoo.conf",
  "-d",
  "shop",
  "-i",
  "sale,crm",
  "--stop-after-init",
  "--no-http",
  "--limit-memory-hard=0",
  "--limit-time-real=0",
  "--limit-time-cpu=0",
];

interface Ending {
  readonly code: number;
  /** Arguments of the call that installs; empty if there was none. */
  readonly args: readonly string[];
  /** What the kubelet would read; `undefined` if nothing was written. */
  readonly message: string | undefined;
  readonly stderr: string;
}

async function run(environment: Readonly<Record<string, string>>): Promise<Ending> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/odoo`, ODOO_DOUBLE, { mode: 0o755 });
    const { code, stderr } = await new Deno.Command("sh", {
      args: [SCRIPT],
      clearEnv: true,
      env: {
        PATH: `${folder}:${Deno.env.get("PATH")}`,
        ODOO_MODULES: "sale,crm",
        ODOO_DEMO: "false",
        PGDATABASE: "shop",
        DOUBLE_VERSION: "Odoo Server 18.0-20260101",
        DOUBLE_LOG: `${folder}/arguments`,
        TERMINATION_LOG: `${folder}/message`,
        ...environment,
      },
    }).output();
    const args = (await textOf(`${folder}/arguments`))?.trimEnd().split("\n") ?? [];
    return { code, args, message: await textOf(`${folder}/message`), stderr: new TextDecoder().decode(stderr) };
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

const DEMO: Readonly<
  Record<string, { readonly version: string; readonly demo: string; readonly want: readonly string[] }>
> = {
  "16 without demo data": { version: "Odoo Server 16.0-20260101", demo: "false", want: ["--without-demo=all"] },
  "16 with demo data": { version: "Odoo Server 16.0-20260101", demo: "true", want: [] },
  "18 without demo data": { version: "Odoo Server 18.0-20260101", demo: "false", want: ["--without-demo=all"] },
  "18 with demo data": { version: "Odoo Server 18.0-20260101", demo: "true", want: [] },
  "19 without demo data": { version: "Odoo Server 19.0-20260101", demo: "false", want: [] },
  "19 with demo data": { version: "Odoo Server 19.0-20260101", demo: "true", want: ["--with-demo"] },
  "20 without demo data": { version: "Odoo Server 20.0", demo: "false", want: [] },
  "20 with demo data": { version: "Odoo Server 20.0", demo: "true", want: ["--with-demo"] },
  "an online version of 17": {
    version: "Odoo Server saas~17.4+e-20260101",
    demo: "false",
    want: ["--without-demo=all"],
  },
};

for (const [sentence, { version, demo, want }] of Object.entries(DEMO)) {
  Deno.test(`init.sh passes ${want.join(" ") || "nothing more"} to Odoo ${sentence}`, async () => {
    const { code, args, message } = await run({ DOUBLE_VERSION: version, ODOO_DEMO: demo });
    assertEquals([...args], [...STANDARD, ...want]);
    assertEquals([code, JSON.parse(message ?? "")], [0, { ok: true, modules: ["sale", "crm"] }]);
  });
}

Deno.test("init.sh names a single module in its message", async () => {
  assertEquals(JSON.parse((await run({ ODOO_MODULES: "base" })).message ?? ""), { ok: true, modules: ["base"] });
});

Deno.test("init.sh ends as Odoo ends, without a message, when the installation fails", async () => {
  const { code, args, message } = await run({ DOUBLE_EXIT: "7" });
  assertEquals([code, args.length > 0, message], [7, true, undefined]);
});

Deno.test("init.sh installs nothing when Odoo cannot say its version", async () => {
  const { code, args, message } = await run({ DOUBLE_VERSION_EXIT: "3" });
  assertEquals([code, args, message], [3, [], undefined]);
});

for (const missing of ["ODOO_MODULES", "ODOO_DEMO", "PGDATABASE"]) {
  Deno.test(`init.sh installs nothing when ${missing} is empty, and names it`, async () => {
    const { code, args, message, stderr } = await run({ [missing]: "" });
    assertEquals([code !== 0, args, message], [true, [], undefined]);
    assertStringIncludes(stderr, missing);
  });
}

Deno.test("init.sh gives modules to Odoo as one word, whatever is in it", async () => {
  const hostile = "base; exit 0 $(id) *";
  const { args } = await run({ ODOO_MODULES: hostile });
  assertEquals(args[args.indexOf("-i") + 1], hostile);
});
