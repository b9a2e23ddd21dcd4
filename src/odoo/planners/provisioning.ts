/** In every phase but deletion: what an instance needs before and beside its pods. Empty when all of it exists. */
import { defaultsPatch } from "../model/resolve.ts";
import { adminPasswordMark } from "../model/instance/admin_password.ts";
import { configInputsHash, configKeys, type ConfigText, configText } from "../model/instance/config_text.ts";
import { databaseOwnerUid } from "../model/postgres/database.ts";
import {
  INSTANCE_FINALIZER,
  instanceLabels,
  LEGACY_FINALIZER,
  objectNames,
  RENDERED_FROM_ANNOTATION,
} from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import type { PlannedWrite } from "../model/postgres/sql_writes.ts";
import type { Assessment } from "../model/assessment.ts";
import type { SecretFacts, World } from "../model/world.ts";

/** First of all: our finalizer instead of operator 2.5.0's, and the defaults that the spec lacks, in one patch. */
export function planPreparation({ instance, defaults, observed }: World): Effect[] {
  const { finalizers = [], resourceVersion } = instance.metadata;
  const wanted = [
    ...finalizers.filter((name) => name !== LEGACY_FINALIZER && name !== INSTANCE_FINALIZER),
    INSTANCE_FINALIZER,
  ];
  const complete = finalizers.includes(INSTANCE_FINALIZER) && !finalizers.includes(LEGACY_FINALIZER);
  const operations = [
    ...(complete ? [] : [{ op: "add", path: "/metadata/finalizers", value: wanted } as const]),
    ...defaultsPatch(instance.spec, { ...defaults, storageClass: classOf(observed.filestore, defaults) }),
  ];
  if (!operations.length) return [];
  return [{
    type: "patchInstance",
    operations: [{ op: "test", path: "/metadata/resourceVersion", value: resourceVersion }, ...operations],
  }];
}

/** An existing volume keeps its class when the default changes: that is no request to move its files. */
function classOf(volume: World["observed"]["filestore"], { storageClass }: World["defaults"]): string {
  return volume ? volume.spec?.storageClassName ?? "" : storageClass;
}

/**
 * Removes the managedFields entries of that patch, so that a user's server-side apply does not conflict with the defaults. The
 * entries of operator 2.5.0's updates are removed, too, including the one of the status: we apply the whole status, and fields
 * that we leave out must be removed.
 */
export function planDisowning({ instance }: Assessment, manager: string): Effect[] {
  const entries = instance.metadata.managedFields ?? [];
  const found = entries.flatMap((entry, index) =>
    entry.manager === manager && entry.operation === "Update" && (!entry.subresource || entry.subresource === "status")
      ? [`/metadata/managedFields/${index}`]
      : []
  );
  if (!found.length) return [];
  const tests = found.flatMap((path) => [
    { op: "test", path: `${path}/manager`, value: manager } as const,
    { op: "test", path: `${path}/operation`, value: "Update" } as const,
  ]);
  const removals = found.toReversed().map((path) => ({ op: "remove", path }) as const); // in descending order, because paths are indexes
  return [{ type: "patchInstance", operations: [...tests, ...removals] }];
}

/** Restores the owner of our Secrets if another client removed it: they must be deleted with the instance. */
export function planOwnership({ observed }: Assessment): Effect[] {
  const { userSecret, adminSecret, readOnlySecret, configSecret } = observed;
  return [userSecret, adminSecret, readOnlySecret, configSecret].flatMap((secret): Effect[] =>
    secret?.isOrphan ? [{ type: "ownSecret", name: secret.name }] : []
  );
}

/** Secrets, role, database and odoo.conf. */
export function planFoundations(world: Assessment): Effect[] {
  const { resolved, cluster, observed, instance, status, facts } = world;
  // The cluster is recorded before anything is created on it, so that a deletion always finds it.
  if (!resolved || !cluster.address || status.activeCluster !== cluster.address.name) return [];
  const { uid } = instance.metadata;
  const { name, environment, roleName: role, databaseName: database } = resolved;
  const labels = instanceLabels(name, environment);
  const secret = objectNames.userSecret(name);
  const effects: Effect[] = [];
  const sql = (write: PlannedWrite): Effect => ({ type: "sql", cluster: cluster.address.name, write });
  if (!observed.userSecret) effects.push({ type: "ensureUserSecret", name: secret, username: role, labels });
  if (cluster.facts.known) {
    const present = cluster.facts.roles.get(role);
    const current = present?.ownership?.uid === uid && !!observed.userSecret &&
      present.ownership.secretVersion === observed.userSecret.version;
    if (!current) effects.push(sql({ type: "ensureRole", role, secret, ownership: { uid } }));
    const held = cluster.facts.databases.get(database);
    const adopted = held?.owner === role && !held.ownership && facts.isAdopted;
    // A missing database that was initialised is reported as lost, never replaced by an empty one. The same holds for one that
    // an operation has filled, or that is being swapped, though the status does not say so yet.
    const isFilled = status.dbInitialized || facts.isSwapping || world.outcome.state === "succeeded";
    const wanted = !held ? !isFilled : adopted
      ? status.dbInitialized // otherwise its content is unknown
      : databaseOwnerUid({ role: present?.ownership, database: held.ownership }) !== uid;
    if (wanted) {
      const ownership = { uid };
      effects.push(sql({ type: "ensureDatabase", database, role, ownership, ...(adopted ? { adopt: true } : {}) }));
    }
  }
  const text = configText(resolved, cluster.address);
  const mark = adminPasswordMark(world);
  if (mark === undefined) return effects;
  const inputs = observed.userSecret && configInputsHash(text, mark, observed.userSecret.version);
  if (!inputs || !isRendered(observed.configSecret, text, inputs)) {
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

/** Whether the configuration Secret holds what was rendered from `inputs`, untouched since. */
function isRendered(secret: SecretFacts | undefined, text: ConfigText, inputs: string): boolean {
  return secret?.annotations[RENDERED_FROM_ANNOTATION] === inputs &&
    configKeys(text).every((key) => secret.ownKeys.includes(key));
}
