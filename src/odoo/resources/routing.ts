/** How requests come in: the Service, and an Ingress or, where a Gateway is named, an HTTPRoute. */
import { type HttpRoute, type Ingress, type Service, service } from "../../kit/builders/mod.ts";
import { instanceLabels, objectNames, webSelector } from "../model/names.ts";
import type { Resolved } from "../model/resolve.ts";

const HTTP_PORT = 8069;
const WEBSOCKET_PORT = 8072;

/** The Service of the web pods. */
export function webService(resolved: Resolved): Service {
  const { name } = resolved;
  return service({
    ...metadataOf(resolved, objectNames.service(name)),
    labels: { ...webSelector(name), ...labelsOf(resolved) },
  }, {
    selector: webSelector(name),
    ports: { http: HTTP_PORT, websocket: WEBSOCKET_PORT },
    spec: { type: "ClusterIP" },
  });
}

/**
 * The port that answers /websocket: with worker processes it is a process of its own, without it is the web server
 * itself, and the other port is closed.
 */
export function websocketPort({ configOptions }: Resolved): number {
  return Number(configOptions.workers ?? 0) > 0 ? WEBSOCKET_PORT : HTTP_PORT;
}

/** The Ingress of all hosts, with TLS from cert-manager if an issuer is named. */
export function ingress(resolved: Resolved): Ingress {
  const { name, hosts, ingressIssuer, ingressClass } = resolved;
  const path = (prefix: string, port: number) => ({
    path: prefix,
    pathType: "Prefix",
    backend: { service: { name: objectNames.service(name), port: { number: port } } },
  });
  const paths = [path("/websocket", websocketPort(resolved)), path("/", HTTP_PORT)];
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: {
      ...metadataOf(resolved, objectNames.route(name)),
      labels: labelsOf(resolved),
      ...(ingressIssuer ? { annotations: { "cert-manager.io/cluster-issuer": ingressIssuer } } : {}),
    },
    spec: {
      ...(ingressClass ? { ingressClassName: ingressClass } : {}),
      rules: hosts.map((host) => ({ host, http: { paths } })),
      tls: [{ hosts: [...hosts], secretName: objectNames.tlsSecret(name) }],
    },
  };
}

/** The HTTPRoute of all hosts; TLS is the Gateway's. */
export function httpRoute(
  resolved: Resolved,
  gateway: { readonly name: string; readonly namespace: string },
): HttpRoute {
  const { name, hosts } = resolved;
  const rule = (prefix: string, port: number) => ({
    matches: [{ path: { type: "PathPrefix", value: prefix } }],
    backendRefs: [{ kind: "Service", name: objectNames.service(name), port }],
  });
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { ...metadataOf(resolved, objectNames.route(name)), labels: labelsOf(resolved) },
    spec: {
      parentRefs: [{
        group: "gateway.networking.k8s.io",
        kind: "Gateway",
        namespace: gateway.namespace,
        name: gateway.name,
      }],
      hostnames: hosts,
      rules: [rule("/websocket", websocketPort(resolved)), rule("/", HTTP_PORT)],
    },
  };
}

function metadataOf({ namespace }: Resolved, name: string) {
  return { name, namespace };
}

function labelsOf({ name, environment }: Resolved): Record<string, string> {
  return instanceLabels(name, environment);
}
