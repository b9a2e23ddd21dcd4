/** The Helm chart: the objects that helm renders, the values that it refuses, and an installation on a real cluster. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type ClusterApi, openClusterApi } from "../../dev/cluster_api.ts";
import { startLocalCluster } from "../../dev/control_plane.ts";
import type { Deployment } from "../../src/kit/builders/mod.ts";
import type { KubeObject } from "../../src/kit/types.ts";
import { type Config, readConfig } from "../../src/odoo/shell/config.ts";
import { staleCopies } from "../../tools/sync_chart.ts";
import { eventually } from "../support/eventually.ts";
import { startHelm, type Values } from "../support/helm.ts";

const helm = await startHelm();
Deno.test.afterAll(() => helm[Symbol.asyncDispose]());

/** The fields of objects that these tests read. */
interface SomeObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: { readonly replicas?: number; readonly strategy?: unknown };
  readonly status?: {
    readonly allowed?: boolean;
    readonly availableReplicas?: number;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

const NAMESPACE = "operators";
const CRDS = [
  "odoobackupjobs.bemade.org",
  "odooinitjobs.bemade.org",
  "odooinstances.bemade.org",
  "odoorestorejobs.bemade.org",
  "odoostagingrefreshjobs.bemade.org",
  "odooupgradejobs.bemade.org",
] as const;

/** Values, and what the operator understands of the arguments and environment that they become. */
const UNDERSTOOD: Readonly<Record<string, { readonly values: Values; readonly want: (config: Config) => unknown }>> = {
  "nothing is set": {
    values: {},
    want: (config) => ({
      ...config,
      operatorNamespace: "fieldRef",
      podName: "fieldRef",
      clustersSecret: "postgres-clusters",
      health: { hostname: "0.0.0.0", port: 8081 },
      logFormat: "text",
      logLevel: "info",
      defaults: {
        ...config.defaults,
        image: "odoo:18.0",
        storageClass: "standard",
        storageSize: "2Gi",
        ingressClass: "",
        ingressIssuer: "",
        resources: { requests: { cpu: "400m", memory: "256Mi" }, limits: { cpu: "2000m", memory: "4Gi" } },
      },
    }),
  },
  "the clusters Secret has another name": {
    values: { postgresClustersSecretRef: { name: "databases" } },
    want: (config) => ({ ...config, clustersSecret: "databases" }),
  },
  "every default of instances is set": {
    values: {
      defaults: {
        odooImage: "registry.example.com:5000/odoo@sha256:abc",
        storageClass: "",
        storageSize: "10Gi",
        ingressClass: "nginx",
        ingressIssuer: "letsencrypt",
        gatewayRefName: "public",
        gatewayRefNamespace: "gateways",
        affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } },
        tolerations: [{ key: 'for "odoo"', operator: "Exists" }],
      },
    },
    want: (config) => ({
      ...config,
      defaults: {
        ...config.defaults,
        image: "registry.example.com:5000/odoo@sha256:abc",
        storageClass: "",
        storageSize: "10Gi",
        ingressClass: "nginx",
        ingressIssuer: "letsencrypt",
        gatewayRef: { name: "public", namespace: "gateways" },
        affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } },
        tolerations: [{ key: 'for "odoo"', operator: "Exists" }],
      },
    }),
  },
  "instances may have the operator's own pull secrets": {
    values: { imagePullSecrets: [{ name: "hub" }, { domain: "example.com", username: "me", password: "secret" }] },
    want: (config) => ({ ...config, allowedPullSecrets: ["hub", "example.com"] }),
  },
  "instances may have other pull secrets": {
    values: { imagePullSecrets: [{ name: "hub" }], operator: { allowedPullSecrets: ["registry"] } },
    want: (config) => ({ ...config, allowedPullSecrets: ["registry"] }),
  },
  "instances may have no pull secret": {
    values: { imagePullSecrets: [{ name: "hub" }], operator: { allowedPullSecrets: [] } },
    want: (config) => ({ ...config, allowedPullSecrets: [] }),
  },
  "webhooks may lead to one namespace and one range": {
    values: { operator: { allowedWebhookHosts: ["*.ops.svc", "10.1.0.0/16"] } },
    want: (config) => ({ ...config, allowedWebhookHosts: ["*.ops.svc", "10.1.0.0/16"] }),
  },
  "webhooks may lead to public addresses only": {
    values: { operator: { allowedWebhookHosts: [] } },
    want: (config) => ({ ...config, allowedWebhookHosts: [] }),
  },
  "the pods of operator 2.5.0 are to be switched": {
    values: { operator: { adoptedInstances: "switch" } },
    want: (config) => ({ ...config, adoptedInstances: "switch" }),
  },
  "logs are for machines": {
    values: { operator: { logFormat: "json", logLevel: "debug" } },
    want: (config) => ({ ...config, logFormat: "json", logLevel: "debug" }),
  },
};

