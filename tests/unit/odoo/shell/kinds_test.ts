import { assertEquals } from "@std/assert";
import type { Deployment, Ingress, Job, Pod, Secret, Stored } from "../../../../src/kit/mod.ts";
import { slimDeployment, slimJob, slimPod, slimSecret, withoutStatus } from "../../../../src/odoo/shell/kinds.ts";

const metadata = { name: "shop-init", namespace: "a", uid: "1", resourceVersion: "7" };
const container = { name: "init", image: "odoo:19.0", command: ["sh", "-c", "a long script"] };

Deno.test("withoutStatus() keeps all but the status", () => {
  const ingress: Stored<Ingress> = { metadata, spec: { ingressClassName: "nginx" }, status: { loadBalancer: {} } };
  assertEquals(withoutStatus(ingress), { metadata, spec: { ingressClassName: "nginx" } });
});

Deno.test("slimDeployment() keeps the counts and why pods are refused, and is idempotent", () => {
  const refused = { type: "ReplicaFailure", status: "True", message: "exceeded quota" };
  const counts = { observedGeneration: 3, replicas: 2, readyReplicas: 1, updatedReplicas: 2, unavailableReplicas: 1 };
  const deployment: Stored<Deployment> = {
    metadata,
    spec: { replicas: 2, selector: {}, template: { spec: { containers: [container] } } },
    status: { ...counts, conditions: [{ type: "Progressing", status: "True" }, refused] },
  };
  const slim = slimDeployment(deployment);
  assertEquals(slim, { ...deployment, status: { ...counts, conditions: [refused] } });
  assertEquals(slimDeployment(slim), slim);
});

Deno.test("slimJob() keeps all but the template of the pods and steps of their count, and is idempotent", () => {
  const ended = { type: "Complete", status: "True" };
  const job: Stored<Job> = {
    metadata: { ...metadata, finalizers: ["bemade.org/outcome"] },
    spec: { backoffLimit: 0, template: { spec: { containers: [container] } } },
    status: {
      active: 1,
      ready: 0,
      startTime: "2026-11-21T04:00:00Z",
      uncountedTerminatedPods: { succeeded: ["2"] },
      conditions: [{ type: "SuccessCriteriaMet", status: "True" }, ended],
    },
  };
  const slim = slimJob(job);
  assertEquals(slim, {
    ...job,
    spec: { backoffLimit: 0, template: {} },
    status: { active: 1, ready: 0, conditions: [ended] },
  });
  assertEquals(slimJob(slim), slim);
});

Deno.test("slimPod() keeps how a pod has ended, and is idempotent", () => {
  const state = { terminated: { exitCode: 1, message: "no module named sale" } };
  const pod: Stored<Pod> = {
    metadata: { ...metadata, labels: { "job-name": "shop-init" }, annotations: { long: "story" } },
    spec: { containers: [container] },
    status: {
      phase: "Failed",
      containerStatuses: [{ name: "init", image: "odoo:19.0", imageID: "x", ready: false, restartCount: 3, state }],
    },
  };
  const slim = slimPod(pod);
  assertEquals(slim.spec, undefined);
  assertEquals(slim.metadata, { ...metadata, labels: { "job-name": "shop-init" } });
  assertEquals(slim.status?.containerStatuses?.map(({ name, state }) => ({ name, state })), [{ name: "init", state }]);
  assertEquals(slimPod(slim), slim);
});

Deno.test("slimPod() keeps nothing of a pod that starts and runs but its metadata", () => {
  const waits: Stored<Pod> = { metadata, status: { phase: "Pending" } };
  const status = { name: "init", image: "odoo:19.0", imageID: "x", ready: true, restartCount: 0 };
  const runs: Stored<Pod> = { metadata, status: { phase: "Running", containerStatuses: [status] } };
  assertEquals(slimPod(waits), { metadata, status: { containerStatuses: [] } });
  assertEquals(slimPod(runs), slimPod(waits));
});

Deno.test("slimSecret() keeps what this operator has written, and is idempotent", () => {
  const own = { manager: "odoo-operator", operation: "Apply", fieldsV1: { "f:data": { "f:salt": {} } } } as const;
  const other = { manager: "kubectl-edit", operation: "Update" } as const;
  const secret: Stored<Secret> = { metadata: { ...metadata, labels: { a: "b" }, managedFields: [other, own] } };
  const slim = slimSecret(secret);
  assertEquals(slim, { metadata: { ...metadata, labels: { a: "b" }, managedFields: [own] } });
  assertEquals(slimSecret(slim), slim);
  assertEquals(slimSecret({ metadata }), { metadata });
});
