import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Stored } from "../../../../src/kit/types.ts";
import type { OdooInstance } from "../../../../src/odoo/crd/mod.ts";
import { LONGEST_INSTANCE_NAME } from "../../../../src/odoo/model/names.ts";
import { type Defaults, defaultsPatch, orBase, resolve, type Resolved } from "../../../../src/odoo/model/resolve.ts";
import { anInstance, aResolved, type Overrides, someDefaults } from "../../../support/builders.ts";

const EVERY_DEFAULT = someDefaults({
  image: "registry.example.com/odoo:19.0",
  storageClass: "shared",
  storageSize: "5Gi",
  ingressClass: "traefik",
  ingressIssuer: "internal",
  gatewayRef: { name: "edge", namespace: "net" },
  resources: { limits: { memory: "2Gi" } },
  affinity: { podAntiAffinity: {} },
  tolerations: [{ key: "odoo", operator: "Exists" }],
});

const NO_DEFAULT: Defaults = { image: "", storageClass: "", storageSize: "", ingressClass: "", ingressIssuer: "" };

/** What a user must say, and no more. */
const BARE: Overrides<Stored<OdooInstance>> = {
  spec: {
    image: undefined,
    replicas: undefined,
    cron: undefined,
    filestore: undefined,
    init: undefined,
    environment: undefined,
    ingress: { issuer: undefined, class: undefined },
  },
};

/** The same with a null wherever a null may be stored. */
const NULLS: Overrides<Stored<OdooInstance>> = {
  spec: {
    image: null,
    imagePullSecret: null,
    replicas: undefined,
    cron: { replicas: undefined, resources: null },
    ingress: { issuer: null, class: null, gatewayRef: null },
    resources: null,
    filestore: { storageSize: null, storageClass: null },
    configOptions: null,
    database: { cluster: null, name: null },
    init: { enabled: undefined, modules: undefined, demo: undefined, webhook: null },
    environment: undefined,
    strategy: null,
    probes: null,
    affinity: null,
  },
};

for (const [sentence, wish] of Object.entries({ "nothing": BARE, "null everywhere": NULLS })) {
  Deno.test(`resolve() fills everything in when the spec says ${sentence}`, () => {
    const want: Resolved = {
      name: "shop",
      namespace: "blue",
      uid: anInstance().metadata.uid,
      image: "odoo:18.0",
      imagePullPolicy: "IfNotPresent",
      adminPassword: "master-secret",
      environment: "Staging",
      webReplicas: 1,
      cronReplicas: 1,
      hosts: ["shop.example.com"],
      ingressAnnotations: {},
      serviceType: "ClusterIP",
      accessModes: ["ReadWriteMany"],
      filestoreClaim: "shop-filestore-pvc",
      storageSize: "2Gi",
      storageClass: "standard",
      configOptions: {},
      roleName: "odoo.blue.shop",
      databaseName: "odoo_0b8f1f5e_7f2c_4f6e_9d3a_0000000000a1",
      missingPolicy: "Ignore",
      init: { enabled: true, modules: ["base"], demo: false },
      strategy: "Recreate",
      probes: { startupPath: "/web/health", livenessPath: "/web/health", readinessPath: "/web/health" },
      tolerations: [],
      extraEnv: [],
      extraEnvFrom: [],
      extraVolumes: [],
      extraVolumeMounts: [],
      podAnnotations: {},
      topologySpreadConstraints: [],
      jobs: { tolerations: [], postgresClientImage: "odoo:18.0", operatorImage: "odoo-operator:test" },
    };
    assertEquals(aResolved(wish), want);
  });
}

Deno.test("resolve() takes the operator's defaults where the spec is silent, and the spec where it is not", () => {
  const silent = aResolved(BARE, EVERY_DEFAULT);
  assertEquals(
    [silent.image, silent.storageClass, silent.storageSize, silent.ingressClass, silent.ingressIssuer],
    ["registry.example.com/odoo:19.0", "shared", "5Gi", "traefik", "internal"],
  );
  assertEquals([silent.webResources, silent.cronResources], [EVERY_DEFAULT.resources, EVERY_DEFAULT.resources]);
  assertEquals([silent.gatewayRef, silent.affinity], [EVERY_DEFAULT.gatewayRef, EVERY_DEFAULT.affinity]);
  assertEquals(silent.tolerations, EVERY_DEFAULT.tolerations);
  const loud = aResolved({
    spec: {
      resources: { limits: { cpu: "1" } },
      tolerations: [{ key: "mine" }],
      affinity: { nodeAffinity: {} },
      ingress: { gatewayRef: { name: "mine", namespace: "blue" } },
    },
  }, EVERY_DEFAULT);
  assertEquals([loud.image, loud.storageSize, loud.ingressClass], ["odoo:18.0", "10Gi", "nginx"]);
  assertEquals([loud.webResources, loud.cronResources], [{ limits: { cpu: "1" } }, EVERY_DEFAULT.resources]);
  assertEquals([loud.gatewayRef, loud.affinity], [{ name: "mine", namespace: "blue" }, { nodeAffinity: {} }]);
  assertEquals(loud.tolerations, [{ key: "mine" }]);
});

