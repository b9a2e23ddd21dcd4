import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cronDeployment, initJob, webDeployment } from "../../../../src/odoo/resources/mod.ts";
import { filestoreClaim } from "../../../../src/odoo/resources/storage.ts";
import { cronGraceSeconds, webGraceSeconds } from "../../../../src/odoo/resources/workloads.ts";
import { anAddress, anInitJob, aResolved } from "../../../support/builders.ts";

type Wish = Parameters<typeof aResolved>[0];

function podsOf(wish: Wish) {
  const resolved = aResolved(wish);
  const input = { cluster: anAddress(), configHash: "c0ffee", replicas: 1 };
  const job = initJob("first-1", anInitJob(), resolved, anAddress());
  return {
    web: webDeployment(resolved, input).spec?.template.spec,
    cron: cronDeployment(resolved, input).spec?.template.spec,
    init: job.spec?.template.spec,
  };
}

Deno.test("every pod runs where the spec says, Jobs where jobDefaults says", () => {
  const spec = {
    nodeSelector: { pool: "odoo" },
    tolerations: [{ key: "odoo" }],
    affinity: { nodeAffinity: {} },
    resources: { limits: { cpu: "1" } },
  };
  for (const [name, pod] of Object.entries(podsOf({ spec }))) {
    assertEquals([pod?.nodeSelector, pod?.tolerations, pod?.affinity], [
      spec.nodeSelector,
      spec.tolerations,
      spec.affinity,
    ], name);
  }
  const jobDefaults = { nodeSelector: { pool: "batch" }, tolerations: [], resources: { limits: { cpu: "4" } } };
  const { web, init } = podsOf({ spec: { ...spec, jobDefaults } });
  assertEquals([web?.nodeSelector, init?.nodeSelector], [{ pool: "odoo" }, { pool: "batch" }]);
  assertEquals([web?.tolerations, init?.tolerations], [[{ key: "odoo" }], undefined]);
  assertEquals([web?.containers[0]?.resources, init?.containers[0]?.resources], [
    { limits: { cpu: "1" } },
    { limits: { cpu: "4" } },
  ]);
});

Deno.test("webDeployment() is spread, cron pods and Jobs are not; a constraint that counts nothing counts web pods", () => {
  const where = { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule" };
  const own = { matchLabels: { tier: "front" } };
  const { web, cron, init } = podsOf({
    spec: { topologySpreadConstraints: [where, { ...where, labelSelector: {} }, { ...where, labelSelector: own }] },
  });
  const ours = { matchLabels: { app: "shop" } };
  assertEquals(web?.topologySpreadConstraints?.map(({ labelSelector }) => labelSelector), [ours, ours, own]);
  assertEquals([cron?.topologySpreadConstraints, init?.topologySpreadConstraints], [undefined, undefined]);
});

Deno.test("every Odoo container has the extra volumes, and is pulled as the spec says", () => {
  const extraVolumes = [{ name: "fonts", configMap: { name: "fonts" } }];
  const extraVolumeMounts = [{ name: "fonts", mountPath: "/fonts" }];
  const pods = podsOf({ spec: { extraVolumes, extraVolumeMounts, imagePullPolicy: "Never" } });
  for (const [name, pod] of Object.entries(pods)) {
    assertEquals(pod?.volumes?.map((volume) => volume.name), ["filestore", "odoo-conf", "fonts"], name);
    assertEquals(pod?.containers[0]?.volumeMounts?.at(-1), { name: "fonts", mountPath: "/fonts" }, name);
    assertEquals(pod?.containers[0]?.imagePullPolicy, "Never", name);
  }
});

Deno.test("webDeployment() takes podAnnotations, but for the one that rolls the pods", () => {
  const resolved = aResolved({ spec: { podAnnotations: { team: "web", "bemade.org/odoo-conf-hash": "mine" } } });
  const { spec } = webDeployment(resolved, { cluster: anAddress(), configHash: "c0ffee", replicas: 1 });
  assertEquals(spec?.template.metadata?.annotations, { team: "web", "bemade.org/odoo-conf-hash": "c0ffee" });
});

const NODES: Readonly<Record<string, { readonly accessModes: Modes | null; readonly shared: boolean }>> = {
  "may be on many nodes": { accessModes: ["ReadWriteMany"], shared: false },
  "may be on many nodes or one": { accessModes: ["ReadWriteOnce", "ReadWriteMany"], shared: false },
  "may be on one node": { accessModes: ["ReadWriteOnce"], shared: true },
  "may be in one pod": { accessModes: ["ReadWriteOncePod"], shared: true },
  "does not say": { accessModes: null, shared: false },
};
type Modes = ("ReadWriteMany" | "ReadWriteOnce" | "ReadWriteOncePod")[];

for (const [sentence, { accessModes, shared }] of Object.entries(NODES)) {
  Deno.test(`all pods ${shared ? "share a node" : "are free"} when the volume ${sentence}`, () => {
    const own = { labelSelector: { matchLabels: { app: "cache" } }, topologyKey: "zone" };
    const spec: NonNullable<NonNullable<Wish>["spec"]> = {
      filestore: { accessModes },
      strategy: { type: "RollingUpdate" },
      affinity: { nodeAffinity: {}, podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [own] } },
    };
    const together = {
      labelSelector: { matchLabels: { "bemade.org/instance": "shop" } },
      topologyKey: "kubernetes.io/hostname",
    };
    for (const [name, pod] of Object.entries(podsOf({ spec }))) {
      assertEquals(pod?.affinity, {
        nodeAffinity: {},
        podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: shared ? [own, together] : [own] },
      }, name);
    }
    const web = webDeployment(aResolved({ spec }), { cluster: anAddress(), configHash: "", replicas: 1 });
    assertEquals(web.spec?.strategy?.type, shared ? "Recreate" : "RollingUpdate");
    const [container] = web.spec?.template.spec?.containers ?? [];
    assertEquals(container?.lifecycle?.preStop?.exec?.command, shared ? undefined : ["sleep", "5"]);
    assertEquals(filestoreClaim(aResolved({ spec }), undefined).spec?.accessModes, accessModes ?? ["ReadWriteMany"]);
  });
}

