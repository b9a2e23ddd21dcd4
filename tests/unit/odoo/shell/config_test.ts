import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { type Config, readConfig, UsageError } from "../../../../src/odoo/shell/config.ts";

type Environment = Readonly<Record<string, string>>;

function read(args: readonly string[], environment: Environment = {}): Config {
  return readConfig(["--operator-namespace", "odoo", ...args], (name) => environment[name]);
}

/** What a flag is for: where it ends in the Config, or `undefined` if it has no effect yet. */
interface FlagFacts {
  readonly env: string;
  /** As upstream documents it. */
  readonly standard: unknown;
  readonly given: string;
  readonly want: unknown;
  readonly at: (config: Config) => unknown;
}

/** Upstream's table of flags (2.5.0), by hand. */
const FLAGS: Readonly<Record<string, FlagFacts>> = {
  "default-odoo-image": {
    env: "DEFAULT_ODOO_IMAGE",
    standard: "odoo:18.0",
    given: "odoo:19.0",
    want: "odoo:19.0",
    at: ({ defaults }) => defaults.image,
  },
  "default-storage-class": {
    env: "DEFAULT_STORAGE_CLASS",
    standard: "standard",
    given: "fast",
    want: "fast",
    at: ({ defaults }) => defaults.storageClass,
  },
  "default-storage-size": {
    env: "DEFAULT_STORAGE_SIZE",
    standard: "2Gi",
    given: "5Gi",
    want: "5Gi",
    at: ({ defaults }) => defaults.storageSize,
  },
  "default-ingress-class": {
    env: "DEFAULT_INGRESS_CLASS",
    standard: "",
    given: "nginx",
    want: "nginx",
    at: ({ defaults }) => defaults.ingressClass,
  },
  "default-ingress-issuer": {
    env: "DEFAULT_INGRESS_ISSUER",
    standard: "",
    given: "letsencrypt",
    want: "letsencrypt",
    at: ({ defaults }) => defaults.ingressIssuer,
  },
  "default-odoo-resources": {
    env: "DEFAULT_ODOO_RESOURCES",
    standard: undefined,
    given: '{"limits":{"cpu":"1"}}',
    want: { limits: { cpu: "1" } },
    at: ({ defaults }) => defaults.resources,
  },
  "default-odoo-affinity": {
    env: "DEFAULT_ODOO_AFFINITY",
    standard: undefined,
    given: '{"nodeAffinity":{}}',
    want: { nodeAffinity: {} },
    at: ({ defaults }) => defaults.affinity,
  },
  "default-odoo-tolerations": {
    env: "DEFAULT_ODOO_TOLERATIONS",
    standard: undefined,
    given: '[{"key":"odoo"}]',
    want: [{ key: "odoo" }],
    at: ({ defaults }) => defaults.tolerations,
  },
  "postgres-clusters-secret": {
    env: "POSTGRES_CLUSTERS_SECRET",
    standard: "postgres-clusters",
    given: "pg",
    want: "pg",
    at: ({ clustersSecret }) => clustersSecret,
  },
  "health-probe-bind-address": {
    env: "HEALTH_PROBE_BIND_ADDRESS",
    standard: { hostname: "0.0.0.0", port: 8081 },
    given: "127.0.0.1:9000",
    want: { hostname: "127.0.0.1", port: 9000 },
    at: ({ health }) => health,
  },
  "log-format": { env: "LOG_FORMAT", standard: "text", given: "json", want: "json", at: ({ logFormat }) => logFormat },
  "log-level": { env: "LOG_LEVEL", standard: "info", given: "debug", want: "debug", at: ({ logLevel }) => logLevel },
  "default-staging-smtp-host": {
    env: "DEFAULT_STAGING_SMTP_HOST",
    standard: undefined,
    given: "mailpit",
    want: { host: "mailpit", port: 1025, encryption: "none" },
    at: ({ defaults }) => defaults.stagingMail,
  },
  "default-staging-smtp-port": withoutHost("DEFAULT_STAGING_SMTP_PORT", "25"),
  "default-staging-smtp-encryption": withoutHost("DEFAULT_STAGING_SMTP_ENCRYPTION", "starttls"),
  "webhook-port": {
    env: "WEBHOOK_PORT",
    standard: 9443,
    given: "8443",
    want: 8443,
    at: ({ webhook }) => webhook.port,
  },
  "webhook-tls-cert": {
    env: "WEBHOOK_TLS_CERT",
    standard: "/tmp/k8s-webhook-server/serving-certs/tls.crt",
    given: "/certs/tls.crt",
    want: "/certs/tls.crt",
    at: ({ webhook }) => webhook.certPath,
  },
  "webhook-tls-key": {
    env: "WEBHOOK_TLS_KEY",
    standard: "/tmp/k8s-webhook-server/serving-certs/tls.key",
    given: "/certs/tls.key",
    want: "/certs/tls.key",
    at: ({ webhook }) => webhook.keyPath,
  },
  "operator-image": {
    env: "OPERATOR_IMAGE",
    standard: undefined,
    given: "registry.example.com/odoo-operator:1.0",
    want: "registry.example.com/odoo-operator:1.0",
    at: ({ defaults }) => defaults.operatorImage,
  },
  "postgres-client-image": {
    env: "POSTGRES_CLIENT_IMAGE",
    standard: undefined,
    given: "postgres:18",
    want: "postgres:18",
    at: ({ defaults }) => defaults.postgresClientImage,
  },
  "allowed-webhook-hosts": {
    env: "ALLOWED_WEBHOOK_HOSTS",
    standard: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"],
    given: "10.1.0.0/16, *.ops.svc,",
    want: ["10.1.0.0/16", "*.ops.svc"],
    at: ({ allowedWebhookHosts }) => allowedWebhookHosts,
  },
  "adopted-instances": {
    env: "ADOPTED_INSTANCES",
    standard: "keep",
    given: "switch",
    want: "switch",
    at: ({ adoptedInstances }) => adoptedInstances,
  },
  "job-history-limit": {
    env: "JOB_HISTORY_LIMIT",
    standard: 10,
    given: "0",
    want: 0,
    at: ({ jobHistoryLimit }) => jobHistoryLimit,
  },
};