Deno.test("resolve() keeps a 0, a false and an empty storage class", () => {
  const wish = aResolved({
    spec: { replicas: 0, cron: { replicas: 0 }, init: { enabled: false }, filestore: { storageClass: "" } },
  });
  assertEquals([wish.webReplicas, wish.cronReplicas, wish.init.enabled], [0, 0, false]);
  assert(!("storageClass" in wish));
});

Deno.test("resolve() gives a pace to RollingUpdate only", () => {
  const pace = (strategy: OdooInstance["spec"]["strategy"]) => aResolved({ spec: { strategy } }).rollingUpdate;
  assertEquals(pace({ type: "RollingUpdate" }), { maxUnavailable: "25%", maxSurge: "25%" });
  assertEquals(pace({ type: "RollingUpdate", rollingUpdate: { maxSurge: "1" } }), {
    maxUnavailable: "25%",
    maxSurge: "1",
  });
  assertEquals(pace({ type: "Recreate", rollingUpdate: { maxSurge: "1" } }), undefined);
});

const PROBLEMS: Readonly<Record<string, { readonly given: Overrides<Stored<OdooInstance>>; readonly want: string }>> = {
  "its name is too long for labels": {
    given: { metadata: { name: "a".repeat(LONGEST_INSTANCE_NAME + 1) } },
    want: "NameInvalid",
  },
  "its name begins with a digit": { given: { metadata: { name: "1shop" } }, want: "NameInvalid" },
  "its name has a dot": { given: { metadata: { name: "shop.blue" } }, want: "NameInvalid" },
  "it names no host": { given: { spec: { ingress: { hosts: [] } } }, want: "HostsMissing" },
  "an option has a second line": {
    given: { spec: { configOptions: { workers: "2\nadmin_passwd = x" } } },
    want: "ConfigOptionInvalid",
  },
  "the name of an option has a carriage return": {
    given: { spec: { configOptions: { "a\rb": "1" } } },
    want: "ConfigOptionInvalid",
  },
  "an option has a NUL": { given: { spec: { configOptions: { a: "\0" } } }, want: "ConfigOptionInvalid" },
};

for (const [sentence, { given, want }] of Object.entries(PROBLEMS)) {
  Deno.test(`resolve() says ${want} and resolves nothing when ${sentence}`, () => {
    const { resolved, problem } = resolve(anInstance(given), someDefaults());
    assertEquals([resolved, problem?.reason], [undefined, want]);
    assertMatch(problem?.message ?? "", /^[^\n\r\0]+$/);
    assertStringIncludes(problem?.message ?? "", ": "); // what to do follows
  });
}

Deno.test("resolve() takes the longest name that works", () => {
  assertEquals(aResolved({ metadata: { name: "a".repeat(LONGEST_INSTANCE_NAME) } }).name.length, LONGEST_INSTANCE_NAME);
});

Deno.test("orBase() reads an empty list as base", () => {
  assertEquals([orBase(undefined), orBase([]), orBase(["sale"])], [["base"], ["base"], ["sale"]]);
});

function added(wish: Overrides<Stored<OdooInstance>>, defaults: Defaults): Record<string, unknown> {
  return Object.fromEntries(
    defaultsPatch(anInstance(wish).spec, defaults).map((operation) => {
      assert(operation.op === "add");
      return [operation.path, operation.value];
    }),
  );
}

const EVERYTHING_ADDED = {
  "/spec/image": EVERY_DEFAULT.image,
  "/spec/resources": EVERY_DEFAULT.resources,
  "/spec/affinity": EVERY_DEFAULT.affinity,
  "/spec/tolerations": EVERY_DEFAULT.tolerations,
  "/spec/filestore/storageClass": "shared",
  "/spec/filestore/storageSize": "5Gi",
  "/spec/ingress/issuer": "internal",
  "/spec/ingress/class": "traefik",
  "/spec/ingress/gatewayRef": EVERY_DEFAULT.gatewayRef,
  "/spec/cron/resources": EVERY_DEFAULT.resources,
};

