import { assert, assertRejects } from "@std/assert";
import { LoadContainer } from "../../src/odoo/pod/load_container.ts";
import { eventually } from "../support/eventually.ts";

/** What scripts/restore_load.sh makes before it waits for an order; the descriptors are those that it keeps open. */
async function readyToLoad(directory: string): Promise<Readonly<Record<string, Deno.FsFile>>> {
  const names = ["toc", "data", "alive"];
  const { success } = await new Deno.Command("mkfifo", { args: names, cwd: directory }).output();
  assert(success);
  const held: Record<string, Deno.FsFile> = {};
  for (const name of names) held[name] = await Deno.open(`${directory}/${name}`, { read: true, write: true });
  const facts = { version: 150000, settings: [], extensions: [], allowedExtensions: [], relations: 0 };
  await Deno.writeTextFile(`${directory}/server`, JSON.stringify(facts));
  return held;
}

Deno.test("LoadContainer.sendCustom() fails as the dump does when that fails while its list is made", async () => {
  const directory = await Deno.makeTempDir();
  const { toc, data, alive } = await readyToLoad(directory);
  const listed = Promise.withResolvers<void>();
  const dump = async function* () {
    await listed.promise;
    yield new Uint8Array(10);
    await Promise.reject(new Error("The source is gone"));
  };
  const peer = await LoadContainer.connect(directory, { waitMs: 10_000, signal: new AbortController().signal });
  const failed = assertRejects(() => peer.sendCustom(dump()), Error, "The source is gone");
  await eventually("there is an order", async () => await Deno.readTextFile(`${directory}/order`) === "custom");
  toc?.close(); // pg_restore has read enough
  listed.resolve();
  await Deno.writeTextFile(`${directory}/list`, "");
  await failed;
  peer.end();
  data?.close();
  alive?.close();
  await Deno.remove(directory, { recursive: true });
});