/** A flag that says nothing where no mail server is named. */
function withoutHost(env: string, given: string): FlagFacts {
  return { env, standard: undefined, given, want: undefined, at: ({ defaults }) => defaults.stagingMail };
}

Deno.test("readConfig() knows where staging instances send their mail", () => {
  const flags = ["host=mailpit", "port=25", "encryption=starttls"].map((flag) => `--default-staging-smtp-${flag}`);
  assertEquals(read(flags).defaults.stagingMail, { host: "mailpit", port: 25, encryption: "starttls" });
});

for (const [flag, { env, standard, given, want, at }] of Object.entries(FLAGS)) {
  Deno.test(`readConfig() knows --${flag} and ${env}`, () => {
    const spellings = [read([`--${flag}`, given]), read([`--${flag}=${given}`]), read([], { [env]: given })];
    for (const config of spellings) {
      assertEquals(at(config), want);
    }
    assertEquals(at(read([])), standard);
  });
}

Deno.test("readConfig() goes by the flag before the variable", () => {
  for (const [flag, { env, given, want, at }] of Object.entries(FLAGS)) {
    if (at) assertEquals(at(read([`--${flag}`, given], { [env]: "of the environment" })), want, flag);
  }
});

Deno.test("readConfig() needs the operator's namespace, from flag or variable", () => {
  assertEquals(readConfig([], (name) => name === "OPERATOR_NAMESPACE" ? "odoo" : undefined).operatorNamespace, "odoo");
  assertEquals(read([]).operatorNamespace, "odoo");
  for (const environment of [undefined, ""]) {
    assertThrows(() => readConfig([], () => environment), UsageError, "OPERATOR_NAMESPACE");
  }
});

Deno.test("readConfig() names a Gateway when both its flags are given", () => {
  const [name, namespace] = ["--default-gateway-ref-name=edge", "--default-gateway-ref-namespace=net"];
  assertEquals(read([name ?? "", namespace ?? ""]).defaults.gatewayRef, { name: "edge", namespace: "net" });
  const environment = { DEFAULT_GATEWAY_REF_NAME: "edge", DEFAULT_GATEWAY_REF_NAMESPACE: "net" };
  assertEquals(read([], environment).defaults.gatewayRef, { name: "edge", namespace: "net" });
  for (const one of [name, namespace]) assert(!("gatewayRef" in read([one ?? ""]).defaults));
});

