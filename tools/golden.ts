/**
 * Instances as a user writes them -> tests/golden/<scenario>/*.yaml: every object that the operator makes of them, so that
 * a change of one line in src/odoo/resources shows what it does to whom.
 *
 * `deno run -A tools/golden.ts`; with `--check` it writes nothing, names stale files and exits with 1.
 */
import { stringify } from "yaml";
import type { KubeObject, Stored } from "../src/kit/types.ts";
import type { OdooBackupJob, OdooInitJob, OdooInstance, OdooRestoreJob, OdooUpgradeJob } from "../src/odoo/crd/mod.ts";
import type { ClusterAddress } from "../src/odoo/model/postgres/database.ts";
import { configText, renderConfig } from "../src/odoo/model/instance/config_text.ts";
import { objectNames, operationJobName } from "../src/odoo/model/names.ts";
import { resolve, type Resolved } from "../src/odoo/model/resolve.ts";
import { MASTER_PASSWORD_KEY } from "../src/odoo/model/operations/restore_source.ts";
import {
  backupJob,
  copyDatabaseJob,
  copyFilesJob,
  cronDeployment,
  filestoreClaim,
  initJob,
  prepareCopyJob,
  removeFilesJob,
  restoreLoadJob,
  steadyChildren,
  swapFilesJob,
  upgradeJob,
  webDeployment,
} from "../src/odoo/resources/mod.ts";
import {
  aBackupJob,
  anAddress,
  anInitJob,
  anInstance,
  anUpgradeJob,
  aRestoreJob,
  type Overrides,
  someDefaults,
} from "../tests/support/builders.ts";
import { emitGenerated, type GeneratedFile } from "./generated_file.ts";

/** An instance, the request that initialises it, and what else is done to it. */
export interface Scenario {
  readonly instance: Stored<OdooInstance>;
  readonly initJob: Stored<OdooInitJob>;
  readonly upgradeJob?: Stored<OdooUpgradeJob>;
  readonly backupJob?: Stored<OdooBackupJob>;
  readonly restoreJob?: Stored<OdooRestoreJob>;
}

const MINIMAL: Overrides<OdooInstance["spec"]> = {
  image: undefined,
  replicas: undefined,
  cron: undefined,
  filestore: undefined,
  init: undefined,
  environment: undefined,
  ingress: { issuer: undefined, class: undefined },
};

const PRODUCTION: Overrides<OdooInstance["spec"]> = {
  image: "registry.example.com/odoo:19.0",
  imagePullSecret: "registry",
  replicas: 3,
  cron: { replicas: 2, resources: { requests: { cpu: "100m", memory: "512Mi" } } },
  ingress: { hosts: ["shop.example.com", "www.shop.example.com"], issuer: "letsencrypt", class: "nginx" },
  resources: { requests: { cpu: "1", memory: "2Gi" }, limits: { cpu: "2", memory: "4Gi" } },
  filestore: { storageSize: "100Gi", storageClass: "shared" },
  configOptions: { workers: "4", limit_time_cpu: "600", addons_path: "/mnt/shop-addons", log_level: "warn" },
  database: { cluster: "main", name: "shop_production" },
  environment: "Production",
  strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "1", maxSurge: "50%" } },
  probes: { startupPath: "/start", livenessPath: "/alive", readinessPath: "/ready" },
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [{
        labelSelector: { matchLabels: { app: "shop" } },
        topologyKey: "kubernetes.io/hostname",
      }],
    },
  },
  tolerations: [{ key: "odoo", operator: "Exists", effect: "NoSchedule" }],
  extraEnv: [
    { name: "PGAPPNAME", value: "shop" },
    { name: "SMTP_PASSWORD", valueFrom: { secretKeyRef: { name: "shop-smtp", key: "password" } } },
  ],
  extraEnvFrom: [{ secretRef: { name: "shop-env" } }],
};

const GATEWAY: Overrides<OdooInstance["spec"]> = {
  ingress: { hosts: ["shop.example.com"], gatewayRef: { name: "edge", namespace: "net" } },
  configOptions: { workers: "2" },
};