for (const [sentence, { values, want }] of Object.entries(UNDERSTOOD)) {
  Deno.test(`chart starts an operator that understands its settings when ${sentence}`, async () => {
    const { args, env } = await operatorContainer(values);
    const config = readConfig(args, (name) => env.get(name));
    assertEquals<unknown>(config, want(config));
  });
}

const ARGUMENTS: Readonly<Record<string, { readonly values: Values; readonly has: string; readonly not?: string }>> = {
  "history is unlimited": { values: { operator: { jobHistoryLimit: 0 } }, has: "--job-history-limit=0" },
  "history is not set": { values: {}, has: "--job-history-limit=10", not: "--default-staging-smtp-port=1025" },
  "staging has a mail server": {
    values: { defaults: { mail: { stagingSmtpHost: "mail.example.com" } } },
    has: "--default-staging-smtp-host=mail.example.com",
  },
};

for (const [sentence, { values, has, not }] of Object.entries(ARGUMENTS)) {
  Deno.test(`chart passes ${has} when ${sentence}`, async () => {
    const { args } = await operatorContainer(values);
    assert(args.includes(has), args.join(" "));
    assert(not === undefined || !args.includes(not), args.join(" "));
  });
}

const IMAGES: Readonly<Record<string, { readonly given: string; readonly want: RegExp }>> = {
  "it was given none": {
    given: "registry.example.com:5000/operator",
    want: /^registry\.example\.com:5000\/operator:v\d+\.\d+\.\d+$/,
  },
  "it was given a tag": { given: "example.com/operator:edge", want: /^example\.com\/operator:edge$/ },
  "it was given a digest": { given: "example.com/operator@sha256:abc", want: /^example\.com\/operator@sha256:abc$/ },
};

for (const [sentence, { given, want }] of Object.entries(IMAGES)) {
  Deno.test(`chart runs a tagged image, and names it to the operator, when ${sentence}`, async () => {
    const { image, env } = await operatorContainer({ operator: { image: given } });
    assert(want.test(image), image);
    assertEquals(env.get("OPERATOR_IMAGE"), image);
  });
}

const REFUSED: Readonly<Record<string, { readonly values: Values; readonly names: string }>> = {
  "a value is misspelt": { values: { operater: { image: "x" } }, names: "operater" },
  "a nested value is misspelt": { values: { defaults: { odooimage: "odoo:18.0" } }, names: "odooimage" },
  "the history limit is negative": { values: { operator: { jobHistoryLimit: -1 } }, names: "jobHistoryLimit" },
  "the history limit is a text": { values: { operator: { jobHistoryLimit: "10" } }, names: "jobHistoryLimit" },
  "the clusters Secret has no name": {
    values: { postgresClustersSecretRef: { name: "" } },
    names: "postgresClustersSecretRef",
  },
  "the image has a space": { values: { operator: { image: "odoo operator" } }, names: "image" },
  "the pull policy does not exist": {
    values: { operator: { imagePullPolicy: "Sometimes" } },
    names: "imagePullPolicy",
  },
  "the storage size is not a quantity": { values: { defaults: { storageSize: "2 GB" } }, names: "storageSize" },
  "a flag hides in a name": { values: { defaults: { ingressClass: "a --b" } }, names: "ingressClass" },
  "resources hold something else": { values: { defaults: { resources: { request: {} } } }, names: "resources" },
  "the mail port is out of range": {
    values: { defaults: { mail: { stagingSmtpPort: 70000 } } },
    names: "stagingSmtpPort",
  },
  "a pull secret lacks its password": {
    values: { imagePullSecrets: [{ domain: "example.com", username: "u" }] },
    names: "imagePullSecrets",
  },
  "the manager's account is asked for": { values: { odooManager: { enabled: true } }, names: "odooManager" },
};

