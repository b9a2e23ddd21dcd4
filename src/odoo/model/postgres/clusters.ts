/**
 * The clusters Secret: PostgreSQL clusters by name, as an administrator writes them, read entry by entry so that one bad
 * entry harms only those who use it. Pure: the YAML is parsed elsewhere.
 */
import type { OdooInstance } from "../../crd/mod.ts";
import { type ClusterAddress, isSslMode, SSL_MODES } from "./database.ts";
import type { Problem } from "../problem.ts";

/** What is known of the clusters Secret. */
export type Clusters =
  | { readonly known: false; readonly problem: Problem }
  | { readonly known: true; readonly entries: ReadonlyMap<string, ClusterEntry> };

/** One usable or unusable entry. */
export type ClusterEntry =
  | { readonly address: ClusterAddress; readonly isDefault: boolean; readonly problem?: undefined }
  | { readonly problem: string; readonly isDefault: boolean; readonly address?: undefined };

/** Reads the parsed YAML of `clusters.yaml`. */
export function readClusters(document: unknown, secret: string): Clusters {
  if (!isRecord(document)) {
    return unknownClusters(
      "ClustersSecretInvalid",
      `Secret ${secret}: clusters.yaml must be a map of cluster names to {host, port, adminUser, adminPassword}`,
    );
  }
  const entries = new Map(Object.entries(document).map(([name, value]) => [name, readEntry(name, value)]));
  return { known: true, entries };
}

/** Nothing can be known of the clusters, for this reason. */
export function unknownClusters(reason: string, message: string): Clusters {
  return { known: false, problem: { reason, message } };
}

/**
 * The cluster of an instance: the one that holds its data, whatever it names; else the one it names; else the
 * alphabetically first default. A later change of the default migrates no instance.
 */
export function chooseCluster(
  instance: OdooInstance,
  clusters: Clusters,
): { readonly address: ClusterAddress } | { readonly problem: Problem } {
  if (!clusters.known) return { problem: clusters.problem };
  const { spec, status } = instance;
  const held = status?.activeCluster;
  const wanted = held || spec.database?.cluster || firstDefault(clusters.entries);
  if (!wanted) {
    return {
      problem: {
        reason: "NoDefaultCluster",
        message:
          "No PostgreSQL cluster is chosen: set spec.database.cluster, or default: true on an entry of the clusters Secret",
      },
    };
  }
  return clusterNamed(wanted, clusters);
}

/** A cluster by its name. */
export function clusterNamed(
  wanted: string,
  clusters: Clusters,
): { readonly address: ClusterAddress } | { readonly problem: Problem } {
  if (!clusters.known) return { problem: clusters.problem };
  const entry = clusters.entries.get(wanted);
  if (!entry) {
    return {
      problem: {
        reason: "ClusterNotFound",
        message:
          `PostgreSQL cluster '${wanted}' is not in the clusters Secret: add it, or set spec.database.cluster to one of: ${
            [...clusters.entries.keys()].join(", ") || "(none)"
          }`,
      },
    };
  }
  if (entry.problem !== undefined) {
    return {
      problem: {
        reason: "ClusterInvalid",
        message: `PostgreSQL cluster '${wanted}' cannot be used: ${entry.problem} (clusters Secret)`,
      },
    };
  }
  return { address: entry.address };
}

function firstDefault(entries: ReadonlyMap<string, ClusterEntry>): string | undefined {
  return [...entries].filter(([, { isDefault }]) => isDefault).map(([name]) => name).sort()[0];
}

function readEntry(name: string, value: unknown): ClusterEntry {
  if (!isRecord(value)) return { problem: "it is not a map", isDefault: false };
  const { host, port, adminUser, adminPassword } = value;
  const isDefault = value.default === true;
  const bad = (field: string, what: string): ClusterEntry => ({ problem: `${field} must be ${what}`, isDefault });
  if (typeof host !== "string" || !host) return bad("host", "a host name or address");
  if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65535) {
    return bad("port", "a number from 1 to 65535, without quotes");
  }
  if (typeof adminUser !== "string" || !adminUser) return bad("adminUser", "a role name");
  if (typeof adminPassword !== "string") return bad("adminPassword", "a string");
  const { sslmode: sslMode, sslRootCert } = value;
  if (sslMode !== undefined && !isSslMode(sslMode)) return bad("sslmode", `one of ${SSL_MODES.join(", ")}`);
  if (sslRootCert !== undefined && !isPemCertificate(sslRootCert)) {
    return bad("sslRootCert", "a certificate as PEM text (-----BEGIN CERTIFICATE-----)");
  }
  if (sslRootCert !== undefined && !sslMode?.startsWith("verify-")) {
    return bad(
      "sslmode",
      "verify-ca or verify-full where there is an sslRootCert: otherwise it would not be used",
    );
  }
  const address = { name, host, port, adminUser, adminPassword };
  return {
    address: { ...address, ...(sslMode ? { sslMode } : {}), ...(sslRootCert ? { sslRootCert } : {}) },
    isDefault,
  };
}

function isPemCertificate(value: unknown): value is string {
  return typeof value === "string" && /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.test(value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
