/**
 * One local cluster for several processes: the process that started it describes it as text, and others join it. They may
 * use everything on it, but neither stop nor restart its servers.
 */
import { ADMIN, ApiServer } from "./api_server.ts";
import { type KeyAndCertificate, openCertificateAuthority } from "./certificates.ts";
import { LocalCluster } from "./control_plane.ts";
import { FILES } from "./kube_processes.ts";
import { PostgresServer, startPostgres } from "./postgres.ts";
import { startProcessGroup } from "./processes.ts";

/** What a process needs to join a cluster. It holds the keys of the administrators: keep it on this machine. */
export interface ClusterDescription {
  readonly apiServer: { readonly port: number; readonly authority: KeyAndCertificate };
  readonly auditLog: string;
  readonly postgres: { readonly port: number; readonly adminPassword: string; readonly logPath: string };
}

/** Environment variable with the address at which a test file asks for the cluster that it shares. */
export const SHARED_CLUSTER_URL = "TEST_CLUSTER_URL";

/** What a test file that asks receives. */
export interface ClusterAnswer {
  readonly cluster: ClusterDescription;
  /** How many files have asked so far. */
  readonly file: number;
}

/** Options of {@linkcode joinCluster}. */
export interface JoinClusterOptions {
  /** Start a PostgreSQL server that only this process uses, and may stop. @default {false} */
  readonly ownPostgres?: boolean;
}

/** Describes a running cluster for {@linkcode joinCluster}: of all that it is, what can be sent. */
export function describeCluster({ apiServer, auditLog, postgres }: ClusterDescription): ClusterDescription {
  const { port, authority: { certPem, keyPem } } = apiServer;
  return {
    apiServer: { port, authority: { certPem, keyPem } },
    auditLog,
    postgres: { port: postgres.port, adminPassword: postgres.adminPassword, logPath: postgres.logPath },
  };
}

/**
 * The cluster that another process started. Its directory, and what is started in it, are this process's own:
 * {@linkcode LocalCluster.stop} ends those and leaves the cluster alone.
 */
export async function joinCluster(
  description: ClusterDescription,
  { ownPostgres = false }: JoinClusterOptions = {},
): Promise<LocalCluster> {
  const group = await startProcessGroup();
  try {
    const { port, authority } = description.apiServer;
    const apiServer = new ApiServer({ port, authority: await openCertificateAuthority(authority) });
    return new LocalCluster({
      group,
      apiServer,
      postgres: ownPostgres ? await startPostgres({ group }) : new PostgresServer(description.postgres),
      kubeconfig: await apiServer.writeKubeconfig(ADMIN, `${group.directory}/${FILES.kubeconfig(ADMIN.user)}`),
      access: await apiServer.accessFor(ADMIN),
      auditLog: description.auditLog,
    });
  } catch (error) {
    await group.stop();
    throw error;
  }
}
