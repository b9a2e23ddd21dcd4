/**
 * Children that operator 2.5.0 created have no label of the instance, so no watch brings them. They are read where something
 * indicates that there are any: a Deployment in the form of operator 2.5.0, a role without our owner comment, the first
 * reconcile of a deletion. Adopted children have the label, and are not read any more.
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
import { filestoreClaimName, objectNames, roleName } from "../../model/names.ts";
import type { ClusterFacts } from "../../model/postgres/database.ts";
import type { CachedObservations } from "../../model/world.ts";
import { type Answer, type Lookup, NOTHING_TO_ASK } from "./lookup.ts";

/** Children that the caches lack. */
export type UpstreamChildren = Pick<CachedObservations, "configMap" | "filestore">;

/** An instance, and what is known of the PostgreSQL cluster that it uses. */
export interface UpstreamSubject {
  readonly instance: Stored<OdooInstance>;
  readonly cluster: ClusterFacts | undefined;
}

/** ConfigMap and volume of an instance that operator 2.5.0 created. */
export const upstreamChildrenLookup: Lookup<UpstreamSubject, UpstreamChildren> = {
  async ask(subject, context): Promise<Answer<UpstreamChildren>> {
    if (!mayHaveSome(subject, context)) return NOTHING_TO_ASK;
    const { instance } = subject;
    const { name } = instance.metadata;
    const [configMap, filestore] = await Promise.all([
      find(instance, context, { type: ConfigMap, name: objectNames.config(name) }),
      find(instance, context, { type: PersistentVolumeClaim, name: filestoreClaimName(instance) }),
    ]);
    return { facts: { ...(configMap ? { configMap } : {}), ...(filestore ? { filestore } : {}) } };
  },
};

function mayHaveSome({ instance, cluster }: UpstreamSubject, context: ReconcileContext): boolean {
  const { metadata: { name, namespace = "", deletionTimestamp }, spec, status } = instance;
  const isFirstOfDeletion = deletionTimestamp !== undefined &&
    (!status?.activeCluster || spec.deletionPolicy === "Retain");
  const role = cluster?.known ? cluster.roles.get(roleName({ name, namespace })) : undefined;
  const isRoleUnowned = role !== undefined && !role.ownership;
  return isFirstOfDeletion || isRoleUnowned ||
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
