/** The two Deployments: web pods without cron threads, cron pods without HTTP. */
import {
  type Container,
  type Deployment,
  deployment,
  type DeploymentOptions,
  envFromSecret,
  type EnvVar,
} from "../../kit/builders/mod.ts";
import type { ClusterAddress } from "../model/postgres/database.ts";
import {
  CONFIG_HASH_ANNOTATION,
  containerNames,
  cronSelector,
  instanceLabels,
  objectNames,
  RESTARTED_FOR_ANNOTATION,
  webSelector,
} from "../model/names.ts";
import { type Resolved, sharesNode } from "../model/resolve.ts";
import { cronPlacement, type Placement, webPlacement } from "./placement.ts";
import { CONFIG_FILE, odooContainer, odooPod } from "./pod.ts";
import { PROBES } from "./scripts.ts";

const HTTP_PORT = 8069;
const WEBSOCKET_PORT = 8072;

/** What a Deployment needs in addition to the resolved spec. */
export interface WorkloadInput {
  readonly cluster: ClusterAddress;
  /** Rolls the pods when it changes. */
  readonly configHash: string;
  readonly replicas: number;
  /** uid of the last operation that required a restart of the pods. */
  readonly restartedFor?: string | undefined;
}

/** Serves HTTP and websockets. */
export function webDeployment(resolved: Resolved, input: WorkloadInput): Deployment {
  const { name, webResources } = resolved;
  const web = odooContainer(containerNames.web(name), resolved, input.cluster, {
    command: ["odoo", "-c", CONFIG_FILE, "--max-cron-threads=0"],
    ports: [
      { name: "http", containerPort: HTTP_PORT, protocol: "TCP" },
      { name: "websocket", containerPort: WEBSOCKET_PORT, protocol: "TCP" },
    ],
    ...(resolved.readOnlyAccess ? { env: readOnlyEnv(resolved) } : {}),
    ...webProbes(resolved),
    ...webDrain(resolved),
    ...(webResources ? { resources: webResources as NonNullable<Container["resources"]> } : {}),
  });
  return odooDeployment(resolved, input, {
    name: objectNames.web(name),
    selector: webSelector(name),
    container: web,
    placement: webPlacement(resolved),
    graceSeconds: webGraceSeconds(resolved),
  });
}

/** Runs scheduled actions. */
export function cronDeployment(resolved: Resolved, input: WorkloadInput): Deployment {
  const { name, cronResources } = resolved;
  const cron = odooContainer(containerNames.cron(name), resolved, input.cluster, {
    command: ["odoo", "-c", CONFIG_FILE, "--workers=0", "--no-http"],
    ...cronProbes(),
    ...(cronResources ? { resources: cronResources as NonNullable<Container["resources"]> } : {}),
  });
  return odooDeployment(resolved, input, {
    name: objectNames.cron(name),
    selector: cronSelector(name),
    container: cron,
    placement: cronPlacement(resolved),
    graceSeconds: cronGraceSeconds(resolved),
  });
}

/** Absent in cron and job pods: reports are asked for over HTTP. */
function readOnlyEnv({ name }: Resolved): EnvVar[] {
  const secret = objectNames.readOnlySecret(name);
  return [
    envFromSecret("ODOO_RO_DB_USER", { name: secret, key: "username" }),
    envFromSecret("ODOO_RO_DB_PASSWORD", { name: secret, key: "password" }),
  ];
}

interface Part {
  readonly name: string;
  readonly selector: Readonly<Record<string, string>>;
  readonly container: Container;
  readonly placement: Placement;
  readonly graceSeconds: number;
}

function odooDeployment(resolved: Resolved, input: WorkloadInput, part: Part): Deployment {
  const { cluster, replicas, configHash, restartedFor } = input;
  const labels = instanceLabels(resolved.name, resolved.environment);
  const metadata = { name: part.name, namespace: resolved.namespace, labels: { ...part.selector, ...labels } };
  return deployment(metadata, {
    replicas,
    selector: part.selector,
    podLabels: labels,
    podAnnotations: {
      ...resolved.podAnnotations,
      [CONFIG_HASH_ANNOTATION]: configHash,
      ...(restartedFor ? { [RESTARTED_FOR_ANNOTATION]: restartedFor } : {}),
    },
    strategy: strategyOf(resolved),
    pod: odooPod(resolved, [part.container], {
      cluster,
      ...part.placement,
      terminationGracePeriodSeconds: part.graceSeconds,
    }),
  });
}

