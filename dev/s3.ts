/**
 * An S3 service for tests and demos: versitygw over a temporary directory, on a free loopback port, with or without TLS. It
 * keeps every object as a file, so a test can look at what arrived, and can be stopped and started again on the same port.
 */
import { findBinaries } from "./binaries.ts";
import {
  freePort,
  type ManagedProcess,
  PortTakenError,
  type ProcessGroup,
  startProcessGroup,
  waitUntilReady,
} from "./processes.ts";
import { createCertificateAuthority } from "./certificates.ts";

const HOST = "127.0.0.1";
const START_TIMEOUT_MS = 20_000;
const PORT_ATTEMPTS = 5;
const HEALTH_PATH = "/health";

/** Options of {@linkcode startS3}. */
export interface S3ServerOptions {
  /** Made before it starts. @default {["backups"]} */
  readonly buckets?: readonly string[];
  /** With "https" it has a certificate of its own authority. @default {"http"} */
  readonly scheme?: "http" | "https";
  /** The one that requests must be signed for. @default {"us-east-1"} */
  readonly region?: string;
  /** Where it runs. @default {a group of its own} */
  readonly group?: ProcessGroup;
  readonly signal?: AbortSignal;
}

/** Starts a service; it answers when this returns. */
export async function startS3(options: S3ServerOptions = {}): Promise<S3Server> {
  const { versitygw: command } = await findBinaries(["versitygw"], options);
  const group = options.group ?? await startProcessGroup();
  try {
    const directory = await Deno.makeTempDir({ dir: group.directory, prefix: "s3-" });
    for (const bucket of options.buckets ?? ["backups"]) await Deno.mkdir(`${directory}/${bucket}`);
    const tls = options.scheme === "https" ? await writeCertificate(group.directory) : undefined;
    for (let attempt = 1;; attempt++) {
      const server = new S3Server({
        ...options,
        group,
        ownsGroup: !options.group,
        command,
        directory,
        port: freePort(),
        tls,
      });
      try {
        await server.start();
        return server;
      } catch (error) {
        if (!(error instanceof PortTakenError) || attempt === PORT_ATTEMPTS) throw error;
      }
    }
  } catch (error) {
    if (!options.group) await group.stop();
    throw error;
  }
}

interface Tls {
  readonly certFile: string;
  readonly keyFile: string;
  readonly ca: string;
}

interface ServerSettings extends S3ServerOptions {
  readonly group: ProcessGroup;
  /** Whether the group ends with the server. */
  readonly ownsGroup: boolean;
  readonly command: string;
  readonly directory: string;
  readonly port: number;
  readonly tls: Tls | undefined;
}

/** A service that {@linkcode startS3} made; its objects stay until it is disposed of. */
export class S3Server implements AsyncDisposable {
  readonly host = HOST;
  readonly port: number;
  readonly accessKey = "access-of-tests";
  readonly secretKey: string = crypto.randomUUID();
  /** One folder per bucket, one file per object. */
  readonly directory: string;
  /** The authority of its certificate, if it has one. */
  readonly ca: string | undefined;
  readonly #settings: ServerSettings;
  #process: ManagedProcess | undefined;

  constructor(settings: ServerSettings) {
    this.#settings = settings;
    this.port = settings.port;
    this.directory = settings.directory;
    this.ca = settings.tls?.ca;
  }

  get endpoint(): string {
    return `${this.#settings.tls ? "https" : "http"}://${this.host}:${this.port}`;
  }

  /** What a client needs to write to it. */
  get credentials(): { readonly accessKey: string; readonly secretKey: string } {
    return { accessKey: this.accessKey, secretKey: this.secretKey };
  }

  /** Starts it again after {@linkcode stop}, on the same port. */
  async start(): Promise<void> {
    if (this.#process && !this.#process.exit) return;
    const { group, command, tls, region, signal } = this.#settings;
    this.#process = await group.spawn({
      name: "versitygw",
      command,
      args: [
        `--port=${this.host}:${this.port}`,
        `--health=${HEALTH_PATH}`,
        "--keep-alive",
        ...(region ? [`--region=${region}`] : []),
        "--quiet",
        ...(tls ? [`--cert=${tls.certFile}`, `--key=${tls.keyFile}`] : []),
        "posix",
        this.directory,
      ],
      env: { ROOT_ACCESS_KEY: this.accessKey, ROOT_SECRET_KEY: this.secretKey },
    });
    await waitUntilReady(this.#process, () => this.#answers(), { timeoutMs: START_TIMEOUT_MS, signal });
  }

  /** Ends it as a crash would. The objects stay. */
  async stop(): Promise<void> {
    await this.#process?.end();
  }

  /** Parts of uploads that were neither completed nor taken back. */
  async orphans(bucket = "backups"): Promise<string[]> {
    const found: string[] = [];
    const visit = async (folder: string): Promise<void> => {
      for await (const entry of Deno.readDir(folder)) {
        if (entry.isDirectory) await visit(`${folder}/${entry.name}`);
        else found.push(`${folder}/${entry.name}`);
      }
    };
    await visit(`${this.directory}/${bucket}/.sgwtmp`).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // nobody ever uploaded anything in parts
    });
    return found;
  }

  /** Ends it and, if its process group is its own, removes its objects. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    if (this.#settings.ownsGroup) await this.#settings.group.stop();
  }

  async #answers(): Promise<boolean> {
    const { tls } = this.#settings;
    using client = Deno.createHttpClient({ caCerts: tls ? [tls.ca] : [] });
    const response = await fetch(`${this.endpoint}${HEALTH_PATH}`, { client });
    await response.body?.cancel();
    return response.ok;
  }
}

async function writeCertificate(directory: string): Promise<Tls> {
  const authority = await createCertificateAuthority();
  const { certPem, keyPem } = await authority.issueServer({ dnsNames: ["localhost"], ips: [HOST] });
  const [certFile, keyFile] = [`${directory}/s3.crt`, `${directory}/s3.key`];
  await Deno.writeTextFile(certFile, certPem);
  await Deno.writeTextFile(keyFile, keyPem, { mode: 0o600 });
  return { certFile, keyFile, ca: authority.certPem };
}
