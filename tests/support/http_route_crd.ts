/** As much of the Gateway API's HTTPRoute as the operator writes: strict, so that a field of a wrong name is refused. */
import type { KubeObject } from "../../src/kit/types.ts";

const text = { type: "string" };
const list = (items: object) => ({ type: "array", items });
const object = (properties: object) => ({ type: "object", properties });

const rule = (timeouts: boolean) =>
  object({
    matches: list(object({ path: object({ type: text, value: text }) })),
    filters: list(object({
      type: text,
      requestHeaderModifier: object({
        set: {
          ...list({ ...object({ name: text, value: text }), required: ["name", "value"] }),
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["name"],
        },
      }),
    })),
    backendRefs: list(object({
      group: { ...text, default: "" },
      kind: { ...text, default: "Service" },
      name: text,
      port: { type: "integer" },
      weight: { type: "integer", default: 1 },
    })),
    ...(timeouts ? { timeouts: object({ request: { ...text, pattern: "^([0-9]{1,5}(h|m|s|ms)){1,4}$" } }) } : {}),
  });

const spec = (timeouts: boolean) =>
  object({
    parentRefs: list(object({ group: text, kind: text, namespace: text, name: text })),
    hostnames: list(text),
    rules: list(rule(timeouts)),
  });

/** The CRD, with or without the timeouts that came with version 1.2. */
export const httpRouteCrd = (
  { timeouts }: { readonly timeouts: boolean },
): KubeObject & { readonly spec: unknown } => ({
  metadata: {
    name: "httproutes.gateway.networking.k8s.io",
    annotations: { "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/3328" },
  },
  spec: {
    group: "gateway.networking.k8s.io",
    scope: "Namespaced",
    names: { kind: "HTTPRoute", plural: "httproutes", singular: "httproute", listKind: "HTTPRouteList" },
    versions: [{
      name: "v1",
      served: true,
      storage: true,
      schema: { openAPIV3Schema: object({ spec: spec(timeouts), status: { type: "object" } }) },
    }],
  },
});
