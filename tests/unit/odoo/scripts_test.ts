/** The law for all of scripts/. What each of them does is tested in tests/scripts. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { PROBES, SCRIPTS } from "../../../src/odoo/resources/scripts.ts";

const FOLDER = new URL("../../../scripts/", import.meta.url);

async function scripts(ending = ".sh"): Promise<string[]> {
  const names: string[] = [];
  for await (const { isFile, name } of Deno.readDir(FOLDER)) if (isFile && name.endsWith(ending)) names.push(name);
  return names.toSorted();
}

Deno.test("scripts/*.sh have nothing that shellcheck would say", async () => {
  const paths = (await scripts()).map((name) => decodeURIComponent(new URL(name, FOLDER).pathname));
  assert(paths.length > 0);
  const { stdout } = await new Deno.Command("shellcheck", { args: ["--shell=sh", ...paths], stderr: "null" }).output();
  assertEquals(new TextDecoder().decode(stdout), "");
});

Deno.test("scripts/*.sh are POSIX shell, stop at the first failure, and say what they need", async () => {
  for (const name of await scripts()) {
    const text = await Deno.readTextFile(new URL(name, FOLDER));
    assertMatch(text, /^#!\/bin\/sh\n# \S/, name);
    assertMatch(text, /\nset -eu\n/, name);
    for (const part of ["# Image: ", "# Environment: ", "# Result: "]) assert(text.includes(part), `${name}: ${part}`);
  }
});

Deno.test("SCRIPTS and PROBES embed every script of the folder; of a probe all but the comments at its top", async () => {
  const texts = await Promise.all((await scripts("")).map((name) => Deno.readTextFile(new URL(name, FOLDER))));
  const isProbe = (text: string) => Object.values(PROBES).some((code) => text.endsWith(code));
  assertEquals(Object.values(SCRIPTS).toSorted(), texts.filter((text) => !isProbe(text)).toSorted());
  assertEquals(texts.filter(isProbe).length, Object.keys(PROBES).length);
  for (const code of Object.values(PROBES)) assertMatch(code, /^import /);
});
