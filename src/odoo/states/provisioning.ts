/** In every phase but deletion: what an instance needs before and beside its pods. Empty when all is there. */
import { defaultsPatch } from "../model/resolve.ts";
import { adminPasswordMark } from "../model/admin_password.ts";
import { configInputsHash, configText } from "../model/config_text.ts";
import { databaseOwnerUid } from "../model/database.ts";
import { INSTANCE_FINALIZER, instanceLabels, objectNames, RENDERED_FROM_ANNOTATION } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import type { World } from "../model/world.ts";

/** First of all: our finalizer, and the operator's defaults where the spec says nothing, in one patch. */
export function planPreparation({ instance, defaults }: World): Effect[] {
  const { finalizers, resourceVersion } = instance.metadata;
  const operations = [
    ...(finalizers?.includes(INSTANCE_FINALIZER)
      ? []
      : [{ op: "add", path: "/metadata/finalizers", value: [...finalizers ?? [], INSTANCE_FINALIZER] } as const]),
    ...defaultsPatch(instance.spec, defaults),
  ];
  if (!operations.length) return [];
  return [{
    type: "patchInstance",
    operations: [{ op: "test", path: "/metadata/resourceVersion", value: resourceVersion }, ...operations],
  }];
}

/**
 * The traces of that patch in managedFields are removed: the defaults belong to nobody, so that a user's server-side
 * apply does not conflict with them.
 */
export function planDisowning({ instance }: World, manager: string): Effect[] {
  const index =
    instance.metadata.managedFields?.findIndex((entry) =>
      entry.manager === manager && entry.operation === "Update" && !entry.subresource
    ) ?? -1;
  if (index < 0) return [];
  const path = `/metadata/managedFields/${index}`;
  return [{
    type: "patchInstance",
    operations: [
      { op: "test", path: `${path}/manager`, value: manager },
      { op: "test", path: `${path}/operation`, value: "Update" },
      { op: "remove", path },
    ],
  }];
}

/** Secrets, role, database and odoo.conf. */
export function planFoundations(world: World): Effect[] {
  const { resolved, cluster, observed, instance, status } = world;
  // The cluster is recorded before anything is made on it, so that a deletion always knows where to look.
  if (!resolved || !cluster.address || status.activeCluster !== cluster.address.name) return [];
  const { uid } = instance.metadata;
  const { name, environment, roleName: role, databaseName: database } = resolved;
  const labels = instanceLabels(name, environment);
  const secret = objectNames.userSecret(name);
  const effects: Effect[] = [];
  if (!observed.userSecret) effects.push({ type: "ensureUserSecret", name: secret, username: role, labels });
  if (cluster.facts.known) {
    const present = cluster.facts.roles.get(role);
    const current = present?.ownership?.uid === uid && !!observed.userSecret &&
      present.ownership.secretVersion === observed.userSecret.version;
    if (!current) effects.push({ type: "ensureRole", cluster: cluster.address.name, role, uid, secret });
    const held = cluster.facts.databases.get(database);
    // A database that is missing after it was initialised is a loss to be told, not to be papered over with an empty one.
    const wanted = !held
      ? !status.dbInitialized
      : databaseOwnerUid({ role: present?.ownership, database: held.ownership }) !== uid;
    if (wanted) effects.push({ type: "ensureDatabase", cluster: cluster.address.name, database, role, uid });
  }
  const text = configText(resolved, cluster.address);
  const rendered = observed.configSecret?.annotations[RENDERED_FROM_ANNOTATION];
  const mark = adminPasswordMark(world);
  if (mark === undefined) return effects;
  if (!observed.userSecret || rendered !== configInputsHash(text, mark, observed.userSecret.version)) {
    effects.push({
      type: "renderConfig",
      name: objectNames.config(name),
      text,
      adminPassword: resolved.adminPasswordRef ?? resolved.adminPassword,
      userSecret: secret,
      labels,
    });
  }
  return effects;
}
