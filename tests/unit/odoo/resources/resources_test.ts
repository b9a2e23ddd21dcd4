import { assert, assertEquals } from "@std/assert";
import type { Deployment, Job } from "../../../../src/kit/builders/kinds.ts";
import type { PodSpec } from "../../../../src/kit/builders/workloads.ts";
import type { KubeObject } from "../../../../src/kit/types.ts";
import { cronDeployment, initJob, webDeployment } from "../../../../src/odoo/resources/mod.ts";
import { websocketPort } from "../../../../src/odoo/resources/routing.ts";
import { filestoreClaim } from "../../../../src/odoo/resources/storage.ts";
import { renderedObjects, SCENARIOS } from "../../../../tools/golden.ts";
import { aClaim, anAddress, anInitJob, aResolved } from "../../../support/builders.ts";

const EVERY_OBJECT = Object.entries(SCENARIOS).flatMap(([scenario, given]) =>
  renderedObjects(given).map((object) => ({ name: `${scenario}: ${object.kind} ${object.metadata?.name}`, object }))
);

/** The pods of everything that has pods. */
const EVERY_POD = EVERY_OBJECT.flatMap(({ name, object }) => {
  const pod = podOf(object);
  return pod ? [{ name, pod }] : [];
});

function podOf(object: KubeObject): PodSpec | undefined {
  if (object.kind !== "Deployment" && object.kind !== "Job") return undefined;
  return (object as Deployment | Job).spec?.template.spec;
}

function web(overrides: Parameters<typeof aResolved>[0] = {}) {
  return webDeployment(aResolved(overrides), { cluster: anAddress(), configHash: "c0ffee", replicas: 1 });
}

Deno.test("renderedObjects() has pods to look at in every scenario", () => {
  const jobs = Object.values(SCENARIOS).map(({ upgradeJob, backupJob, restoreJob }) =>
    (upgradeJob ? 1 : 0) + (backupJob ? 1 : 0) + (restoreJob ? 7 : 0)
  );
  assertEquals(EVERY_POD.length, jobs.reduce((sum, count) => sum + count, 3 * Object.keys(SCENARIOS).length));
});

Deno.test("no rendered object holds a password", () => {
  for (const { name, object } of EVERY_OBJECT) {
    const text = JSON.stringify(object);
    assert(!text.includes("master-secret") && !text.includes("admin-secret"), name);
    assert(!text.includes("db_password") && !text.includes("admin_passwd"), name);
    assert(object.kind !== "Secret", `${name}: Secrets are made in the shell`);
  }
});

Deno.test("no tenant's pod knows the administrator of PostgreSQL", () => {
  for (const { name, pod } of EVERY_POD) {
    for (const { env = [] } of pod.containers) {
      const user = env.find((variable) => variable.name === "PGUSER");
      if (user) assertEquals(user.value, "odoo.blue.shop", name); // the rest has no database
    }
    assert(!JSON.stringify(pod).includes(`"${anAddress().adminUser}"`), name);
  }
});

Deno.test("every password comes from a Secret", () => {
  for (const { name, pod } of EVERY_POD) {
    for (const { env = [] } of pod.containers) {
      const password = env.find((variable) => variable.name === "PGPASSWORD");
      assertEquals(password !== undefined, env.some((variable) => variable.name === "PGUSER"), name);
      if (!password) continue;
      assertEquals(password?.value, undefined, name);
      assertEquals(password?.valueFrom?.secretKeyRef, { name: "shop-odoo-user", key: "password" }, name);
    }
  }
});

Deno.test("no pod gets a service account token or the addresses of its neighbours", () => {
  for (const { name, pod } of EVERY_POD) {
    assertEquals([pod.automountServiceAccountToken, pod.enableServiceLinks], [false, false], name);
  }
});

Deno.test("every pod meets the restricted Pod Security level", () => {
  for (const { name, pod } of EVERY_POD) {
    const { securityContext } = pod;
    assertEquals(
      [securityContext?.runAsNonRoot, securityContext?.seccompProfile?.type],
      [true, "RuntimeDefault"],
      name,
    );
    assert((securityContext?.runAsUser ?? 0) > 0, name);
    assert(!pod.hostNetwork && !pod.hostPID && !pod.hostIPC, name);
    assert(pod.volumes?.every(({ hostPath }) => !hostPath), name);
    for (const container of [...pod.containers, ...pod.initContainers ?? []]) {
      assertEquals(container.securityContext?.allowPrivilegeEscalation, false, name);
      assertEquals(container.securityContext?.capabilities?.drop, ["ALL"], name);
      assert(!container.securityContext?.privileged, name);
      assert(container.ports?.every(({ hostPort }) => !hostPort) ?? true, name);
    }
  }
});