Deno.test("defaultsPatch() adds every default, parents first, when the spec says nothing", () => {
  assertEquals(added(BARE, EVERY_DEFAULT), { ...EVERYTHING_ADDED, "/spec/filestore": {}, "/spec/cron": {} });
  const paths = defaultsPatch(anInstance(BARE).spec, EVERY_DEFAULT).map(({ path }) => path);
  for (
    const [parent, child] of [["/spec/filestore", "/spec/filestore/storageClass"], [
      "/spec/cron",
      "/spec/cron/resources",
    ]]
  ) {
    assert(paths.indexOf(parent ?? "") < paths.indexOf(child ?? ""));
  }
});

Deno.test("defaultsPatch() reads null as absent", () => {
  assertEquals(added(NULLS, EVERY_DEFAULT), EVERYTHING_ADDED);
});

Deno.test("defaultsPatch() reads an empty list of tolerations as absent", () => {
  assertEquals(added({ spec: { tolerations: [] } }, someDefaults({ tolerations: [{ key: "a" }] })), {
    "/spec/tolerations": [{ key: "a" }],
  });
});

Deno.test("defaultsPatch() touches nothing that is said, be it empty or 0", () => {
  const said: Overrides<Stored<OdooInstance>> = {
    spec: {
      image: "",
      resources: {},
      affinity: {},
      tolerations: [{ key: "mine" }],
      filestore: { storageClass: "", storageSize: 0 },
      ingress: { issuer: "", class: "", gatewayRef: { name: "", namespace: "" } },
      cron: { resources: {} },
    },
  };
  assertEquals(added(said, EVERY_DEFAULT), {});
});

Deno.test("defaultsPatch() is empty when the flags give nothing, and leaves no empty parents", () => {
  assertEquals(added(BARE, NO_DEFAULT), {});
  assertEquals(added(BARE, { ...NO_DEFAULT, tolerations: [] }), {});
});

Deno.test("defaultsPatch() is empty once its operations are in the spec", () => {
  const filled = anInstance({
    spec: {
      image: "odoo:18.0",
      resources: { limits: { memory: "2Gi" } },
      affinity: { podAntiAffinity: {} },
      tolerations: [{ key: "odoo" }],
      ingress: { gatewayRef: { name: "edge", namespace: "net" } },
      cron: { resources: { limits: { memory: "2Gi" } } },
    },
  });
  assertEquals(defaultsPatch(filled.spec, EVERY_DEFAULT), []);
});

Deno.test("resolve() gives Jobs what the web pods have, but for what spec.jobDefaults says", () => {
  const web = {
    resources: { limits: { cpu: "1" } },
    affinity: { nodeAffinity: {} },
    nodeSelector: { pool: "odoo" },
    tolerations: [{ key: "odoo" }],
  };
  const images = { postgresClientImage: aResolved().image, operatorImage: "odoo-operator:test" };
  assertEquals(aResolved({ spec: web }).jobs, { ...web, ...images });
  const own = {
    resources: { limits: { cpu: "4" } },
    affinity: { podAffinity: {} },
    nodeSelector: {},
    tolerations: [],
  };
  assertEquals(aResolved({ spec: { ...web, jobDefaults: own } }).jobs, { ...own, ...images });
  assertEquals(aResolved({ spec: { nodeSelector: null } }).nodeSelector, undefined);
});

const VOLUMES: Readonly<
  Record<string, { readonly given: Parameters<typeof aResolved>[0]; readonly want: string | undefined }>
> = {
  "a volume is called as one of ours": {
    given: { spec: { extraVolumes: [{ name: "odoo-conf", emptyDir: {} }] } },
    want: "the name 'odoo-conf' is taken",
  },
  "two volumes have one name": {
    given: { spec: { extraVolumes: [{ name: "a", emptyDir: {} }, { name: "a", emptyDir: {} }] } },
    want: "the name 'a' is taken",
  },
  "a mount hides odoo.conf": {
    given: {
      spec: {
        extraVolumes: [{ name: "a", emptyDir: {} }],
        extraVolumeMounts: [{ name: "a", mountPath: "/etc/odoo/" }],
      },
    },
    want: "the path '/etc/odoo' is taken",
  },
  "a mount names no volume": {
    given: { spec: { extraVolumeMounts: [{ name: "filestore", mountPath: "/elsewhere" }] } },
    want: "names 'filestore', which is not in spec.extraVolumes",
  },
  "a volume is mounted beside ours": {
    given: {
      spec: { extraVolumes: [{ name: "a", emptyDir: {} }], extraVolumeMounts: [{ name: "a", mountPath: "/mnt/a" }] },
    },
    want: undefined,
  },
};

for (const [sentence, { given, want }] of Object.entries(VOLUMES)) {
  Deno.test(`resolve() ${want ? "refuses" : "takes"} extra volumes when ${sentence}`, () => {
    const { problem } = resolve(anInstance(given), someDefaults());
    assertEquals(problem?.reason, want && "ExtraVolumeInvalid");
    assert(!want || problem?.message.includes(want), problem?.message);
  });
}