/** Every optional field that is not in the others. */
const OPTIONAL: Overrides<OdooInstance["spec"]> = {
  imagePullPolicy: "Always",
  ingress: {
    hosts: ["shop.example.com"],
    annotations: {
      "nginx.ingress.kubernetes.io/proxy-body-size": "2g",
      "external-dns.alpha.kubernetes.io/target": "edge.example.com",
    },
  },
  service: { type: "NodePort" },
  filestore: { accessModes: ["ReadWriteOnce"] },
  configOptions: { limit_time_real: "600", limit_time_real_cron: "0" },
  strategy: { type: "RollingUpdate" },
  nodeSelector: { pool: "odoo" },
  podAnnotations: { "backup.example.com/volumes": "filestore" },
  topologySpreadConstraints: [{
    maxSkew: 1,
    topologyKey: "topology.kubernetes.io/zone",
    whenUnsatisfiable: "ScheduleAnyway",
  }],
  extraVolumes: [{ name: "fonts", configMap: { name: "shop-fonts" } }],
  extraVolumeMounts: [{ name: "fonts", mountPath: "/usr/share/fonts/shop", readOnly: true }],
  jobDefaults: {
    resources: { requests: { cpu: "2" } },
    nodeSelector: { pool: "batch" },
    tolerations: [{ key: "batch", operator: "Exists" }],
  },
};

/** What is rendered, by the name of its folder. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  minimal: { instance: anInstance({ spec: MINIMAL }), initJob: anInitJob({ spec: { modules: [], demo: undefined } }) },
  production: {
    instance: anInstance({ spec: PRODUCTION }),
    initJob: anInitJob({ spec: { modules: ["sale", "account"], demo: true } }),
    upgradeJob: anUpgradeJob({ spec: { modules: ["base"], modulesInstall: ["crm", "project"] } }),
    backupJob: aBackupJob(),
    restoreJob: aRestoreJob(),
  },
  gateway: { instance: anInstance({ spec: GATEWAY }), initJob: anInitJob() },
  optional: {
    instance: anInstance({ spec: OPTIONAL }),
    initJob: anInitJob(),
    upgradeJob: anUpgradeJob(),
    backupJob: aBackupJob({
      metadata: { name: "hostile" },
      spec: {
        destination: {
          objectKey: "k$(S3_SECRET_KEY)$$.sql",
          region: "eu-central-1",
          insecure: true,
          caSecretRef: { name: "s3-ca", key: "root.pem" },
        },
        format: "sql",
      },
    }),
    restoreJob: aRestoreJob({
      metadata: { name: "copy" },
      spec: {
        source: {
          type: "odoo",
          s3: undefined,
          odoo: { url: "https://old.example.com/$(PGPASSWORD)", sourceDatabase: "a$(id)b", masterPassword: "canary" },
        },
        format: "dump",
        neutralize: false,
      },
    }),
  },
};

/** Every object that the operator makes for a scenario. */
export function renderedObjects(
  { instance, initJob: init, upgradeJob: upgrade, backupJob: backup, restoreJob: restore }: Scenario,
  cluster: ClusterAddress = anAddress(),
): KubeObject[] {
  const { resolved, problem } = resolve(instance, someDefaults({ operatorImage: "odoo-operator:test" }));
  if (!resolved) throw new RangeError(`Cannot render ${instance.metadata.name}: ${problem.message}`);
  const { webReplicas, cronReplicas } = resolved;
  const configHash = "hash-of-odoo-conf";
  return [
    filestoreClaim(resolved, undefined),
    ...steadyChildren(resolved, cluster),
    webDeployment(resolved, { cluster, configHash, replicas: webReplicas }),
    cronDeployment(resolved, { cluster, configHash, replicas: cronReplicas }),
    initJob(operationJobName(init, init.metadata.uid), init, resolved, cluster),
    ...(upgrade ? [upgradeJob(`${upgrade.metadata.name}-6d2e3f40`, upgrade, resolved, cluster)] : []),
    ...(backup ? [backupJob(operationJobName(backup, backup.metadata.uid), backup, resolved, cluster)] : []),
    ...(restore ? [...restoreJobs(restore, resolved, cluster), ...copyJobs(resolved, cluster)] : []),
  ];
}