Deno.test("every object is in the instance's namespace and bears its label, the pods too", () => {
  for (const { name, object } of EVERY_OBJECT) {
    assertEquals(object.metadata?.namespace, "blue", name);
    assertEquals(object.metadata?.labels?.["bemade.org/instance"], "shop", name);
    const template = (object as Deployment | Job).spec;
    if (!podOf(object) || !template) continue;
    assertEquals(template.template.metadata?.labels?.["bemade.org/instance"], "shop", name);
  }
});

Deno.test("webDeployment() selects no pod of the cron Deployment, nor the other way round", () => {
  const cron = cronDeployment(aResolved(), { cluster: anAddress(), configHash: "c0ffee", replicas: 1 });
  for (const [one, other] of [[web(), cron], [cron, web()]] as const) {
    const labels = one.spec?.template.metadata?.labels ?? {};
    const matches = (selector: Record<string, string> = {}) =>
      Object.entries(selector).every(([label, value]) => labels[label] === value);
    assertEquals([matches(one.spec?.selector.matchLabels), matches(other.spec?.selector.matchLabels)], [true, false]);
  }
});

Deno.test("webDeployment() rolls the pods when the hash changes, and not when replicas change", () => {
  const template = (configHash: string, replicas: number) =>
    webDeployment(aResolved(), { cluster: anAddress(), configHash, replicas }).spec?.template;
  assertEquals(template("a", 1), template("a", 5));
  assert(JSON.stringify(template("a", 1)) !== JSON.stringify(template("b", 1)));
});

Deno.test("webDeployment() writes a pace as a number when it is one", () => {
  const strategy = { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "0", maxSurge: "33%" } } as const;
  assertEquals(web({ spec: { strategy } }).spec?.strategy, {
    type: "RollingUpdate",
    rollingUpdate: { maxUnavailable: 0, maxSurge: "33%" },
  });
  assertEquals(web().spec?.strategy, { type: "Recreate" });
});

Deno.test("webDeployment() lets extraEnv replace a variable in its place, and appends what is new, last one first", () => {
  const extraEnv = [{ name: "NEW", value: "1" }, { name: "PGPORT", value: "6432" }, { name: "NEW", value: "2" }];
  const env = web({ spec: { extraEnv } }).spec?.template.spec?.containers[0]?.env?.map((
    { name, value },
  ) => [name, value]);
  assertEquals(env, [
    ["PGHOST", "pg.example.com"],
    ["PGPORT", "6432"],
    ["PGUSER", "odoo.blue.shop"],
    ["PGDATABASE", "odoo_0b8f1f5e_7f2c_4f6e_9d3a_0000000000a1"],
    ["PGPASSWORD", undefined],
    ["NEW", "2"],
  ]);
});

Deno.test("initJob() runs once, for an hour at most, and stays until it is released", () => {
  const job = initJob("first-1", anInitJob({ spec: { modules: [] } }), aResolved(), anAddress());
  const { backoffLimit, activeDeadlineSeconds, ttlSecondsAfterFinished, template } = job.spec ?? {};
  assertEquals([backoffLimit, activeDeadlineSeconds, ttlSecondsAfterFinished], [0, 3600, undefined]);
  assertEquals(template?.spec?.restartPolicy, "Never");
  assertEquals(job.metadata?.finalizers, ["bemade.org/outcome"]);
});

Deno.test("initJob() hands modules over as environment, never as words of a shell", () => {
  const modules = ["sale; rm -rf /", "$(id)"];
  const [container] = initJob("first-1", anInitJob({ spec: { modules } }), aResolved(), anAddress()).spec?.template.spec
    ?.containers ?? [];
  assert(!JSON.stringify([container?.command, container?.args]).includes("rm -rf"));
  assertEquals(container?.env?.filter(({ value }) => value?.includes("rm -rf")).length, 1);
});

