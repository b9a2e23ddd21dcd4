/**
 * Names of the operator's own Kubernetes API: group, version, kinds, plurals and field manager. Each is written here once.
 * The module imports nothing, so that every layer can use it without loading a schema.
 */

/** API group of all kinds. */
export const GROUP = "bemade.org";

/** The version that is served and stored. */
export const VERSION = "v1alpha1";

/** `apiVersion` of every object of the group. */
export const API_VERSION = `${GROUP}/${VERSION}` as const;

/** The plural of each kind: the last part of its path in the API and the first part of the name of its CRD. */
export const PLURALS = {
  OdooInstance: "odooinstances",
  OdooInitJob: "odooinitjobs",
  OdooUpgradeJob: "odooupgradejobs",
  OdooBackupJob: "odoobackupjobs",
  OdooRestoreJob: "odoorestorejobs",
  OdooStagingRefreshJob: "odoostagingrefreshjobs",
} as const;

/** A kind of the group. */
export type Kind = keyof typeof PLURALS;

/** A kind as requests to the API server need it. */
export interface KindNames<K extends Kind> {
  readonly group: typeof GROUP;
  readonly version: typeof VERSION;
  readonly kind: K;
  readonly plural: typeof PLURALS[K];
}

/** Group, version, kind and plural of `kind`. */
export function namesOf<K extends Kind>(kind: K): KindNames<K> {
  return { group: GROUP, version: VERSION, kind, plural: PLURALS[kind] };
}

/** Field manager of all fields that the operator applies. It is that of operator 2.5.0, whose objects are adopted. */
export const FIELD_MANAGER = "odoo-operator";
