/** The manifests in examples/odoo on a real API server with our CRDs: each is taken as it is, and none has a field that is not there. */
import { assert, assertEquals } from "@std/assert";
import { createClient, type KubeObject, Secret } from "../src/kit/mod.ts";
import { startBareApiServer } from "../tests/support/api_server.ts";
import { committedCrds, documents, establish, type Manifest, typeOf } from "../tests/support/crds.ts";

const FOLDER = new URL("odoo/", import.meta.url);

/** Every object of every file, by file. */
async function manifests(): Promise<Map<string, Manifest[]>> {
  const found = new Map<string, Manifest[]>();
  for await (const { name } of Deno.readDir(FOLDER)) {
    found.set(name, await documents(new URL(name, FOLDER)));
  }
  return found;
}

Deno.test("examples/odoo has a manifest of every kind, and an API server takes each", async (t) => {
  await using server = await startBareApiServer();
  const client = createClient(server.access, { fieldManager: "user" });
  try {
    const crds = await committedCrds();
    for (const crd of crds) await establish(client, crd);
    const files = await manifests();
    const kinds = new Set([...files.values()].flat().map(({ kind }) => kind));
    assertEquals([...kinds].toSorted(), ["Secret", ...crds.map(({ spec }) => spec.names.kind)].toSorted());
    for (const [file, objects] of files) {
      await t.step(file, async () => {
        for (const object of objects) {
          const type = object.kind === "Secret" ? Secret : typeOf(object.kind);
          const metadata = { ...object.metadata, namespace: "default" };
          const { metadata: stored } = await client.apply<KubeObject>(type, { ...object, metadata });
          assert(stored.uid, `${object.kind} ${object.metadata?.name} is stored`);
        }
      });
    }
  } finally {
    client.close();
  }
});