for (const [sentence, { values, names }] of Object.entries(REFUSED)) {
  Deno.test(`chart is refused and the value named when ${sentence}`, async () => {
    const { success, stderr } = await helm.template({ values });
    assertEquals(success, false);
    assertStringIncludes(stderr, names);
  });
}

Deno.test("chart passes helm's own checks, and holds fresh copies of crds/", async () => {
  const { success, stdout } = await helm.lint();
  assert(success, stdout);
  assertEquals(await staleCopies(new URL("../../", import.meta.url)), []);
});

Deno.test("chart creates and uses pull Secrets when they are given", async () => {
  const login = { domain: "registry.example.com", username: "u", password: "p:w" };
  const objects = await helm.render({ values: { imagePullSecrets: [{ name: "existing" }, login] } });
  const secrets: SomeObject[] = objects.filter(({ kind }) => kind === "Secret");
  assertEquals(secrets.map(({ metadata }) => metadata?.name), ["registry.example.com"]);
  assertEquals(JSON.parse(atob(secrets[0]?.data?.[".dockerconfigjson"] ?? "")), {
    auths: { "registry.example.com": { username: "u", password: "p:w", auth: btoa("u:p:w") } },
  });
  const pulled = deploymentOf(objects).spec?.template.spec?.imagePullSecrets;
  assertEquals<unknown>(pulled, [{ name: "existing" }, { name: "registry.example.com" }]);
});

Deno.test("chart accepts what the chart before it needed", async () => {
  await helm.render({ values: { productionInstancesIdentified: true, webhook: {} } });
});

Deno.test("chart names its objects after the release, and takes another name when one is set", async () => {
  const names = async (options: { release: string; values?: Values }): Promise<unknown> =>
    (await helm.render(options)).find(({ kind }) => kind === "ClusterRole")?.metadata?.name;
  assertEquals(await names({ release: "odoo-operator" }), "odoo-operator");
  assertEquals(await names({ release: "eu" }), "eu-odoo-operator");
  assertEquals(await names({ release: "eu", values: { fullnameOverride: "eu" } }), "eu");
});

