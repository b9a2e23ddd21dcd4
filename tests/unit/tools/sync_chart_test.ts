import { assertEquals, assertRejects } from "@std/assert";
import { staleCopies, writeCopies } from "../../../tools/sync_chart.ts";

const COPIES = "charts/odoo-operator/files/crds";
const KEPT = "metadata: { annotations: { helm.sh/resource-policy: keep } }\n";

/** A repository with these files. */
async function withRepository(
  files: Readonly<Record<string, string>>,
  run: (root: URL) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(`${folder}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${folder}/${path}`, text);
    }
    await run(new URL(`file://${folder}/`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const CASES: Readonly<Record<string, { readonly files: Record<string, string>; readonly want: readonly string[] }>> = {
  "finds nothing when the copies are equal": { files: { "crds/a.yaml": KEPT, [`${COPIES}/a.yaml`]: KEPT }, want: [] },
  "finds a missing copy": { files: { "crds/a.yaml": KEPT }, want: [`${COPIES}/a.yaml`] },
  "finds a copy of another text": {
    files: { "crds/a.yaml": KEPT, [`${COPIES}/a.yaml`]: "" },
    want: [`${COPIES}/a.yaml`],
  },
  "finds a copy of a file that is gone": {
    files: { "crds/a.yaml": KEPT, [`${COPIES}/a.yaml`]: KEPT, [`${COPIES}/b.yaml`]: KEPT },
    want: [`${COPIES}/b.yaml`],
  },
};

for (const [sentence, { files, want }] of Object.entries(CASES)) {
  Deno.test(`staleCopies() ${sentence}, and writeCopies() mends it`, async () => {
    await withRepository(files, async (root) => {
      const stale = await staleCopies(root);
      assertEquals(stale.map(({ path }) => path), want);
      await writeCopies(stale, root);
      assertEquals(await staleCopies(root), []);
    });
  });
}

Deno.test("staleCopies() refuses a CRD that helm would delete", async () => {
  await withRepository({ "crds/a.yaml": "metadata: { name: a }\n" }, async (root) => {
    await assertRejects(() => staleCopies(root), Error, "crds/a.yaml");
  });
});
