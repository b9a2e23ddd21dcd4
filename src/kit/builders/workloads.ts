/** Deployments, Jobs and Services, with the wiring that is easy to get wrong (selectors, labels, ports) done once. */
import type { V1DeploymentSpec, V1JobSpec, V1PodSpec, V1ServiceSpec } from "@kubernetes/client-node";
import type { ObjectMeta } from "../types.ts";
import type { Deployment, Job, Service, Wire } from "./kinds.ts";

export type PodSpec = Wire<V1PodSpec>;

/** Options of {@linkcode deployment}. */
export interface DeploymentOptions {
  readonly replicas: number;
  /** Immutable; also set on the pods. */
  readonly selector: Readonly<Record<string, string>>;
  /** Further labels of the pods. */
  readonly podLabels?: Readonly<Record<string, string>>;
  readonly podAnnotations?: Readonly<Record<string, string>>;
  readonly strategy?: NonNullable<Wire<V1DeploymentSpec>["strategy"]>;
  readonly pod: PodSpec;
}

/** A Deployment whose selector and pod labels agree. */
export function deployment(metadata: ObjectMeta, options: DeploymentOptions): Deployment {
  const { replicas, selector, podLabels = {}, podAnnotations = {}, strategy, pod } = options;
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata,
    spec: {
      replicas,
      selector: { matchLabels: { ...selector } },
      ...(strategy ? { strategy } : {}),
      template: { metadata: { labels: { ...podLabels, ...selector }, annotations: { ...podAnnotations } }, spec: pod },
    },
  };
}

/** Options of {@linkcode job}. */
export interface JobOptions {
  readonly podLabels?: Readonly<Record<string, string>>;
  readonly pod: PodSpec;
  readonly spec?: Omit<Wire<V1JobSpec>, "template">;
}

/** A Job whose pods are not started again by the kubelet: `restartPolicy: Never`. */
export function job(metadata: ObjectMeta, options: JobOptions): Job {
  const { podLabels = {}, pod, spec = {} } = options;
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata,
    spec: { ...spec, template: { metadata: { labels: { ...podLabels } }, spec: { restartPolicy: "Never", ...pod } } },
  };
}

/** Options of {@linkcode service}. */
export interface ServiceOptions {
  readonly selector: Readonly<Record<string, string>>;
  /** Port numbers by name; the pods listen on the same numbers. */
  readonly ports: Readonly<Record<string, number>>;
  readonly spec?: Omit<Wire<V1ServiceSpec>, "selector" | "ports">;
}

/** A Service that sends each port to the same number on the selected pods. */
export function service(metadata: ObjectMeta, options: ServiceOptions): Service {
  const ports = Object.entries(options.ports).map(([name, port]) => ({
    name,
    port,
    targetPort: port,
    protocol: "TCP",
  }));
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: { ...options.spec, selector: { ...options.selector }, ports },
  };
}
