/** The two Deployments: web pods without cron threads, cron pods without HTTP. */
import { type Container, type Deployment, deployment, type DeploymentOptions } from "../../kit/builders/mod.ts";
import type { ClusterAddress } from "../model/database.ts";
import {
  CONFIG_HASH_ANNOTATION,
  containerNames,
  cronSelector,
  instanceLabels,
  objectNames,
  webSelector,
} from "../model/names.ts";
import type { Resolved } from "../model/resolve.ts";
import { CONFIG_FILE, odooContainer, odooPod } from "./pod.ts";

const HTTP_PORT = 8069;
const WEBSOCKET_PORT = 8072;

/** What a Deployment needs beside the wish. */
export interface WorkloadInput {
  readonly cluster: ClusterAddress;
  /** Rolls the pods when it changes. */
  readonly configHash: string;
  readonly replicas: number;
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
    ...webProbes(resolved),
    ...(webResources ? { resources: webResources as NonNullable<Container["resources"]> } : {}),
  });
  return odooDeployment(resolved, input, { name: objectNames.web(name), selector: webSelector(name), container: web });
}

/** Runs scheduled actions. */
export function cronDeployment(resolved: Resolved, input: WorkloadInput): Deployment {
  const { name, cronResources } = resolved;
  const cron = odooContainer(containerNames.cron(name), resolved, input.cluster, {
    command: ["odoo", "-c", CONFIG_FILE, "--workers=0", "--no-http"],
    ...(cronResources ? { resources: cronResources as NonNullable<Container["resources"]> } : {}),
  });
  return odooDeployment(resolved, input, {
    name: objectNames.cron(name),
    selector: cronSelector(name),
    container: cron,
  });
}

interface Part {
  readonly name: string;
  readonly selector: Readonly<Record<string, string>>;
  readonly container: Container;
}

function odooDeployment(resolved: Resolved, { replicas, configHash }: WorkloadInput, part: Part): Deployment {
  const labels = instanceLabels(resolved.name, resolved.environment);
  const metadata = { name: part.name, namespace: resolved.namespace, labels: { ...part.selector, ...labels } };
  return deployment(metadata, {
    replicas,
    selector: part.selector,
    podLabels: labels,
    podAnnotations: { [CONFIG_HASH_ANNOTATION]: configHash },
    strategy: strategyOf(resolved),
    pod: odooPod(resolved, [part.container]),
  });
}

function strategyOf({ strategy, rollingUpdate }: Resolved): NonNullable<DeploymentOptions["strategy"]> {
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

function webProbes({ probes }: Resolved): Pick<Container, "startupProbe" | "livenessProbe" | "readinessProbe"> {
  const get = (path: string) => ({ httpGet: { path, port: HTTP_PORT }, timeoutSeconds: 5 });
  return {
    startupProbe: { ...get(probes.startupPath), initialDelaySeconds: 5, periodSeconds: 10, failureThreshold: 30 },
    livenessProbe: { ...get(probes.livenessPath), periodSeconds: 15, failureThreshold: 3 },
    readinessProbe: { ...get(probes.readinessPath), periodSeconds: 10, failureThreshold: 3 },
  };
}
