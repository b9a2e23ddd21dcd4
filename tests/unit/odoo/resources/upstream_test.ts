import { assertEquals } from "@std/assert";
import { sha256Hex } from "../../../../src/kit/hash.ts";
import type { OdooInstanceSpec } from "../../../../src/odoo/crd/mod.ts";
import type { ClusterAddress } from "../../../../src/odoo/model/postgres/database.ts";
import { PASSWORD_HASH_ANNOTATION } from "../../../../src/odoo/model/names.ts";
import { assess } from "../../../../src/odoo/machine/assess.ts";
import { isRolledOut } from "../../../../src/odoo/resources/mod.ts";
import { aDeployment, aSecret, emptyFacts, type Overrides } from "../../../support/builders.ts";
import { UPSTREAM_CLUSTER, upstreamWorld } from "../upstream_world.ts";

Deno.test("upstreamDifferences() finds none between the pods of 2.5.0 and the spec that they were made from", () => {
  for (const shape of ["plain", "full"] as const) {
    assertEquals(assess(upstreamWorld(shape)).adoption.reasonsToRoll, [], shape);
  }
});

/** A change of the spec of `full` → what the pods lack of it. */
const CHANGES: Readonly<Record<string, { given: Overrides<OdooInstanceSpec>; want: readonly string[] }>> = {
  "more pods": { given: { replicas: 7 }, want: [] },
  "the same quantities in other words": {
    given: { resources: { limits: { cpu: "2000m", memory: "2048Mi" }, requests: { cpu: "0.2", memory: "512Mi" } } },
    want: [],
  },
  "another strategy": { given: { strategy: { type: "Recreate" } }, want: [] },
  "another host": { given: { ingress: { hosts: ["other.example.com"] } }, want: [] },
  "an image": { given: { image: "odoo:20.0" }, want: ["web image", "cron image"] },
  "resources": { given: { resources: { limits: { cpu: "3" } } }, want: ["web resources"] },
  "resources of cron": { given: { cron: { replicas: 1 } }, want: ["cron resources"] },
  "an environment": { given: { environment: "Staging" }, want: ["web environment", "cron environment"] },
  "a variable": { given: { extraEnv: [{ name: "FOO", value: "foo" }] }, want: ["web env", "cron env"] },
  "a variable less": { given: { extraEnv: [] }, want: ["web env", "cron env"] },
  "variables from elsewhere": {
    given: { extraEnvFrom: [{ secretRef: { name: "s" } }] },
    want: ["web envFrom", "cron envFrom"],
  },
  "a login for reports": { given: { readOnlySqlAccess: { enabled: true } }, want: ["web env"] },
  "a probe": { given: { probes: { readinessPath: "/ready" } }, want: ["web readinessPath"] },
  "a toleration": { given: { tolerations: [{ key: "odoo" }] }, want: ["web tolerations", "cron tolerations"] },
  "an affinity": {
    given: {
      affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "z" }] } },
    },
    want: ["web affinity", "cron affinity"],
  },
  "a pull secret": {
    given: { imagePullSecret: "registry" },
    want: ["web imagePullSecrets", "cron imagePullSecrets"],
  },
  "a pod annotation, which 2.5.0 did not know": {
    given: { podAnnotations: { a: "b" } },
    want: ["web podAnnotations", "cron podAnnotations"],
  },
  "an option": { given: { configOptions: { workers: "4" } }, want: ["odoo.conf limit_time_real"] },
  "another value of an option": {
    given: { configOptions: { workers: "2", limit_time_real: "600" } },
    want: ["odoo.conf workers"],
  },
  "further addons": {
    given: { configOptions: { workers: "4", limit_time_real: "600", addons_path: "/mnt/mine" } },
    want: ["odoo.conf addons_path"],
  },
  "another master password": { given: { adminPassword: "other" }, want: ["odoo.conf admin_passwd"] },
};

for (const [what, { given, want }] of Object.entries(CHANGES)) {
  Deno.test(`upstreamDifferences() names what the pods of 2.5.0 lack of ${what}`, () => {
    assertEquals(assess(upstreamWorld("full", { instance: { spec: given } })).adoption.reasonsToRoll, want);
  });
}

Deno.test("upstreamDifferences() notices that the cluster has moved, and that TLS is wanted", () => {
  const at = (address: ClusterAddress) =>
    assess(upstreamWorld("plain", { cluster: { address, facts: emptyFacts() } })).adoption.reasonsToRoll;
  assertEquals(at({ ...UPSTREAM_CLUSTER, host: "other" }), ["odoo.conf db_host"]);
  assertEquals(at({ ...UPSTREAM_CLUSTER, sslMode: "require" }), ["odoo.conf db_sslmode"]);
});

Deno.test("upstreamDifferences() notices another password of the role by its hash, once that is known", () => {
  const password = upstreamWorld("plain").observed.configMap?.data?.db_password ?? "";
  const withHash = (hash: string) => {
    const configSecret = aSecret("plain-odoo-conf", { annotations: { [PASSWORD_HASH_ANNOTATION]: hash } });
    return assess(upstreamWorld("plain", { observed: { configSecret } })).adoption.reasonsToRoll;
  };
  assertEquals(withHash(sha256Hex(password)), []);
  assertEquals(withHash(sha256Hex("another")), ["odoo.conf db_password"]);
});

Deno.test("isRolledOut() is true when the last old pod has ended", () => {
  const deployment = { ...aDeployment("shop", { replicas: 2 }) };
  const at = (status: object) =>
    isRolledOut({ ...deployment, metadata: { ...deployment.metadata, generation: 3 }, status });
  assertEquals(at({ observedGeneration: 3, replicas: 2, updatedReplicas: 2 }), true);
  assertEquals(at({ observedGeneration: 3 }), true);
  assertEquals(at({ observedGeneration: 2, replicas: 2, updatedReplicas: 2 }), false);
  assertEquals(at({ observedGeneration: 3, replicas: 2, updatedReplicas: 1 }), false);
  assertEquals(at({ observedGeneration: 3, replicas: 2, updatedReplicas: 2, terminatingReplicas: 1 }), false);
});
