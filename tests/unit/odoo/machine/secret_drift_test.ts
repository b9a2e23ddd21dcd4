/** What others edit in the instance's Secrets is mended, by what their metadata shows. */
import { assertEquals } from "@std/assert";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import type { SecretFacts } from "../../../../src/odoo/model/world.ts";
import { anAddress, aSecret, aWorld, ownedFacts } from "../../../support/builders.ts";
import { flattened } from "../../../support/flat_effects.ts";

const RENDERED_AGAIN: Readonly<Record<string, Partial<SecretFacts>>> = {
  "the file is another's": { ownKeys: ["admin_passwd", "salt"] },
  "the password's hash is gone": { ownKeys: ["odoo.conf", "salt"] },
  "nobody says whose it is": { ownKeys: [] },
};

for (const [sentence, facts] of Object.entries(RENDERED_AGAIN)) {
  Deno.test(`decide() renders odoo.conf again, and does nothing else, when ${sentence}`, () => {
    const { configSecret } = aWorld().observed;
    const edited = configSecret && { ...configSecret, ...facts };
    const plan = decide(aWorld({ observed: { configSecret: edited } }));
    assertEquals(flattened(plan.effects).filter(({ type }) => type !== "apply").map(({ type }) => type), [
      "renderConfig",
      "status",
    ]);
  });
}

Deno.test("decide() renders odoo.conf again for a certificate that is another's only when there is to be one", () => {
  const { configSecret } = aWorld().observed;
  const without = configSecret && { ...configSecret, ownKeys: ["odoo.conf", "admin_passwd", "salt"] };
  for (const sslRootCert of [undefined, "PEM"]) {
    const cluster = { address: anAddress(sslRootCert ? { sslRootCert } : {}), facts: ownedFacts() };
    const { configSecret: rendered } = aWorld({ cluster }).observed;
    const configSecret = rendered && without && { ...rendered, ownKeys: without.ownKeys };
    const plan = decide(aWorld({ cluster, observed: { configSecret } }));
    assertEquals(plan.effects.some(({ type }) => type === "renderConfig"), sslRootCert !== undefined);
  }
});

Deno.test("decide() owns each of the instance's Secrets again when its owner was taken off", () => {
  const observed = aWorld().observed;
  for (const kind of ["userSecret", "adminSecret", "readOnlySecret", "configSecret"] as const) {
    const orphan = { ...(observed[kind] ?? aSecret("shop-other")), isOrphan: true };
    const spec = { readOnlySqlAccess: { enabled: kind === "readOnlySecret" } };
    const plan = decide(aWorld({ instance: { spec }, observed: { [kind]: orphan } }));
    assertEquals(plan.effects[0], { type: "ownSecret", name: orphan.name }, kind);
    assertEquals(plan.effects.filter(({ type }) => type === "ownSecret").length, 1);
  }
});
