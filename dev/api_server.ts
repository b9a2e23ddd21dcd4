/** The API server of a local cluster with its etcd and its certificate authority: who gets in, and how it dies and returns. */
import { stringify } from "yaml";
import type { ClusterAccess } from "../src/kit/credentials.ts";
import {
  type CertificateAuthority,
  createCertificateAuthority,
  createServiceAccountKeys,
  type KeyAndCertificate,
  type Subject,
} from "./certificates.ts";
import { openClusterApi } from "./cluster_api.ts";
import { type AuditLevel, auditPolicy, FILES, spawnApiServer, spawnEtcd } from "./kube_processes.ts";
import { freePort, type ManagedProcess, PortTakenError, type ProcessGroup, waitUntilReady } from "./processes.ts";

/** Members of its group may do everything, whatever RBAC says. */
export const ADMIN: Subject = { user: "admin", groups: ["system:masters"] };

const READY_TIMEOUT_MS = 60_000;
const PORT_ATTEMPTS = 5;

/** Options of {@linkcode startApiServer}. */
export interface ApiServerOptions {
  readonly group: ProcessGroup;
  /** The programs. */
  readonly paths: { readonly "etcd": string; readonly "kube-apiserver": string };
  /** @default {"Metadata"} */
  readonly auditLevel?: AuditLevel | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Starts etcd and an API server on a free port; it is ready when this returns. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { group, paths, signal, auditLevel = "Metadata" } = options;
  const [authority, etcd] = await Promise.all([
    createFiles(group.directory, auditLevel),
    spawnEtcd({ group, command: paths.etcd }),
  ]);
  for (let attempt = 1;; attempt++) {
    const processes = { group, etcd, command: paths["kube-apiserver"] };
    const server = new ApiServer({ authority, port: freePort(), processes });
    try {
      await server.start({ signal });
      return server;
    } catch (error) {
      if (!(error instanceof PortTakenError) || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

interface ApiServerProcesses {
  readonly group: ProcessGroup;
  readonly etcd: ManagedProcess;
  readonly command: string;
}

/** What {@linkcode ApiServer} is made from. */
export interface ApiServerSettings {
  readonly authority: CertificateAuthority;
  readonly port: number;
  /** Absent: another process started the server and others use it, so it can be neither started nor stopped here. */
  readonly processes?: ApiServerProcesses;
}

/** An API server that {@linkcode startApiServer} started, here or in another process. */
export class ApiServer {
  readonly port: number;
  readonly baseUrl: string;
  readonly caPem: string;
  readonly #settings: ApiServerSettings;
  #process: ManagedProcess | undefined;

  constructor(settings: ApiServerSettings) {
    this.#settings = settings;
    this.port = settings.port;
    this.baseUrl = `https://127.0.0.1:${settings.port}`;
    this.caPem = settings.authority.certPem;
  }

  /** The key and certificate that signed all others of this cluster. */
  get authority(): KeyAndCertificate {
    return this.#settings.authority;
  }

  /** Starts it unless it runs, on the same port and with the same data. */
  async start(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (this.#process && !this.#process.exit) return;
    const { group, command } = this.#own("start");
    using api = await openClusterApi(await this.accessFor(ADMIN));
    this.#process = await spawnApiServer({ group, command, port: this.port });
    const ready = async () => {
      const { status, body } = await api.request("/readyz");
      if (status !== 200) {
        throw new Error(
          `HTTP ${status}: ${String(body).split("\n").filter((line) => line.startsWith("[-]")).join(" ")}`,
        );
      }
      return true;
    };
    await waitUntilReady(this.#process, ready, { timeoutMs: READY_TIMEOUT_MS, signal: options.signal });
  }

  /** Sends a signal. After one that ends it, this waits for the end; after SIGSTOP it hangs until SIGCONT. */
  async kill(signal: Deno.Signal): Promise<void> {
    this.#own("signal");
    this.#process?.kill(signal);
    if (signal !== "SIGSTOP" && signal !== "SIGCONT") await this.#process?.ended();
  }

  /** Stops etcd (SIGSTOP) or lets it go on (SIGCONT). */
  signalEtcd(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#own("signal").etcd.kill(signal);
  }

  /** The way in for anyone: a fresh client certificate. */
  async accessFor(subject: Subject): Promise<ClusterAccess> {
    const { certPem, keyPem } = await this.#settings.authority.issueClient(subject);
    const credentials = { headers: {}, caCerts: [this.caPem], cert: certPem, key: keyPem };
    return { baseUrl: this.baseUrl, namespace: "default", credentials: () => Promise.resolve(credentials) };
  }

  /** The same as a kubeconfig file at `path`, which is returned. */
  async writeKubeconfig(subject: Subject, path: string): Promise<string> {
    const { certPem, keyPem } = await this.#settings.authority.issueClient(subject);
    const name = "local";
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name, cluster: { "server": this.baseUrl, "certificate-authority-data": btoa(this.caPem) } }],
      users: [{
        name: subject.user,
        user: { "client-certificate-data": btoa(certPem), "client-key-data": btoa(keyPem) },
      }],
      contexts: [{ name, context: { cluster: name, user: subject.user, namespace: "default" } }],
      "current-context": name,
    };
    await Deno.writeTextFile(path, stringify(config), { mode: 0o600 });
    return path;
  }

  #own(verb: string): ApiServerProcesses {
    const { processes } = this.#settings;
    if (!processes) {
      throw new Error(`Cannot ${verb} an API server that other test files use: start a cluster for this file`);
    }
    return processes;
  }
}

/** Makes the keys and writes the files that the processes expect. */
async function createFiles(directory: string, auditLevel: AuditLevel): Promise<CertificateAuthority> {
  const authority = await createCertificateAuthority();
  const names = { dnsNames: ["localhost", "kubernetes.default.svc"], ips: ["127.0.0.1"] };
  const [serving, serviceAccount] = await Promise.all([authority.issueServer(names), createServiceAccountKeys()]);
  const contents = {
    [FILES.ca]: authority.certPem,
    [FILES.servingCert]: serving.certPem,
    [FILES.servingKey]: serving.keyPem,
    [FILES.serviceAccountKey]: serviceAccount.privatePem,
    [FILES.serviceAccountPublicKey]: serviceAccount.publicPem,
    [FILES.auditPolicy]: auditPolicy(auditLevel),
    [FILES.auditLog]: "",
  };
  await Promise.all(
    Object.entries(contents).map(([name, text]) => Deno.writeTextFile(`${directory}/${name}`, text, { mode: 0o600 })),
  );
  return authority;
}