function strategyOf(resolved: Resolved): NonNullable<DeploymentOptions["strategy"]> {
  const { strategy, rollingUpdate } = resolved;
  if (sharesNode(resolved)) return { type: "Recreate" }; // a new pod on another node would wait for the volume for ever
  if (!rollingUpdate) return { type: strategy };
  return {
    type: strategy,
    rollingUpdate: {
      maxUnavailable: intOrPercent(rollingUpdate.maxUnavailable),
      maxSurge: intOrPercent(rollingUpdate.maxSurge),
    },
  };
}

function intOrPercent(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text;
}

/** Odoo's own defaults, what a pod needs beyond its longest request, and the end of patience where there is no limit. */
const LIMIT_TIME_REAL = 120;
const GRACE_MARGIN_SECONDS = 15;
const UNLIMITED_GRACE_SECONDS = 3600;

/** After SIGTERM Odoo finishes the requests that it has begun, each of which may take limit_time_real; 0 is no limit. */
export function webGraceSeconds({ configOptions }: Pick<Resolved, "configOptions">): number {
  return graceSeconds(limitOf(configOptions.limit_time_real) ?? LIMIT_TIME_REAL);
}

/** The same for scheduled actions: limit_time_real_cron, where a negative value means that of requests. */
export function cronGraceSeconds(resolved: Pick<Resolved, "configOptions">): number {
  const limit = limitOf(resolved.configOptions.limit_time_real_cron) ?? -1;
  return limit < 0 ? webGraceSeconds(resolved) : graceSeconds(limit);
}

function graceSeconds(limit: number): number {
  return (limit > 0 ? limit : UNLIMITED_GRACE_SECONDS) + GRACE_MARGIN_SECONDS;
}

function limitOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\s*-?\d{1,9}\s*$/.test(text) ? Number(text) : undefined;
}

/** There is no HTTP to ask: the probes look at the database, as the scripts say. */
function cronProbes(): Pick<Container, "startupProbe" | "livenessProbe"> {
  const run = (script: string) => ({ exec: { command: ["python3", "-c", script] }, timeoutSeconds: 5 });
  return {
    startupProbe: { ...run(PROBES.cronStartup), initialDelaySeconds: 5, periodSeconds: 10, failureThreshold: 30 },
    livenessProbe: { ...run(PROBES.cronLiveness), initialDelaySeconds: 300, periodSeconds: 30, failureThreshold: 3 },
  };
}

/** How long every node may take to learn that a pod is leaving; less than the margin of its grace. */
const DRAIN_SECONDS = 5;

/**
 * A pod that others take over from still answers for a while: after SIGTERM Odoo refuses connections at once, and those
 * come until all nodes know. Where pods end before new ones start no other pod takes over.
 */
function webDrain(resolved: Resolved): Pick<Container, "lifecycle"> {
  if (strategyOf(resolved).type !== "RollingUpdate") return {};
  return { lifecycle: { preStop: { exec: { command: ["sleep", String(DRAIN_SECONDS)] } } } };
}

function webProbes({ probes }: Resolved): Pick<Container, "startupProbe" | "livenessProbe" | "readinessProbe"> {
  const get = (path: string) => ({ httpGet: { path, port: HTTP_PORT }, timeoutSeconds: 5 });
  return {
    startupProbe: { ...get(probes.startupPath), initialDelaySeconds: 5, periodSeconds: 10, failureThreshold: 30 },
    livenessProbe: { ...get(probes.livenessPath), periodSeconds: 15, failureThreshold: 3 },
    readinessProbe: { ...get(probes.readinessPath), periodSeconds: 10, failureThreshold: 3 },
  };
}
