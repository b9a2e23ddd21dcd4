/**
 * The cluster under test with the operator on it, installed by the chart, and a namespace for the instances. What a person
 * would do with kubectl, and what there is to see when something fails.
 */
import { assertEquals } from "@std/assert";
import {
  type ClusterAccess,
  conditionOf,
  createClient,
  Deployment,
  isNotFound,
  type KubeObject,
  loadAccess,
  Pod,
  type ResourceType,
  Secret,
  Service,
  type Stored,
} from "../../src/kit/mod.ts";
import type { JobRequestStatus } from "../../src/odoo/crd/job.ts";
import type { OdooInstance, OdooInstanceSpec } from "../../src/odoo/crd/mod.ts";
import { objectNames, RESTARTED_FOR_ANNOTATION } from "../../src/odoo/model/names.ts";
import { OdooInstanceKind, REQUEST_KINDS } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "../support/eventually.ts";
import { startHelm } from "../support/helm.ts";
import { removeObjects } from "./bucket.ts";
import { type Fetch, OdooSession } from "./odoo_session.ts";
import type { Settings } from "./settings.ts";
import type { Note } from "./stages.ts";

const OPERATOR_NAMESPACE = "odoo-operator";
const S3_SECRET = "backup-keys";
const MASTER_SECRET = "master-password";
const LOG_LINES = 60;

const Namespace: ResourceType = { group: "", version: "v1", kind: "Namespace", plural: "namespaces" };

/** A job CR, as far as all kinds have it. */
interface Request extends KubeObject {
  readonly spec: object;
  readonly status?: JobRequestStatus | null;
}

/** The cluster under test. */
export class Site implements AsyncDisposable {
  readonly settings: Settings;
  readonly namespace: string;
  readonly client: ReturnType<typeof createClient>;
  readonly #access: ClusterAccess;
  readonly #http: Deno.HttpClient;
  readonly #headers: Readonly<Record<string, string>>;

  private constructor(settings: Settings, access: ClusterAccess, { http, headers }: Way) {
    this.settings = settings;
    this.namespace = `e2e-${crypto.randomUUID().slice(0, 8)}`;
    this.client = createClient(access, { fieldManager: "e2e" });
    this.#access = access;
    this.#http = http;
    this.#headers = headers;
  }

  /** Installs the operator and waits until it is ready. */
  static async open(settings: Settings): Promise<Site> {
    const access = await loadAccess();
    const { headers, caCerts = [], cert, key } = await access.credentials();
    const http = Deno.createHttpClient({ caCerts: [...caCerts], ...(cert && key ? { cert, key } : {}) });
    const site = new Site(settings, access, { http, headers });
    await site.#install();
    return site;
  }

  /** Creates an instance with two web pods that are replaced one after the other. */
  async create(name: string, spec: Partial<OdooInstanceSpec> = {}): Promise<void> {
    const { odooImage: image, storageClass } = this.settings;
    const resources = { requests: { cpu: "50m", memory: "256Mi" }, limits: { memory: "1Gi" } };
    await this.client.create<OdooInstance>(OdooInstanceKind, {
      metadata: { name, namespace: this.namespace },
      spec: {
        image,
        replicas: 2,
        cron: { replicas: 1, resources },
        resources,
        strategy: { type: "RollingUpdate" },
        filestore: { storageSize: "1Gi", storageClass },
        adminPasswordSecretRef: { name: MASTER_SECRET, key: "password" },
        ingress: { hosts: [`${name}.example.com`] },
        ...spec,
      },
    });
  }

  /** The instance, as soon as it is in this phase; each phase before that is told with the seconds since the call. */
  async inPhase(name: string, phase: string, options: InPhaseOptions = {}): Promise<Stored<OdooInstance>> {
    const { timeoutMs = 300_000, passed = () => {} } = options;
    const startedAt = performance.now();
    let last: string | undefined;
    return await eventually(`${name} is ${phase}`, async () => {
      const instance = await this.client.get<OdooInstance>(OdooInstanceKind, { namespace: this.namespace, name });
      const { status } = instance;
      const now = status?.phase ?? undefined;
      if (now && now !== last) passed({ [now]: Math.round((performance.now() - startedAt) / 100) / 10 });
      last = now;
      const ready = conditionOf(status?.conditions, "Ready");
      if (now !== phase) throw new Error(`it is ${now} (${ready?.reason}: ${ready?.message})`);
      return instance;
    }, { timeoutMs, intervalMs: 200 });
  }

