/** What the Jobs of all stages have in common: how they are kept, and the volumes that they may ask for. */
import { type Job, job, type PodSpec } from "../../../kit/builders/mod.ts";
import type { ClusterAddress } from "../../model/postgres/database.ts";
import { instanceLabels, objectNames, OUTCOME_FINALIZER, ROOT_CERTIFICATE_KEY } from "../../model/names.ts";
import type { Resolved } from "../../model/resolve.ts";

/** What is particular to a stage. */
export interface Stage {
  readonly pod: PodSpec;
  readonly deadlineSeconds: number;
}

/** It is kept (finalizer, no time to live) until its outcome is in the CR's status. */
export function stageJob(name: string, resolved: Resolved, { pod, deadlineSeconds }: Stage): Job {
  const labels = instanceLabels(resolved.name, resolved.environment);
  return job({ name, namespace: resolved.namespace, labels, finalizers: [OUTCOME_FINALIZER] }, {
    podLabels: labels,
    pod,
    spec: { backoffLimit: 0, activeDeadlineSeconds: deadlineSeconds },
  });
}

type Volumes = NonNullable<PodSpec["volumes"]>;

/** The instance's own files. */
export function filestoreVolume({ filestoreClaim }: Resolved): Volumes[number] {
  return { name: "filestore", persistentVolumeClaim: { claimName: filestoreClaim } };
}

/** Of the instance's configuration only the certificate by which libpq knows the server. */
export function certificateVolume({ name }: Resolved, { sslRootCert }: ClusterAddress): Volumes {
  const items = [{ key: ROOT_CERTIFICATE_KEY, path: ROOT_CERTIFICATE_KEY }];
  return sslRootCert ? [{ name: "certificate", secret: { secretName: objectNames.config(name), items } }] : [];
}
