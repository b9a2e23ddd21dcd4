/** `odoo-operator crds`: the CustomResourceDefinitions, for `kubectl apply --server-side -f -`. */
import backupJob from "../../crds/backupjob-crd.yaml" with { type: "text" };
import initJob from "../../crds/initjob-crd.yaml" with { type: "text" };
import instance from "../../crds/odoo-crd.yaml" with { type: "text" };
import restoreJob from "../../crds/restorejob-crd.yaml" with { type: "text" };
import stagingRefreshJob from "../../crds/stagingrefreshjob-crd.yaml" with { type: "text" };
import upgradeJob from "../../crds/upgradejob-crd.yaml" with { type: "text" };

const CRDS = [instance, initJob, backupJob, restoreJob, upgradeJob, stagingRefreshJob];

/** Prints all CRDs as one YAML stream. */
export function command(): Promise<number> {
  let rest = new TextEncoder().encode(CRDS.join("---\n"));
  while (rest.length) rest = rest.subarray(Deno.stdout.writeSync(rest)); // a pipe takes less than all of it at once
  return Promise.resolve(0);
}
