/**
 * Children that operator 2.5.0 made bear no label of the instance, so no watch brings them. They are looked at where
 * something says that there are any: a Deployment in its form, a role that nobody has signed, a deletion at first sight.
 * Once they are taken over they have the label, and nothing is asked any more.
 */
import {
  ConfigMap,
  controllerOf,
  Deployment,
  type KubeObject,
  PersistentVolumeClaim,
  type ReconcileContext,
  type ResourceType,
  type Stored,
} from "../../../kit/mod.ts";
import type { OdooInstance } from "../../crd/mod.ts";
import { readsUpstreamConfig } from "../../model/instance/adoption.ts";
import type { ClusterFacts } from "../../model/postgres/database.ts";
import { filestoreClaimName, objectNames, roleName } from "../../model/names.ts";
import type { Observed } from "../../model/world.ts";

/** What the caches lack. */
export type UpstreamChildren = Pick<Observed, "configMap" | "filestore">;

/** Reads what may be there out of the caches' sight. `facts` is what is known of the instance's PostgreSQL cluster. */
export async function findUpstreamChildren(
  instance: Stored<OdooInstance>,
  context: ReconcileContext,
  facts: ClusterFacts | undefined,
): Promise<UpstreamChildren> {
  if (!mayHaveSome(instance, context, facts)) return {};
  const { name } = instance.metadata;
  const [configMap, filestore] = await Promise.all([
    find(instance, context, { type: ConfigMap, name: objectNames.config(name) }),
    find(instance, context, { type: PersistentVolumeClaim, name: filestoreClaimName(instance) }),
  ]);
  return { ...(configMap ? { configMap } : {}), ...(filestore ? { filestore } : {}) };
}

function mayHaveSome(
  { metadata, spec, status }: Stored<OdooInstance>,
  context: ReconcileContext,
  facts: ClusterFacts | undefined,
): boolean {
  const { name, namespace = "", deletionTimestamp } = metadata;
  const firstSight = deletionTimestamp !== undefined && (!status?.activeCluster || spec.deletionPolicy === "Retain");
  const role = facts?.known ? facts.roles.get(roleName({ name, namespace })) : undefined;
  const unsigned = role !== undefined && !role.ownership;
  return firstSight || unsigned ||
    [objectNames.web(name), objectNames.cron(name)].some((child) =>
      readsUpstreamConfig(context.store(Deployment).get(`${namespace}/${child}`))
    );
}

/** The instance's own child of this name, unless a cache has it. */
async function find<T extends KubeObject>(
  instance: Stored<OdooInstance>,
  context: ReconcileContext,
  { type, name }: { readonly type: ResourceType<T>; readonly name: string },
): Promise<Stored<T> | undefined> {
  const { namespace = "", uid } = instance.metadata;
  if (context.store(type).get(`${namespace}/${name}`)) return undefined;
  const found = await context.read(type, { name, namespace });
  return found && controllerOf(found)?.uid === uid ? found : undefined;
}
