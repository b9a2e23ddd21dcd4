import { assert, assertEquals } from "@std/assert";
import type { Deployment, HttpRoute } from "../../../../src/kit/builders/kinds.ts";
import type { KubeObject } from "../../../../src/kit/types.ts";
import { obsoleteChildren, steadyChildren } from "../../../../src/odoo/resources/mod.ts";
import { blockedService, httpRoute, ingress, webService } from "../../../../src/odoo/resources/routing.ts";
import { renderedObjects, SCENARIOS } from "../../../../tools/golden.ts";
import { anAddress, aResolved, aWorld } from "../../../support/builders.ts";

const GATEWAY = { name: "edge", namespace: "net" };

/** Service and port of each path of an HTTPRoute, in order. */
function routedTo({ spec }: HttpRoute): unknown[] {
  return (spec?.rules ?? []).map((rule) => {
    const { matches, backendRefs } = rule as {
      matches: { path: { value: string } }[];
      backendRefs: { name: string; port: number }[];
    };
    return [matches[0]?.path.value, backendRefs[0]?.name, backendRefs[0]?.port];
  });
}

const WAYS: Readonly<Record<string, { readonly workers: string | undefined; readonly websocket: number }>> = {
  "threads": { workers: undefined, websocket: 8069 },
  "worker processes": { workers: "2", websocket: 8072 },
};

for (const [sentence, { workers, websocket }] of Object.entries(WAYS)) {
  const resolved = aResolved({ spec: workers ? { configOptions: { workers } } : {} });
  const want = [["/websocket", "shop", websocket], ["/web/database", "shop-blocked", 8069], ["/", "shop", 8069]];

  Deno.test(`ingress() sends websockets to ${websocket}, the database manager nowhere, all else to 8069 with ${sentence}`, () => {
    const paths = ingress(resolved).spec?.rules?.[0]?.http?.paths ?? [];
    assertEquals(paths.map(({ path, backend: { service } }) => [path, service?.name, service?.port?.number]), want);
  });

  Deno.test(`httpRoute() sends them the same way with ${sentence}`, () => {
    assertEquals(routedTo(httpRoute(resolved, GATEWAY)), want);
  });
}

Deno.test("webService() keeps both ports and takes its type from the spec", () => {
  const { spec } = webService(aResolved({ spec: { service: { type: "LoadBalancer" } } }));
  assertEquals([spec?.type, spec?.ports?.map(({ port }) => port)], ["LoadBalancer", [8069, 8072]]);
  assertEquals(webService(aResolved()).spec?.type, "ClusterIP");
});

Deno.test("blockedService() selects by a label that no pod bears, so nothing ever answers there", () => {
  const { spec } = blockedService(aResolved());
  const [[label = "", ...none] = [], ...further] = [Object.keys(spec?.selector ?? {})];
  assertEquals([label, none, further, spec?.type], ["bemade.org/blocked", [], [], "ClusterIP"]);
  const objects = Object.values(SCENARIOS).flatMap((scenario) => renderedObjects(scenario));
  for (const { kind, metadata, spec } of objects as readonly (KubeObject & { spec?: Deployment["spec"] })[]) {
    const labels = kind === "Deployment" || kind === "Job" ? spec?.template.metadata?.labels : {};
    assert(labels && !(label in labels), `${kind} ${metadata?.name}`);
  }
});

Deno.test("ingress() lets the user's annotations win, and keeps the others", () => {
  const { metadata } = ingress(aResolved({
    spec: {
      ingress: {
        annotations: { "nginx.ingress.kubernetes.io/proxy-body-size": "2g", "cert-manager.io/cluster-issuer": "mine" },
      },
    },
  }));
  assertEquals(metadata?.annotations, {
    "nginx.ingress.kubernetes.io/proxy-body-size": "2g",
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "720",
    "nginx.ingress.kubernetes.io/proxy-send-timeout": "720",
    "cert-manager.io/cluster-issuer": "mine",
  });
});

Deno.test("ingress() has a rule and a name in the certificate for each host", () => {
  const hosts = ["shop.example.com", "*.example.org"];
  const { spec } = ingress(aResolved({ spec: { ingress: { hosts } } }));
  assertEquals(spec?.rules?.map(({ host }) => host), hosts);
  assertEquals(spec?.tls, [{ hosts, secretName: "shop-tls" }]);
});

Deno.test("httpRoute() bears the user's annotations and none of nginx", () => {
  const annotations = { team: "web" };
  assertEquals(
    httpRoute(aResolved({ spec: { ingress: { annotations } } }), GATEWAY).metadata?.annotations,
    annotations,
  );
  assertEquals(httpRoute(aResolved(), GATEWAY).metadata?.annotations, undefined);
});

const FORWARDED: Readonly<Record<string, { readonly hosts: string[]; readonly want: string | undefined }>> = {
  "there is one host": { hosts: ["shop.example.com"], want: "shop.example.com" },
  "there are two": { hosts: ["shop.example.com", "www.example.com"], want: undefined },
  "the host is a wildcard": { hosts: ["*.example.com"], want: undefined },
};

for (const [sentence, { hosts, want }] of Object.entries(FORWARDED)) {
  Deno.test(`httpRoute() ${want ? "sets" : "does not set"} X-Forwarded-Host when ${sentence}`, () => {
    const { spec } = httpRoute(aResolved({ spec: { ingress: { hosts } } }), GATEWAY);
    const filter = {
      type: "RequestHeaderModifier",
      requestHeaderModifier: { set: [{ name: "X-Forwarded-Host", value: want }] },
    };
    for (const rule of spec?.rules ?? []) {
      assertEquals([rule.filters, rule.timeouts], [want ? [filter] : undefined, { request: "720s" }]);
    }
  });
}

Deno.test("steadyChildren() has one way in: an Ingress, or an HTTPRoute where a Gateway is named", () => {
  const kinds = (spec: object) => steadyChildren(aResolved({ spec }), anAddress()).map(({ kind }) => kind);
  const ways = (spec: object) => kinds(spec).filter((kind) => kind === "Ingress" || kind === "HTTPRoute");
  assertEquals(ways({}), ["Ingress"]);
  assertEquals(ways({ ingress: { hosts: ["shop.example.com"], gatewayRef: GATEWAY } }), ["HTTPRoute"]);
});

const BUDGETS: Readonly<Record<number, number>> = { 0: 0, 1: 0, 2: 1, 9: 1 };

for (const [replicas, want] of Object.entries(BUDGETS)) {
  Deno.test(`steadyChildren() has ${want || "no"} PodDisruptionBudget when ${replicas} web pods are wanted`, () => {
    const metadata = { name: "shop", namespace: "blue", uid: "uid-of-budget", resourceVersion: "1" };
    const resolved = aResolved({ spec: { replicas: Number(replicas) } });
    const budgets = steadyChildren(resolved, anAddress()).filter(({ kind }) => kind === "PodDisruptionBudget");
    assertEquals(budgets.length, want);
    const disruptionBudget = { kind: "PodDisruptionBudget", metadata };
    const { observed } = aWorld({ observed: { disruptionBudget } });
    assertEquals(obsoleteChildren(resolved, observed), want ? [] : [disruptionBudget]);
    assert(!want || JSON.stringify(budgets).includes('"maxUnavailable":1'));
  });
}
