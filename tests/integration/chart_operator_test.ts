/** The permissions of the chart are enough: the operator does its whole job as the chart's service account. */
import { assertEquals } from "@std/assert";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { ensureNamespace, OPERATOR_NAMESPACE, writeClustersSecret } from "../../dev/operator.ts";
import { startHelm } from "../support/helm.ts";
import { startRig } from "../support/rig.ts";

Deno.test("the operator runs with no more rights than the chart gives it", async () => {
  const rig = await startRig({ bare: true });
  try {
    await using helm = await startHelm(rig.cluster.kubeconfig);
    await ensureNamespace(rig.client, OPERATOR_NAMESPACE);
    await helm.install({ release: "odoo-operator", namespace: OPERATOR_NAMESPACE });
    await writeClustersSecret(rig.client, rig.cluster);
    const user = `system:serviceaccount:${OPERATOR_NAMESPACE}:odoo-operator`;
    const groups = ["system:serviceaccounts", `system:serviceaccounts:${OPERATOR_NAMESPACE}`, "system:authenticated"];
    await rig.start({ kubeconfig: await rig.cluster.kubeconfigFor(user, groups) });

    const namespace = await rig.namespace();
    await rig.create(namespace, "shop");
    await rig.inPhase(namespace, "shop", "Running");
    await rig.client.delete(OdooInstanceKind, { namespace, name: "shop" });
    await rig.gone(OdooInstanceKind, namespace, "shop");
    const log = await Deno.readTextFile(rig.operator?.process.logPath ?? "");
    assertEquals(log.split("\n").filter((line) => /forbidden|403/.test(line)), []);
  } finally {
    await rig.stop();
  }
});