const LIMITS: Readonly<Record<string, { readonly given: Record<string, string>; readonly want: [number, number] }>> = {
  "nothing is set": { given: {}, want: [135, 135] },
  "requests may take longer": { given: { limit_time_real: "600" }, want: [615, 615] },
  "scheduled actions have a limit": { given: { limit_time_real_cron: "900" }, want: [135, 915] },
  "scheduled actions follow requests": {
    given: { limit_time_real: "60", limit_time_real_cron: "-1" },
    want: [75, 75],
  },
  "scheduled actions have no limit": { given: { limit_time_real_cron: "0" }, want: [135, 3615] },
  "requests have no limit": { given: { limit_time_real: "0" }, want: [3615, 3615] },
  "a limit is no number": { given: { limit_time_real: "long" }, want: [135, 135] },
};

for (const [sentence, { given, want }] of Object.entries(LIMITS)) {
  Deno.test(`pods may take ${want.join(" and ")} s to end when ${sentence}`, () => {
    const wish = { spec: { configOptions: given } };
    const resolved = aResolved(wish);
    assertEquals([webGraceSeconds(resolved), cronGraceSeconds(resolved)], want);
    const { web, cron } = podsOf(wish);
    assertEquals([web?.terminationGracePeriodSeconds, cron?.terminationGracePeriodSeconds], want);
  });
}

Deno.test("cronDeployment() is probed with Python that holds no secret and no file of odoo.conf", () => {
  const container = podsOf({}).cron?.containers[0];
  const startup = container?.startupProbe?.exec?.command ?? [];
  const liveness = container?.livenessProbe?.exec?.command ?? [];
  assertEquals([startup.slice(0, 2), liveness.slice(0, 2)], [["python3", "-c"], ["python3", "-c"]]);
  for (const text of [startup[2] ?? "", liveness[2] ?? ""]) {
    assertStringIncludes(text, "psycopg2.connect(connect_timeout=3)");
    assert(!text.startsWith("#") && !text.includes("odoo.conf") && !text.includes("password"), text);
  }
  assertEquals([container?.livenessProbe?.initialDelaySeconds, container?.readinessProbe], [300, undefined]);
});
