/**
 * The command lines of etcd, the API server and its controllers: one of each, on this machine alone, fast rather than
 * durable. All of them run with the cluster's directory as working directory and find their files there by name.
 */
import type { ManagedProcess, ProcessGroup } from "./processes.ts";

/** Names of the files in the cluster's directory that the processes read or write. */
export const FILES = {
  ca: "ca.crt",
  servingCert: "apiserver.crt",
  servingKey: "apiserver.key",
  serviceAccountKey: "service-account.key",
  serviceAccountPublicKey: "service-account.pub",
  auditPolicy: "audit-policy.yaml",
  auditLog: "audit.log",
  kwokConfig: "kwok.yaml",
  kubeconfig: (user: string) => `${user}.kubeconfig`,
} as const;

/** How much of each request is written down: that it was, or what was sent. */
export type AuditLevel = "Metadata" | "Request";

/**
 * One entry per request, when its answer is known: what RequestReceived adds is the same request a second time. The
 * cluster's own controllers are left out: nobody asks for theirs, and they are most of all. Nor are the contents of Secrets
 * ever written down, as everywhere.
 */
export function auditPolicy(level: AuditLevel): string {
  return `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, userGroups: ["system:serviceaccounts:kube-system"]}
- {level: None, users: ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kwok"]}
- {level: Metadata, resources: [{group: "", resources: [secrets]}]}
- {level: ${level}}
`;
}

/** Sockets in the working directory instead of ports: nothing to collide with, and nobody else on the machine gets in. */
const ETCD_CLIENT_URL = "unix://etcd-client:1";
const ETCD_PEER_URL = "unix://etcd-peer:1";

/**
 * Controllers that have nothing to do without real nodes or a cloud, and the one for the Endpoints that nobody reads
 * since there are EndpointSlices. Without node lifecycle, fake nodes are never tainted.
 */
const CONTROLLERS_OFF = [
  "endpoints-controller",
  "endpointslice-mirroring-controller",
  "persistentvolume-expander-controller",
  "node-lifecycle-controller",
  "node-ipam-controller",
  "node-route-controller",
  "service-lb-controller",
  "taint-eviction-controller",
  "device-taint-eviction-controller",
  "persistentvolume-attach-detach-controller",
  "horizontal-pod-autoscaler-controller",
  "ttl-controller",
];

/** With the defaults of 20 requests a second the controllers, not the operator, would be what a test waits for. */
const CLIENT_RATE = ["--kube-api-qps=500", "--kube-api-burst=500"];

/** For programs in Go, the compiler among them: memory is there, the two cores are what everybody waits for. */
export const GO_ENV = { GOGC: "400" };

/** A process to start: where its program is and in which group it runs. */
export interface KubeProcessOptions {
  readonly group: ProcessGroup;
  readonly command: string;
}

/** Starts etcd. */
export function spawnEtcd({ group, command }: KubeProcessOptions): Promise<ManagedProcess> {
  return group.spawn({
    name: "etcd",
    command,
    env: GO_ENV,
    args: [
      "--name=local",
      "--data-dir=etcd",
      "--unsafe-no-fsync",
      "--log-level=warn",
      `--listen-client-urls=${ETCD_CLIENT_URL}`,
      `--advertise-client-urls=${ETCD_CLIENT_URL}`,
      `--listen-peer-urls=${ETCD_PEER_URL}`,
      `--initial-advertise-peer-urls=${ETCD_PEER_URL}`,
      `--initial-cluster=local=${ETCD_PEER_URL}`,
    ],
  });
}

/** Starts the API server on a port of the loopback address. */
export function spawnApiServer(
  { group, command, port }: KubeProcessOptions & { readonly port: number },
): Promise<ManagedProcess> {
  return group.spawn({
    name: "kube-apiserver",
    command,
    env: GO_ENV,
    args: [
      `--etcd-servers=${ETCD_CLIENT_URL}`,
      "--bind-address=127.0.0.1",
      `--secure-port=${port}`,
      `--tls-cert-file=${FILES.servingCert}`,
      `--tls-private-key-file=${FILES.servingKey}`,
      `--client-ca-file=${FILES.ca}`,
      "--authorization-mode=RBAC",
      "--service-cluster-ip-range=10.0.0.0/16",
      "--endpoint-reconciler-type=none", // a loopback address is refused as an endpoint, and nothing in here would use it
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${FILES.serviceAccountPublicKey}`,
      `--service-account-signing-key-file=${FILES.serviceAccountKey}`,
      "--disable-admission-plugins=TaintNodesByCondition", // nobody would take the taint of a new node away
      `--audit-policy-file=${FILES.auditPolicy}`,
      `--audit-log-path=${FILES.auditLog}`,
      "--audit-log-maxsize=100000", // megabytes: a reader never loses the file to rotation
      "--profiling=false",
    ],
  });
}

/** Starts the controllers that a cluster has: Deployments, Jobs, garbage collection, service accounts and so on. */
export function spawnControllerManager(
  { group, command, controllers = [] }: KubeProcessOptions & { readonly controllers?: readonly string[] },
): Promise<ManagedProcess> {
  const off = CONTROLLERS_OFF.filter((name) => !controllers.includes(name)).map((name) => `-${name}`);
  return group.spawn({
    name: "kube-controller-manager",
    command,
    env: GO_ENV,
    args: [
      `--kubeconfig=${FILES.kubeconfig("kube-controller-manager")}`,
      ...CLIENT_RATE,
      "--leader-elect=false",
      "--secure-port=0",
      "--use-service-account-credentials", // as in a real cluster: each controller has only its own rights
      `--controllers=${["*", ...off].join(",")}`,
      `--service-account-private-key-file=${FILES.serviceAccountKey}`,
      `--root-ca-file=${FILES.ca}`,
      "--concurrent-deployment-syncs=20",
      "--concurrent-replicaset-syncs=20",
      "--concurrent-job-syncs=20",
      "--horizontal-pod-autoscaler-sync-period=1s", // where it is switched on, a test waits for it
    ],
  });
}

/** Starts the scheduler. */
export function spawnScheduler({ group, command }: KubeProcessOptions): Promise<ManagedProcess> {
  return group.spawn({
    name: "kube-scheduler",
    command,
    env: GO_ENV,
    args: [
      `--kubeconfig=${FILES.kubeconfig("kube-scheduler")}`,
      ...CLIENT_RATE,
      "--leader-elect=false",
      "--secure-port=0",
    ],
  });
}

/** Starts kwok, which plays the kubelets of all nodes. */
export function spawnKwok({ group, command }: KubeProcessOptions): Promise<ManagedProcess> {
  return group.spawn({
    name: "kwok",
    command,
    args: [`--config=${FILES.kwokConfig}`, `--kubeconfig=${FILES.kubeconfig("kwok")}`, "--manage-all-nodes"],
    env: { ...GO_ENV, KWOK_WORKDIR: `${group.directory}/kwok` }, // not ~/.kwok, where a user may have settings of their own
  });
}