Deno.test("readConfig() takes an empty image, size or Secret name for none, and keeps an empty class", () => {
  const empty = read(["--default-odoo-image=", "--default-storage-size="], { POSTGRES_CLUSTERS_SECRET: "" });
  assertEquals([empty.defaults.image, empty.defaults.storageSize, empty.clustersSecret], [
    "odoo:18.0",
    "2Gi",
    "postgres-clusters",
  ]);
  assertEquals(read(["--default-storage-class="]).defaults.storageClass, "");
});

Deno.test("readConfig() needs the webhook's certificate when one is named, be it the usual one", () => {
  const isRequired = (args: readonly string[], env: Environment = {}) => read(args, env).webhook.required;
  const usual = "/tmp/k8s-webhook-server/serving-certs/tls.crt";
  assertEquals([isRequired([]), isRequired(["--webhook-port=1"]), isRequired(["--webhook-tls-cert="])], [
    false,
    false,
    false,
  ]);
  assertEquals([isRequired(["--webhook-tls-cert", usual]), isRequired([], { WEBHOOK_TLS_KEY: "/k" })], [true, true]);
  assertEquals(read(["--webhook-tls-cert="]).webhook.certPath, usual);
});

Deno.test("readConfig() takes empty JSON, null, {} and [] for no default", () => {
  for (const flag of ["default-odoo-resources", "default-odoo-affinity", "default-odoo-tolerations"]) {
    for (const empty of ["", "null", flag.endsWith("tolerations") ? "[]" : "{}"]) {
      const { defaults } = read([`--${flag}=${empty}`]);
      assertEquals(
        [defaults.resources, defaults.affinity, defaults.tolerations],
        [undefined, undefined, undefined],
        flag,
      );
    }
  }
});

const ADDRESSES: Readonly<Record<string, Config["health"]>> = {
  ":8081": { hostname: "0.0.0.0", port: 8081 },
  ":0": { hostname: "0.0.0.0", port: 0 },
  "localhost:80": { hostname: "localhost", port: 80 },
  "[::1]:8081": { hostname: "::1", port: 8081 },
};

for (const [given, want] of Object.entries(ADDRESSES)) {
  Deno.test(`readConfig() listens on ${want.hostname} port ${want.port} when given ${given}`, () => {
    assertEquals(read(["--health-probe-bind-address", given]).health, want);
  });
}

Deno.test("readConfig() takes the reporting instance from POD_NAME", () => {
  assertEquals([read([], { POD_NAME: "operator-1" }).podName, read([], { POD_NAME: "" }).podName, read([]).podName], [
    "operator-1",
    "odoo-operator",
    "odoo-operator",
  ]);
});

/** Arguments that are refused, and what the message names. */
const REFUSED: Readonly<Record<string, { readonly given: readonly string[]; readonly want: string }>> = {
  "a flag is unknown": { given: ["--defualt-odoo-image=x"], want: "--defualt-odoo-image" },
  "a short flag is unknown": { given: ["-v"], want: "-v" },
  "there is an argument without a flag": { given: ["now"], want: "now" },
  "resources are not JSON": { given: ["--default-odoo-resources={limits"], want: "--default-odoo-resources" },
  "resources are a list": { given: ["--default-odoo-resources=[]"], want: "--default-odoo-resources" },
  "affinity is a text": { given: ['--default-odoo-affinity="zone"'], want: "--default-odoo-affinity" },
  "tolerations are an object": { given: ["--default-odoo-tolerations={}"], want: "--default-odoo-tolerations" },
  "the value for adopted instances is unknown": {
    given: ["--adopted-instances=roll"],
    want: "keep or switch",
  },
  "a webhook host is no host": {
    given: ["--allowed-webhook-hosts=10.0.0.0/33"],
    want: "--allowed-webhook-hosts 10.0.0.0/33",
  },
  "a webhook host is a URL": { given: ["--allowed-webhook-hosts=http://a"], want: "http://a" },
  "the log format is unknown": { given: ["--log-format=xml"], want: "text or json" },
  "the log level is unknown": { given: ["--log-level=loud"], want: "debug, info, warning or error" },
  "the health address has no port": { given: ["--health-probe-bind-address=localhost"], want: "host:port" },
  "the health port is beyond the last": { given: ["--health-probe-bind-address=:65536"], want: "65535" },
  "the webhook port is a word": { given: ["--webhook-port=https"], want: "--webhook-port" },
  "the SMTP port is beyond the last": { given: ["--default-staging-smtp-port=70000"], want: "65535" },
  "the history limit is negative": { given: ["--job-history-limit=-1"], want: "--job-history-limit" },
};