  /** Asks for an operation; the CR as soon as it has ended, well or badly. */
  async ask(kind: ResourceType, name: string, spec: object): Promise<Request> {
    const { namespace } = this;
    const type = kind as ResourceType<Request>;
    await this.client.create(type, { metadata: { name, namespace }, spec });
    return await eventually(`${type.kind} ${name} has ended`, async () => {
      const cr = await this.client.get(type, { namespace, name });
      const { phase, message } = cr.status ?? {};
      if (phase !== "Completed" && phase !== "Failed") throw new Error(`it is ${phase} (${message})`);
      return cr;
    }, { timeoutMs: 600_000, intervalMs: 200 });
  }

  /** Changes a field of an instance. */
  async change(name: string, path: string, value: unknown): Promise<void> {
    await this.client.patch(OdooInstanceKind, { namespace: this.namespace, name }, [{ op: "add", path, value }]);
  }

  /** Resolves when all web pods are of the time after this upgrade. */
  async restarted(name: string, { metadata }: KubeObject): Promise<void> {
    await eventually(`the web pods of ${name} are new`, async () => {
      const found = { namespace: this.namespace, name: objectNames.web(name) };
      const deployment = await this.client.get(Deployment, found);
      const { annotations } = deployment.spec?.template.metadata ?? {};
      assertEquals(annotations?.[RESTARTED_FOR_ANNOTATION], metadata?.uid);
      return isRolledOut(deployment);
    }, { timeoutMs: 180_000, intervalMs: 200 });
  }

  /** Where a backup of this name goes to, or comes from. */
  location(objectKey: string): Readonly<Record<string, unknown>> {
    const { endpoint, region, bucket } = this.settings.s3;
    return {
      endpoint,
      region,
      bucket,
      objectKey: this.key(objectKey),
      s3CredentialsSecretRef: { name: S3_SECRET },
    };
  }

  /** The whole key of an object of this run. */
  key(objectKey: string): string {
    return `${this.namespace}/${objectKey}`;
  }

  /** A value of a Secret in the namespace. */
  async secret(name: string, key: string): Promise<string> {
    const { data } = await this.client.get(Secret, { namespace: this.namespace, name });
    const encoded = data?.[key];
    if (encoded === undefined) throw new Error(`Secret ${name} has no ${key}: ${Object.keys(data ?? {}).join()}`);
    return new TextDecoder().decode(Uint8Array.fromBase64(encoded));
  }

  /** Reaches the web pods by their Service: directly where that is possible, else through the API server. */
  async web(name: string): Promise<Fetch> {
    const { spec } = await this.client.get(Service, { namespace: this.namespace, name: objectNames.service(name) });
    const port = spec?.ports?.[0]?.port;
    const proxy = `services/http:${objectNames.service(name)}:${port}/proxy`;
    return await this.#reach(`http://${spec?.clusterIP}:${port}`, proxy);
  }

  /** Reaches a pod in the same way. */
  async podFetch(name: string, port: number): Promise<Fetch> {
    const { status } = await this.client.get(Pod, { namespace: this.namespace, name });
    if (!status?.podIP) throw new Error(`Pod ${name} is ${status?.phase} and has no address`);
    return await this.#reach(`http://${status.podIP}:${port}`, `pods/http:${name}:${port}/proxy`);
  }

