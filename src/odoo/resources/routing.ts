/**
 * How requests come in: the Service, and an Ingress or, where a Gateway is named, an HTTPRoute.
 *
 * `/web/database`, Odoo's database manager, lists, copies and drops databases for any client with the master password. It is
 * not reachable from outside: its path leads to a Service without endpoints, which every Ingress controller and Gateway answers
 * with a 5xx, without the rules of their own that such a refusal would need in each of them.
 */
import { type HttpRoute, type Ingress, type Service, service } from "../../kit/builders/mod.ts";
import { blockedSelector, instanceLabels, objectNames, webSelector } from "../model/names.ts";
import type { Resolved } from "../model/resolve.ts";

const HTTP_PORT = 8069;
const WEBSOCKET_PORT = 8072;
const DATABASE_MANAGER = "/web/database";

/** Reports and imports take minutes; Odoo's own documentation asks for so much. */
const TIMEOUT_SECONDS = 720;

/**
 * What ingress-nginx must know of Odoo; other controllers ignore it. X-Forwarded-Host, without which Odoo trusts none
 * of the X-Forwarded-* headers, is set by ingress-nginx anyway.
 */
const NGINX_ANNOTATIONS: Readonly<Record<string, string>> = {
  "nginx.ingress.kubernetes.io/proxy-body-size": "512m", // attachments; Odoo itself refuses more than 128 MB by default
  "nginx.ingress.kubernetes.io/proxy-read-timeout": String(TIMEOUT_SECONDS),
  "nginx.ingress.kubernetes.io/proxy-send-timeout": String(TIMEOUT_SECONDS),
};

/** The Service of the web pods. It has both ports in either mode: other routes may name them. */
export function webService(resolved: Resolved): Service {
  const { name, serviceType } = resolved;
  return service({
    ...metadataOf(resolved, objectNames.service(name)),
    labels: { ...webSelector(name), ...labelsOf(resolved) },
  }, {
    selector: webSelector(name),
    ports: { http: HTTP_PORT, websocket: WEBSOCKET_PORT },
    spec: { type: serviceType },
  });
}

/**
 * A Service that no pod is selected by: what is sent here is refused. Without a selector, a user could give it
 * endpoints by hand.
 */
export function blockedService(resolved: Resolved): Service {
  return service({ ...metadataOf(resolved, objectNames.blocked(resolved.name)), labels: labelsOf(resolved) }, {
    selector: blockedSelector(resolved.name),
    ports: { http: HTTP_PORT },
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

/** Where each path leads, the most particular first. */
function backendsOf(resolved: Resolved): readonly { path: string; service: string; port: number }[] {
  const web = objectNames.service(resolved.name);
  return [
    { path: "/websocket", service: web, port: websocketPort(resolved) },
    { path: DATABASE_MANAGER, service: objectNames.blocked(resolved.name), port: HTTP_PORT },
    { path: "/", service: web, port: HTTP_PORT },
  ];
}

/** The Ingress of all hosts, with TLS from cert-manager if an issuer is named. The user's annotations win. */
export function ingress(resolved: Resolved): Ingress {
  const { name, hosts, ingressIssuer, ingressClass, ingressAnnotations } = resolved;
  const paths = backendsOf(resolved).map(({ path, service, port }) => ({
    path,
    pathType: "Prefix",
    backend: { service: { name: service, port: { number: port } } },
  }));
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: {
      ...metadataOf(resolved, objectNames.route(name)),
      labels: labelsOf(resolved),
      annotations: {
        ...NGINX_ANNOTATIONS,
        ...(ingressIssuer ? { "cert-manager.io/cluster-issuer": ingressIssuer } : {}),
        ...ingressAnnotations,
      },
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
  const { name, hosts, ingressAnnotations } = resolved;
  const filters = forwardedHost(hosts);
  const rules = backendsOf(resolved).map(({ path, service, port }) => ({
    matches: [{ path: { type: "PathPrefix", value: path } }],
    ...(filters.length ? { filters } : {}),
    backendRefs: [{ kind: "Service", name: service, port }],
    timeouts: { request: `${TIMEOUT_SECONDS}s` },
  }));
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: {
      ...metadataOf(resolved, objectNames.route(name)),
      labels: labelsOf(resolved),
      ...(Object.keys(ingressAnnotations).length ? { annotations: ingressAnnotations } : {}),
    },
    spec: {
      parentRefs: [{
        group: "gateway.networking.k8s.io",
        kind: "Gateway",
        namespace: gateway.namespace,
        name: gateway.name,
      }],
      hostnames: hosts,
      rules,
    },
  };
}

/** The same HTTPRoute for CRDs of the Gateway API before 1.2, which have no timeouts. */
export function withoutTimeouts({ spec, ...route }: HttpRoute): HttpRoute {
  const rules = spec?.rules?.map(({ timeouts: _, ...rule }) => rule) ?? [];
  return { ...route, spec: { ...spec, rules } };
}

/**
 * Gateways send the scheme (X-Forwarded-Proto), which only they know; those on Envoy do not send the host, and without
 * it Odoo ignores the rest. A filter can set a fixed value only, so this is for the one case where it is known: one
 * host, no wildcard. With several hosts the Gateway must be configured to send X-Forwarded-Host.
 */
function forwardedHost(hosts: readonly string[]): readonly Readonly<Record<string, unknown>>[] {
  const [host, ...others] = hosts;
  if (!host || others.length || host.startsWith("*")) return [];
  return [{
    type: "RequestHeaderModifier",
    requestHeaderModifier: { set: [{ name: "X-Forwarded-Host", value: host }] },
  }];
}

function metadataOf({ namespace }: Resolved, name: string) {
  return { name, namespace };
}

function labelsOf({ name, environment }: Resolved): Record<string, string> {
  return instanceLabels(name, environment);
}
