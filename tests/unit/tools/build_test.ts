import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { build, type BuildOptions, COMPILE_COMMAND, IMAGE_ENVIRONMENT } from "../../../tools/build.ts";
import { TERMINATION_LOG } from "../../../src/odoo/resources/pod.ts";

const ROOT = new URL("../../../", import.meta.url);

/** A folder with a main.ts that loads a part lazily. */
async function withProject(main: string, run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/deno.json`, "{}");
    await Deno.writeTextFile(`${folder}/main.ts`, main);
    await Deno.writeTextFile(`${folder}/lazy.ts`, `export const word = "from the lazy part";`);
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const LAZY_MAIN = `const { word } = await import("./lazy.ts"); console.log(word);`;
const quiet = (folder: string): BuildOptions => ({ folder, stdio: "null" });

async function namesIn(folder: string): Promise<string[]> {
  const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  return names.toSorted();
}

Deno.test("COMPILE_COMMAND and IMAGE_ENVIRONMENT are lines of the Dockerfile", async () => {
  const dockerfile = await Deno.readTextFile(new URL("Dockerfile", ROOT));
  const lines = dockerfile.split("\n").filter((line) => /^(RUN deno compile|ENV) /.test(line));
  assertEquals(lines, [`RUN deno ${COMPILE_COMMAND.join(" ")}`, `ENV ${IMAGE_ENVIRONMENT.join(" ")}`]);
});

Deno.test("COMPILE_COMMAND grants no programs, and no files to write but those of Jobs", () => {
  assert(!COMPILE_COMMAND.some((flag) => /^(-A|--allow-(all|run|ffi|import))/.test(flag)));
  const writes = COMPILE_COMMAND.filter((flag) => flag.startsWith("--allow-write"));
  assertEquals(writes, ["--allow-write=/termination-log,/exchange,/var/lib/odoo"]);
});

Deno.test("COMPILE_COMMAND lets the program write where the kubelet looks for its report", async () => {
  const program = `Deno.openSync("${TERMINATION_LOG}", { write: true }).close()`;
  const flags = COMPILE_COMMAND.filter((flag) => flag.startsWith("--allow-") || flag === "--no-prompt");
  await withProject(program, async (folder) => {
    const { stderr } = await new Deno.Command(Deno.execPath(), { args: ["run", ...flags, `${folder}/main.ts`] })
      .output();
    assertMatch(new TextDecoder().decode(stderr), /NotFound/); // there is none on this machine, but none was refused
  });
});

Deno.test("build() leaves a bundle that runs, lazy parts aside, when asked for the bundle only", async () => {
  await withProject(LAZY_MAIN, async (folder) => {
    await build({ ...quiet(folder), steps: ["bundle"] });
    const [lazy, ...rest] = await namesIn(`${folder}/dist`);
    assert(lazy?.startsWith("lazy-"), lazy);
    assertEquals(rest, ["main.js"]);
    const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["run", "dist/main.js"], cwd: folder }).output();
    assertEquals(new TextDecoder().decode(stdout), "from the lazy part\n");
  });
});

Deno.test("build() removes what an earlier bundle left", async () => {
  await withProject(LAZY_MAIN, async (folder) => {
    await Deno.mkdir(`${folder}/dist`);
    await Deno.writeTextFile(`${folder}/dist/lazy-OLD.js`, "");
    await build({ ...quiet(folder), steps: ["bundle"] });
    assert(!(await namesIn(`${folder}/dist`)).includes("lazy-OLD.js"));
  });
});

Deno.test("build() makes an executable when a denort is named", async () => {
  await withProject(LAZY_MAIN, async (folder) => {
    await build({ ...quiet(folder), env: { DENORT_BIN: Deno.execPath() } });
    const { isFile, mode } = await Deno.stat(`${folder}/odoo-operator`);
    assert(isFile && ((mode ?? 0) & 0o100) !== 0);
  });
});

Deno.test("build() fails when the source does not bundle", async () => {
  await withProject(`import "./missing.ts";`, async (folder) => {
    await assertRejects(() => build(quiet(folder)), Error, "deno bundle failed");
  });
});

Deno.test("build() names the ways out when the executable cannot be made", async () => {
  await withProject(LAZY_MAIN, async (folder) => {
    await assertRejects(() => build({ ...quiet(folder), env: { DENORT_BIN: "/nowhere" } }), Error, "--bundle-only");
  });
});