  /** What a pod has printed. */
  async log(name: string): Promise<string> {
    return await (await this.#fetch(`/api/v1/namespaces/${this.namespace}/pods/${name}/log`)).text();
  }

  /** A path of the API server that no kind has. */
  async raw(path: string): Promise<unknown> {
    const response = await this.#fetch(path);
    if (!response.ok) throw new Error(`Cannot read ${path}: ${response.status} ${await response.text()}`);
    return await response.json();
  }

  /** A session of the administrator; `passwordOf` names the instance whose password it is. */
  async login(name: string, passwordOf = name): Promise<OdooSession> {
    const password = await this.secret(objectNames.adminSecret(passwordOf), "password");
    const session = await OdooSession.login(await this.web(name), password);
    if (!session) throw new Error(`${name} refuses the administrator with the password of ${passwordOf}`);
    return session;
  }

  /** Resolves when the object is gone. */
  async gone(type: ResourceType, name: string): Promise<void> {
    await eventually(`${type.kind} ${name} is gone`, async () => {
      try {
        const { metadata } = await this.client.get<KubeObject>(type, { namespace: this.namespace, name });
        throw new Error(`it is there, with finalizers ${metadata.finalizers?.join()}`);
      } catch (error) {
        if (isNotFound(error)) return true;
        throw error;
      }
    }, { timeoutMs: 180_000, intervalMs: 200 });
  }

  /** What there is to see now: instances, requests, pods and the end of the operator's log. */
  async report(): Promise<string> {
    const { namespace } = this;
    const lines: string[] = [];
    for (const type of [OdooInstanceKind, ...REQUEST_KINDS] as readonly ResourceType[]) {
      for (
        const { metadata, status } of (await this.client.list<Request>(type as ResourceType<Request>, { namespace }))
          .items
      ) {
        lines.push(`${type.kind} ${metadata.name}: ${JSON.stringify(status)}`);
      }
    }
    for (const { metadata, status } of (await this.client.list(Pod, { namespace })).items) {
      const states = status?.containerStatuses?.map(({ name, state }) => `${name} ${JSON.stringify(state)}`);
      lines.push(`Pod ${metadata.name}: ${status?.phase} ${states?.join("; ")}`);
    }
    for (const { metadata } of (await this.client.list(Pod, { namespace: OPERATOR_NAMESPACE })).items) {
      const path = `/api/v1/namespaces/${OPERATOR_NAMESPACE}/pods/${metadata.name}/log?tailLines=${LOG_LINES}`;
      lines.push(`Log of ${metadata.name}:`, await (await this.#fetch(path)).text());
    }
    return lines.join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.settings.keep) {
      await this.#clear();
      await using helm = await startHelm(Deno.env.get("KUBECONFIG"));
      await helm.uninstall({ namespace: OPERATOR_NAMESPACE });
    }
    this.client.close();
    this.#http.close();
  }

  /** Instances first: their finalizers need the operator. */
  async #clear(): Promise<void> {
    const { namespace } = this;
    const { items } = await this.client.list<OdooInstance>(OdooInstanceKind, { namespace });
    for (const { metadata } of items) await this.client.delete(OdooInstanceKind, metadata);
    for (const { metadata } of items) await this.gone(OdooInstanceKind, metadata.name);
    await this.client.delete(Namespace, { name: namespace });
    await removeObjects(this.settings.s3, this.key(""));
  }

  async #install(): Promise<void> {
    const { operatorImage, odooImage, clientImage, postgres, secondPostgres, s3, storageClass } = this.settings;
    for (const name of [OPERATOR_NAMESPACE, this.namespace]) await this.client.apply(Namespace, { metadata: { name } });
    await using helm = await startHelm(Deno.env.get("KUBECONFIG"));
    await helm.install({
      namespace: OPERATOR_NAMESPACE,
      values: {
        operator: { image: operatorImage, imagePullPolicy: "IfNotPresent", logLevel: "debug" },
        postgresClientImage: clientImage,
        defaults: { odooImage, storageClass },
      },
    });
    const clusters = {
      main: { ...clusterEntry(postgres), default: true },
      ...(secondPostgres ? { second: clusterEntry(secondPostgres) } : {}),
    };
    await this.client.apply(Secret, {
      metadata: { name: "postgres-clusters", namespace: OPERATOR_NAMESPACE },
      stringData: { "clusters.yaml": JSON.stringify(clusters) },
    });
    await this.client.apply(Secret, {
      metadata: { name: S3_SECRET, namespace: this.namespace },
      stringData: { accessKey: s3.accessKey, secretKey: s3.secretKey },
    });
    await this.client.apply(Secret, {
      metadata: { name: MASTER_SECRET, namespace: this.namespace },
      stringData: { password: crypto.randomUUID() },
    });
    await eventually("the operator is ready", async () => {
      return isRolledOut(await this.client.get(Deployment, { namespace: OPERATOR_NAMESPACE, name: "odoo-operator" }));
    }, { timeoutMs: 120_000, intervalMs: 200 });
  }

  async #reach(direct: string, proxy: string): Promise<Fetch> {
    if (await answers(`${direct}/web/health`)) return (path, init) => fetch(direct + path, init);
    return (path, init) => this.#fetch(`/api/v1/namespaces/${this.namespace}/${proxy}${path}`, init);
  }

  async #fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { ...this.#headers, ...Object.fromEntries(new Headers(init.headers)) };
    return await fetch(this.#access.baseUrl + path, { ...init, headers, client: this.#http });
  }
}

/** Options of {@linkcode Site.inPhase}. */
interface InPhaseOptions {
  /** @default {300_000} */
  readonly timeoutMs?: number;
  /** Told of each phase on the way. */
  readonly passed?: Note;
}

interface Way {
  readonly http: Deno.HttpClient;
  readonly headers: Readonly<Record<string, string>>;
}

function clusterEntry({ host, port, user, password }: Settings["postgres"]): object {
  return { host, port, adminUser: user, adminPassword: password };
}

/** Throws if there are others than new pods that are ready. */
function isRolledOut({ spec, status, metadata: { generation } }: Stored<Deployment>): boolean {
  const { replicas = 1 } = spec ?? {};
  const { observedGeneration, replicas: all = 0, updatedReplicas = 0, availableReplicas = 0 } = status ?? {};
  const seen = [observedGeneration, all, updatedReplicas, availableReplicas];
  assertEquals(seen, [generation, replicas, replicas, replicas]);
  return true;
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(3_000) });
    await response.body?.cancel();
    return true;
  } catch {
    return false;
  }
}
