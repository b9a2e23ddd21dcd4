/** One batch/v1 Job per operation: in the instance's image, with the tenant's own credentials and nothing else. */
import { env, envFromSecret, type Job, job } from "../../../kit/builders/mod.ts";
import type { OdooInitJob } from "../../crd/mod.ts";
import type { ClusterAddress } from "../../model/postgres/database.ts";
import { instanceLabels, objectNames, OUTCOME_FINALIZER } from "../../model/names.ts";
import { orBase, type Resolved } from "../../model/resolve.ts";
import { jobPlacement } from "../placement.ts";
import { odooContainer, odooPod } from "../pod.ts";
import { SCRIPTS } from "../scripts.ts";

const INIT_DEADLINE_SECONDS = 3600;

/** Installs the first modules. It is kept (finalizer, no time to live) until its outcome is in the CR's status. */
export function initJob(name: string, cr: OdooInitJob, resolved: Resolved, cluster: ClusterAddress): Job {
  const labels = instanceLabels(resolved.name, resolved.environment);
  const init = odooContainer("init", resolved, cluster, {
    command: ["/bin/sh", "-c", SCRIPTS.init, "init.sh", SCRIPTS.jobDatabase, SCRIPTS.initCheck],
    env: [
      ...env({
        INIT_MODULES: orBase(cr.spec.modules).join(","),
        INIT_LANGUAGES: (cr.spec.languages ?? []).join(","),
        INIT_DEMO: String(cr.spec.demo ?? false),
        INIT_OWNER: resolved.uid,
        INIT_REPORT_URL: `http://${objectNames.service(resolved.name)}:8069`,
        INIT_BASE_URL: `https://${resolved.hosts[0]}`,
      }),
      envFromSecret("INIT_ADMIN_PASSWORD", { name: objectNames.adminSecret(resolved.name), key: "password" }),
    ],
    terminationMessagePolicy: "FallbackToLogsOnError",
    ...(resolved.jobs.resources
      ? { resources: resolved.jobs.resources as NonNullable<ReturnType<typeof odooContainer>["resources"]> }
      : {}),
  });
  return job({ name, namespace: resolved.namespace, labels, finalizers: [OUTCOME_FINALIZER] }, {
    podLabels: labels,
    pod: odooPod(resolved, [init], { cluster, ...jobPlacement(resolved) }),
    spec: { backoffLimit: 0, activeDeadlineSeconds: INIT_DEADLINE_SECONDS },
  });
}
