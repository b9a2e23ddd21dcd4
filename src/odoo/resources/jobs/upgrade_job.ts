/** The Job of an upgrade: Odoo itself, in the instance's image, with the tenant's own credentials and nothing else. */
import { env, type Job, job } from "../../../kit/builders/mod.ts";
import type { OdooUpgradeJob } from "../../crd/mod.ts";
import type { ClusterAddress } from "../../model/postgres/database.ts";
import { instanceLabels, OUTCOME_FINALIZER } from "../../model/names.ts";
import type { Resolved } from "../../model/resolve.ts";
import { jobPlacement } from "../placement.ts";
import { odooContainer, odooPod } from "../pod.ts";
import { SCRIPTS } from "../scripts.ts";

/** Updates of all modules of a large database take hours. */
const UPGRADE_DEADLINE_SECONDS = 4 * 3600;

/** How long Odoo, and then the check that puts back what is half-way, have to end after SIGTERM. */
const GRACE_SECONDS = 120;

/** Updates and installs modules. It is kept (finalizer, no time to live) until its outcome is in the CR's status. */
export function upgradeJob(name: string, cr: OdooUpgradeJob, resolved: Resolved, cluster: ClusterAddress): Job {
  const labels = instanceLabels(resolved.name, resolved.environment);
  const upgrade = odooContainer("upgrade", resolved, cluster, {
    command: ["/bin/sh", "-c", SCRIPTS.upgrade, "upgrade.sh", SCRIPTS.jobDatabase, SCRIPTS.upgradeRun],
    env: env({
      UPGRADE_MODULES: (cr.spec.modules ?? []).join(","),
      UPGRADE_INSTALL: (cr.spec.modulesInstall ?? []).join(","),
      UPGRADE_OWNER: resolved.uid,
    }),
    terminationMessagePolicy: "FallbackToLogsOnError",
    ...(resolved.jobs.resources
      ? { resources: resolved.jobs.resources as NonNullable<ReturnType<typeof odooContainer>["resources"]> }
      : {}),
  });
  return job({ name, namespace: resolved.namespace, labels, finalizers: [OUTCOME_FINALIZER] }, {
    podLabels: labels,
    pod: odooPod(resolved, [upgrade], {
      cluster,
      terminationGracePeriodSeconds: GRACE_SECONDS,
      ...jobPlacement(resolved),
    }),
    spec: { backoffLimit: 0, activeDeadlineSeconds: UPGRADE_DEADLINE_SECONDS },
  });
}