for (const [sentence, { given, want }] of Object.entries(REFUSED)) {
  Deno.test(`readConfig() refuses in one line when ${sentence}`, () => {
    const { message } = assertThrows(() => read(given), UsageError);
    assertStringIncludes(message, want);
    assertMatch(message, /^Cannot [^\n]+[^.\n]$/);
  });
}

Deno.test("readConfig() refuses a variable as it refuses a flag", () => {
  assertThrows(() => read([], { DEFAULT_ODOO_RESOURCES: "{" }), UsageError, "--default-odoo-resources");
  assertThrows(() => read([], { WEBHOOK_PORT: "x" }), UsageError, "--webhook-port");
});

Deno.test("readConfig() lets no pull secret be copied unless it is named", () => {
  assertEquals(read([]).allowedPullSecrets, []);
  assertEquals(read([], { ALLOWED_PULL_SECRETS: "registry, hub,,registry" }).allowedPullSecrets, [
    "registry",
    "hub",
    "registry",
  ]);
  assertEquals(read(["--allowed-pull-secrets=mine"], { ALLOWED_PULL_SECRETS: "registry" }).allowedPullSecrets, [
    "mine",
  ]);
});

Deno.test("readConfig() lets no private address be notified when the list is empty", () => {
  assertEquals(read(["--allowed-webhook-hosts="]).allowedWebhookHosts, []);
  assertEquals(read([], { ALLOWED_WEBHOOK_HOSTS: "" }).allowedWebhookHosts, []);
});

const RUST_LOGS: Readonly<Record<string, { readonly given: Environment; readonly want: Config["logLevel"] }>> = {
  "a level": { given: { RUST_LOG: "debug" }, want: "debug" },
  "a level in capitals": { given: { RUST_LOG: " WARN" }, want: "warning" },
  "a level that we lack": { given: { RUST_LOG: "trace" }, want: "debug" },
  "no level at all": { given: { RUST_LOG: "off" }, want: "error" },
  "the operator's own before the level of all": {
    given: { RUST_LOG: "odoo_operator=debug,error" },
    want: "debug",
  },
  "the level of all beside others' own": { given: { RUST_LOG: "kube=debug,hyper=off,error" }, want: "error" },
  "the standard where only others are named": { given: { RUST_LOG: "kube=debug" }, want: "info" },
  "the standard where it is no level": { given: { RUST_LOG: "constructor" }, want: "info" },
  "the standard where it is empty": { given: { RUST_LOG: "" }, want: "info" },
  "LOG_LEVEL before it": { given: { RUST_LOG: "debug", LOG_LEVEL: "warning" }, want: "warning" },
};

for (const [sentence, { given, want }] of Object.entries(RUST_LOGS)) {
  Deno.test(`readConfig() takes from RUST_LOG ${sentence}`, () => {
    assertEquals(read([], given).logLevel, want);
    assertEquals(read(["--log-level=error"], given).logLevel, "error");
  });
}

Deno.test("docs/flags.md names every flag and its variable, and no other", async () => {
  const page = await Deno.readTextFile(new URL("../../../../docs/flags.md", import.meta.url));
  const rows = [...page.matchAll(/^\| `--([a-z-]+)` \(`([A-Z_]+)`\)/gm)].map(([, flag, variable]) => [flag, variable]);
  const others = [
    "default-gateway-ref-name",
    "default-gateway-ref-namespace",
    "operator-namespace",
    "allowed-pull-secrets",
  ];
  const known = [...Object.keys(FLAGS), ...others].map((flag) => [flag, flag.toUpperCase().replaceAll("-", "_")]);
  assertEquals(rows.toSorted(), known.toSorted());
});