/** Those of a refresh from another instance, and the last round of a migration to another class of volumes. */
function copyJobs(resolved: Resolved, cluster: ClusterAddress): KubeObject[] {
  const own = { claim: objectNames.filestore(resolved.name), directory: "side_1" };
  const password = { name: objectNames.userSecret("main"), key: "password" };
  const source = { cluster: anAddress({ host: "main.pg.example.com" }), role: "odoo_main", database: "main", password };
  return [
    copyDatabaseJob("refresh-database", resolved, cluster, { source, target: "side_1" }),
    copyFilesJob("refresh-files", resolved, cluster, {
      source: { claim: objectNames.filestore("main"), directory: "main" },
      target: own,
      state: "inUse",
      beside: { instance: "main" },
    }),
    copyFilesJob("migrate-files", resolved, cluster, {
      source: { claim: own.claim },
      target: { claim: "new" },
      state: "atRest",
    }),
  ];
}

/** The Jobs of all stages. */
function restoreJobs(cr: Stored<OdooRestoreJob>, resolved: Resolved, cluster: ClusterAddress): KubeObject[] {
  const name = operationJobName(cr, cr.metadata.uid);
  const [side, old] = ["side_1", "old-1"];
  const neutralize = cr.spec.neutralize ?? true;
  return [
    restoreLoadJob(`${name}-load`, cr, resolved, cluster, {
      side,
      odooVersion: "19.0-20260101",
      ...(cr.spec.source.odoo ? { masterPassword: { name, key: MASTER_PASSWORD_KEY } } : {}),
    }),
    prepareCopyJob(`${name}-prepare`, resolved, cluster, {
      side,
      data: neutralize ? "neutralized" : "asItIs",
      update: "none",
      ...(cr.spec.format === "dump" ? {} : { files: side, filesExpected: 30 }),
    }),
    swapFilesJob(`${name}-files`, resolved, cluster, { direction: "forward", side, old }),
    removeFilesJob(`${name}-remove`, resolved, cluster, { directory: old, pattern: "old-*" }),
  ];
}

/** odoo.conf of a scenario, as it is before the hash of the admin password joins it. */
export function renderedConfig({ instance }: Scenario, cluster: ClusterAddress = anAddress()): string {
  const { resolved, problem } = resolve(instance, someDefaults());
  if (!resolved) throw new RangeError(`Cannot render ${instance.metadata.name}: ${problem.message}`);
  return renderConfig(configText(resolved, cluster), undefined);
}

/** All files under tests/golden. */
export function goldenFiles(): GeneratedFile[] {
  return Object.entries(SCENARIOS).flatMap(([name, scenario]) => [
    file(`${name}/instance.yaml`, yaml({ ...scenario.instance })),
    file(`${name}/odoo.conf`, renderedConfig(scenario)),
    ...renderedObjects(scenario).map((object) =>
      file(`${name}/${object.kind?.toLowerCase()}-${object.metadata?.name}.yaml`, yaml(object))
    ),
  ]);
}

function file(path: string, text: string): GeneratedFile {
  return { path: `tests/golden/${path}`, text: `# Code generated by tools/golden.ts; do not edit\n${text}` };
}

function yaml(object: KubeObject): string {
  return stringify(object, { aliasDuplicateObjects: false, lineWidth: 0 });
}

if (import.meta.main) {
  const root = new URL("..", import.meta.url);
  for (const { path } of goldenFiles()) {
    await Deno.mkdir(new URL(path.slice(0, path.lastIndexOf("/")), root), { recursive: true });
  }
  Deno.exit(await emitGenerated(goldenFiles(), "tools/golden.ts"));
}
