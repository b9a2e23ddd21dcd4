/**
 * CEL rules by which the API server refuses an OdooInstance. Each rule applies to new and changed values only: an object
 * older than the rule can still get its finalizer, its status, changes of other fields and its deletion. For such objects,
 * the operator checks the same rules when it reconciles.
 *
 * A rule must be cheap in the worst case that the schema allows, or the API server refuses the CRD: hence the limits on
 * lengths. No value above them ever worked, and a stored value above them is accepted while it does not change.
 */
import type { CelRule } from "../../kit/crd.ts";
import { ratcheting } from "./shared.ts";

const DNS_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";

/** An Ingress accepts no longer names, and a certificate at most 100 of them. */
export const HOSTS_LIMIT = 1000;
export const HOST_NAME_LIMIT = 253;

/** Ingress and HTTPRoute accept a DNS name, with or without a leading wildcard, and no IP address. */
export const HOSTS_RULE: CelRule = ratcheting(
  String.raw`self.all(h, h.matches(r'^(\*\.)?${DNS_LABEL}(\.${DNS_LABEL})*$') && !h.matches(r'^[0-9.]+$'))`,
  "ingress.hosts must be lower-case DNS names such as shop.example.com or *.example.com, without scheme, port and path",
);

/** 63 characters of a Service's name or a label, less those of the longest suffix, `-cron`. */
const LONGEST_NAME = 58;

/** Names cannot be changed, so the rule applies to creations only. */
const NAME_RULE: CelRule = {
  rule: `oldSelf.hasValue() || (self.metadata.name.size() <= ${LONGEST_NAME} && ` +
    "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$'))",
  message:
    `metadata.name must be at most ${LONGEST_NAME} lower-case letters, digits and dashes, start with a letter and not end with a dash: Services and labels are named after it`,
  optionalOldSelf: true,
};

function databaseName(instance: string): string {
  return `(has(${instance}.spec.database) && has(${instance}.spec.database.name) ? ${instance}.spec.database.name : '')`;
}

/**
 * Only a rule about the whole object can read whether there is a database. It uses oldSelf, so it applies to changes only.
 * A change back to the name of the database that holds the data is always allowed.
 */
const DATABASE_NAME_RULE: CelRule = {
  rule: `!(has(oldSelf.status) && has(oldSelf.status.dbInitialized) && oldSelf.status.dbInitialized) || ` +
    `${databaseName("self")} == ${databaseName("oldSelf")} || ` +
    `(has(oldSelf.status.databaseName) && ${databaseName("self")} == oldSelf.status.databaseName)`,
  fieldPath: ".spec.database.name",
  message:
    "spec.database.name cannot change once the database exists: set the former name, or restore a backup into a new instance whose database has the other name",
};

/** Rules about the object as a whole. */
export const INSTANCE_RULES: readonly CelRule[] = [NAME_RULE, DATABASE_NAME_RULE];

const HAS_ADMIN_PASSWORD = ["self", "oldSelf.value()"].map((spec) =>
  `(has(${spec}.adminPassword) || has(${spec}.adminPasswordSecretRef))`
);

/** Rules about `spec`; the first is that of operator 2.5.0. */
export const SPEC_RULES: readonly CelRule[] = [{
  rule: "self.environment != 'Production' || !has(self.productionInstanceRef)",
  message:
    "spec.productionInstanceRef is not allowed while spec.environment is Production, because a refresh would replace its data: remove it, or set spec.environment to Staging",
}, {
  rule: `${HAS_ADMIN_PASSWORD[0]} || (oldSelf.hasValue() && !${HAS_ADMIN_PASSWORD[1]})`,
  message:
    "spec.adminPasswordSecretRef (or spec.adminPassword) is missing: set it, because the default master password of Odoo is 'admin'",
  optionalOldSelf: true,
}];

/** Rules about `spec.filestore.storageSize`, which may be a number or a string. */
export const STORAGE_SIZE_RULES: readonly CelRule[] = [
  ratcheting(
    "isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",
    "filestore.storageSize must be a quantity above 0, such as 10Gi or 500Mi",
  ),
  {
    rule: "!isQuantity(string(oldSelf)) || !isQuantity(string(self)) || " +
      "quantity(string(self)).compareTo(quantity(string(oldSelf))) >= 0",
    message:
      "filestore.storageSize can only be increased, because volumes cannot shrink: set the former size, or restore a backup into a new instance",
  },
];

/** Odoo has about 150 options, and the longest value, addons_path, has some thousand characters. */
export const OPTIONS_LIMIT = 250;
export const OPTION_VALUE_LIMIT = 16384;

/** The rule applies to each entry separately, so that one invalid stored entry does not block changes of the others. */
function options(rule: string, message: string): CelRule {
  const unchanged = "(oldSelf.hasValue() && k in oldSelf.value() && oldSelf.value()[k] == self[k])";
  return ratcheting(`self.all(k, ${unchanged} || ${rule})`, message);
}

/** Options with the prefix db_ that do not locate the database; users may set them. */
const FREE_DB_OPTIONS = ["db_maxconn", "db_maxconn_gevent", "db_sslmode", "db_template", "db_app_name"];
const MANAGED_OPTIONS = ["data_dir", "http_interface", "http_port", "admin_passwd"];

/** Rules about `spec.configOptions`. Odoo reads the names of options in lower case. */
export const CONFIG_OPTIONS_RULES: readonly CelRule[] = [
  options(
    `(k.matches(r'^[-A-Za-z0-9_.]+$') && !self[k].matches(r'[[:cntrl:]]'))`,
    "configOptions must have names of letters, digits, dots, dashes and underscores, and values without line breaks and control characters: each is one line of odoo.conf",
  ),
  options(
    `(!k.matches(r'(?i)^(${MANAGED_OPTIONS.join("|")}|db_.*)$') || k.matches(r'(?i)^(${FREE_DB_OPTIONS.join("|")})$'))`,
    `configOptions must not set ${MANAGED_OPTIONS.join(", ")} and db_* (but ${
      FREE_DB_OPTIONS.join(", ")
    }), which the operator sets: remove the option, and use spec.database or spec.adminPasswordSecretRef`,
  ),
];

/** Each volume is checked by a rule, so their number is limited. */
export const VOLUMES_LIMIT = 30;

/** Volumes that every pod has. */
const OWN_VOLUMES = ["filestore", "odoo-conf", "tmp"];

/** Rules about `spec.extraVolumes`; that names are unique follows from the list being a map by name. */
export const VOLUMES_RULES: readonly CelRule[] = [
  ratcheting(
    `self.all(v, !(v.name in [${OWN_VOLUMES.map((name) => `'${name}'`).join(", ")}]))`,
    `extraVolumes must not be named ${OWN_VOLUMES.join(", ")}: the operator uses these names; choose another name`,
  ),
];