Deno.test("chart on a cluster", async (t) => {
  await using cluster = await startLocalCluster();
  await using helm = await startHelm(cluster.kubeconfig);
  using api = await openClusterApi(cluster.access);
  const restricted = { "pod-security.kubernetes.io/enforce": "restricted" };
  await api.create("/api/v1/namespaces", { metadata: { name: NAMESPACE, labels: restricted } });

  await t.step("prints the next steps when it is installed without any value", async () => {
    const notes = await helm.install();
    assertStringIncludes(notes, "create secret generic postgres-clusters --from-file=clusters.yaml");
    assertStringIncludes(notes, "kind: OdooInstance");
  });
  await t.step("establishes the CRDs", async () => {
    await eventually("all CRDs are established", () => crdsAreEstablished(api));
  });
  await t.step("runs one operator, replaced by Recreate, where only restricted pods may run", async () => {
    const path = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/odoo-operator`;
    const deployment = await eventually("the operator's pod runs", async () => {
      const found = await read(api, path);
      return found.status?.availableReplicas === 1 && found;
    }, { timeoutMs: 30_000 });
    assertEquals(deployment.spec?.replicas, 1);
    assertEquals(deployment.spec?.strategy, { type: "Recreate" });
  });
  await t.step("grants what the operator needs", async () => {
    for (const right of GRANTED) assertEquals([right, await isAllowed(api, right)], [right, true]);
  });
  await t.step("grants nothing more", async () => {
    for (const right of NOT_GRANTED) assertEquals([right, await isAllowed(api, right)], [right, false]);
  });
  await t.step("prints the remaining steps when the clusters Secret exists and the release is upgraded", async () => {
    await api.create(`/api/v1/namespaces/${NAMESPACE}/secrets`, { metadata: { name: "databases" } });
    const notes = await helm.install({ values: { postgresClustersSecretRef: { name: "databases" } } });
    assertStringIncludes(notes, "The Secret databases, which lists the PostgreSQL clusters, exists");
    assert(!notes.includes("create secret generic"), notes);
  });
  await t.step("keeps the CRDs and nothing else when it is uninstalled, and takes them up again", async () => {
    await helm.uninstall();
    assert(await crdsAreEstablished(api));
    const { status } = await api.request("/apis/rbac.authorization.k8s.io/v1/clusterroles/odoo-operator");
    assertEquals(status, 404);
    await helm.install();
    assert(await crdsAreEstablished(api));
  });
});

const GRANTED: readonly string[] = [
  "watch odooinstances.bemade.org",
  "patch odooinstances.bemade.org/status",
  "update odooinstances.bemade.org/finalizers",
  "create odooinitjobs.bemade.org",
  ...["odooinitjobs", "odooupgradejobs", "odoobackupjobs", "odoorestorejobs", "odoostagingrefreshjobs"].flatMap((
    kind,
  ) => [
    `watch ${kind}.bemade.org`,
    `delete ${kind}.bemade.org`,
    `patch ${kind}.bemade.org/status`,
    `update ${kind}.bemade.org/finalizers`,
  ]),
  "patch secrets",
  "create configmaps",
  "delete services",
  "create persistentvolumeclaims",
  "delete persistentvolumeclaims",
  "watch pods",
  "delete pods",
  "patch deployments.apps",
  "create jobs.batch",
  "patch jobs.batch",
  "delete jobs.batch",
  "patch ingresses.networking.k8s.io",
  "delete poddisruptionbudgets.policy",
  "patch httproutes.gateway.networking.k8s.io",
  "watch volumesnapshots.snapshot.storage.k8s.io",
  "create volumesnapshots.snapshot.storage.k8s.io",
  "delete volumesnapshots.snapshot.storage.k8s.io",
  "list volumesnapshotclasses.snapshot.storage.k8s.io",
  "get storageclasses.storage.k8s.io",
  "create events.events.k8s.io",
  "list events.events.k8s.io",
];
const NOT_GRANTED: readonly string[] = [
  "create odooinstances.bemade.org",
  "delete odooinstances.bemade.org",
  "create odoobackupjobs.bemade.org",
  "create pods",
  "create pods/exec",
  "create serviceaccounts/token",
  "patch deployments.apps/scale",
  "create clusterroles.rbac.authorization.k8s.io",
  "get nodes",
  "get persistentvolumes",
  "patch volumesnapshots.snapshot.storage.k8s.io",
  "create volumesnapshotclasses.snapshot.storage.k8s.io",
  "delete storageclasses.storage.k8s.io",
  "delete namespaces",
  "impersonate users",
];

/** Whether the chart's service account may do `verb resource[.group][/subresource]`, in any namespace. */
async function isAllowed(api: ClusterApi, right: string): Promise<boolean> {
  const [, verb, resource, group = "", subresource = ""] = /^(\S+) ([^./]+)(?:\.([^/]+))?(?:\/(.+))?$/.exec(right) ??
    [];
  const review = {
    spec: {
      user: `system:serviceaccount:${NAMESPACE}:odoo-operator`,
      resourceAttributes: { verb, resource, group, subresource },
    },
  };
  const path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
  return (await read(api, path, review)).status?.allowed === true;
}

async function crdsAreEstablished(api: ClusterApi): Promise<boolean> {
  for (const name of CRDS) {
    const { status } = await read(api, `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`);
    if (!status?.conditions?.some(({ type, status }) => type === "Established" && status === "True")) return false;
  }
  return true;
}

/** The answer to a GET, or to a POST of `body`. */
async function read(api: ClusterApi, path: string, body: unknown = undefined): Promise<SomeObject> {
  const answer = await api.request(path, body === undefined ? {} : { method: "POST", body });
  if (answer.status >= 300 || typeof answer.body !== "object" || answer.body === null) {
    throw new Error(`${path} answered ${answer.status}`);
  }
  return answer.body;
}

function deploymentOf(objects: readonly KubeObject[]): Deployment {
  const deployment = objects.find(({ kind }) => kind === "Deployment");
  if (deployment === undefined) throw new Error("The chart renders no Deployment");
  return deployment;
}

/** The operator's container as these values make it; what comes from a fieldRef has the value "fieldRef". */
async function operatorContainer(values: Values): Promise<{
  readonly image: string;
  readonly args: readonly string[];
  readonly env: ReadonlyMap<string, string>;
}> {
  const [container, ...more] = deploymentOf(await helm.render({ values })).spec?.template.spec?.containers ?? [];
  assertEquals(more, []);
  const env = (container?.env ?? []).map(({ name, value }): [string, string] => [name, value ?? "fieldRef"]);
  return { image: container?.image ?? "", args: container?.args ?? [], env: new Map(env) };
}
