/** The ConfigMap with what is not secret about the database; odoo.conf itself is a Secret, rendered by the shell. */
import type { ConfigMap } from "../../kit/builders/mod.ts";
import type { ClusterAddress } from "../model/postgres/database.ts";
import { instanceLabels, objectNames } from "../model/names.ts";
import type { Resolved } from "../model/resolve.ts";

/** Where the database is, for people and for jobs. */
export function configMap(resolved: Resolved, cluster: ClusterAddress): ConfigMap {
  const { name, namespace, environment, databaseName, roleName } = resolved;
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: objectNames.config(name), namespace, labels: instanceLabels(name, environment) },
    data: { db_host: cluster.host, db_port: String(cluster.port), db_name: databaseName, db_user: roleName },
  };
}