const PORTS: Readonly<Record<string, { readonly given: Record<string, string>; readonly want: number }>> = {
  "workers are not given": { given: {}, want: 8069 },
  "workers are 0": { given: { workers: "0" }, want: 8069 },
  "workers are 4": { given: { workers: "4" }, want: 8072 },
  "workers are not a number": { given: { workers: "many" }, want: 8069 },
};

for (const [sentence, { given, want }] of Object.entries(PORTS)) {
  Deno.test(`websocketPort() is ${want} when ${sentence}`, () => {
    assertEquals(websocketPort(aResolved({ spec: { configOptions: given } })), want);
  });
}

Deno.test("filestoreClaim() asks for what the spec says when there is none yet", () => {
  const { spec } = filestoreClaim(aResolved(), undefined);
  assertEquals(spec, {
    accessModes: ["ReadWriteMany"],
    resources: { requests: { storage: "10Gi" } },
    storageClassName: "fast",
  });
});

Deno.test("filestoreClaim() keeps class and access modes of the live claim, which nobody can change", () => {
  const live = aClaim({ spec: { storageClassName: "old", accessModes: ["ReadWriteOnce"] } });
  const { spec } = filestoreClaim(aResolved(), live);
  assertEquals([spec?.storageClassName, spec?.accessModes], ["old", ["ReadWriteOnce"]]);
  assertEquals(
    filestoreClaim(aResolved(), aClaim({ spec: { storageClassName: undefined } })).spec?.storageClassName,
    undefined,
  );
});

const SIZES: Readonly<
  Record<string, { readonly given: readonly [live: string, wish: string]; readonly want: string }>
> = {
  "grows": { given: ["10Gi", "20Gi"], want: "20Gi" },
  "never shrinks": { given: ["20Gi", "10Gi"], want: "20Gi" },
  "stays as it is written when the wish is equal": { given: ["10Gi", "10240Mi"], want: "10Gi" },
  "compares numbers and not texts": { given: ["9Gi", "10Gi"], want: "10Gi" },
  "compares across units": { given: ["1Ti", "900Gi"], want: "1Ti" },
  "ignores a wish that is no quantity": { given: ["10Gi", "plenty"], want: "10Gi" },
};

for (const [sentence, { given: [storage, storageSize], want }] of Object.entries(SIZES)) {
  Deno.test(`filestoreClaim() ${sentence}`, () => {
    const live = aClaim({ spec: { resources: { requests: { storage } } } });
    const wish = aResolved({ spec: { filestore: { storageSize } } });
    assertEquals(filestoreClaim(wish, live).spec?.resources?.requests?.storage, want);
  });
}

const TLS: Readonly<Record<string, { readonly given: Parameters<typeof anAddress>[0]; readonly want: unknown }>> = {
  "nothing when the cluster says nothing": { given: {}, want: [undefined, undefined, ["odoo.conf"]] },
  "the mode alone when nothing is to be verified": {
    given: { sslMode: "require" },
    want: ["require", undefined, ["odoo.conf"]],
  },
  "the system's authorities when the cluster names none": {
    given: { sslMode: "verify-full" },
    want: ["verify-full", "/etc/ssl/certs/ca-certificates.crt", ["odoo.conf"]],
  },
  "the cluster's authority as a file": {
    given: { sslMode: "verify-ca", sslRootCert: "PEM" },
    want: ["verify-ca", "/etc/odoo/root.crt", ["odoo.conf", "root.crt"]],
  },
};

for (const [sentence, { given, want }] of Object.entries(TLS)) {
  Deno.test(`odooPod() gives libpq ${sentence}, in web, cron and job pods`, () => {
    const cluster = anAddress(given);
    const input = { cluster, configHash: "c0ffee", replicas: 1 };
    const resolved = aResolved();
    const objects = [
      webDeployment(resolved, input),
      cronDeployment(resolved, input),
      initJob("first", anInitJob(), resolved, cluster),
    ];
    for (const object of objects) {
      const pod = podOf(object);
      const env = (name: string) => pod?.containers[0]?.env?.find((variable) => variable.name === name)?.value;
      const files = pod?.volumes?.find(({ name }) => name === "odoo-conf")?.secret?.items?.map(({ path }) => path);
      assertEquals([env("PGSSLMODE"), env("PGSSLROOTCERT"), files], want);
    }
  });
}
