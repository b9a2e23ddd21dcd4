import { assertEquals } from "@std/assert";
import { staleFiles } from "../../../../tools/generated_file.ts";
import { goldenFiles } from "../../../../tools/golden.ts";

const ROOT = new URL("../../../../", import.meta.url);

Deno.test("goldenFiles() renders what is committed in tests/golden; if this is meant: deno run -A tools/golden.ts", async () => {
  assertEquals(await staleFiles(goldenFiles(), ROOT), []);
});

Deno.test("goldenFiles() renders every file of tests/golden, each under a name of its own", async () => {
  const rendered = goldenFiles().map(({ path }) => path);
  assertEquals(rendered.toSorted(), [...new Set(rendered)].toSorted());
  assertEquals(await committed("tests/golden"), rendered.toSorted());
});

async function committed(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const entry of Deno.readDir(new URL(`${folder}/`, ROOT))) {
    const path = `${folder}/${entry.name}`;
    paths.push(...entry.isDirectory ? await committed(path) : [path]);
  }
  return paths.toSorted();
}
