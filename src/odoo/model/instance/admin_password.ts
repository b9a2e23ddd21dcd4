/**
 * The source of the master password of Odoo's database manager: the spec, or a Secret that the spec names. This module
 * never reads the password of a Secret; shell/secrets.ts does, when it renders odoo.conf.
 */
import type { MissingPassword, World } from "../world.ts";

/**
 * A text that changes whenever the password may have changed, for the hash of the inputs of odoo.conf. `undefined`: there
 * is no password to render; an empty one is never used instead.
 */
export function adminPasswordMark({ resolved, observed }: World): string | undefined {
  const ref = resolved?.adminPasswordRef;
  if (!ref) return resolved?.adminPassword;
  const { adminPassword } = observed;
  return adminPassword && !adminPassword.missing ? secretMark(adminPassword.version, ref.key) : undefined;
}

/** {@linkcode adminPasswordMark} of a Secret in this version. */
export function secretMark(version: string, key: string): string {
  return `${version}/${key}`;
}

/** Why spec.adminPasswordSecretRef yields no password, and what to do; `undefined`, if it yields one. */
export function adminPasswordProblem({ resolved, observed }: World) {
  const ref = resolved?.adminPasswordRef;
  const missing = ref && observed.adminPassword?.missing;
  if (!missing) return undefined;
  const messages: Readonly<Record<MissingPassword, string>> = {
    incomplete: "spec.adminPasswordSecretRef must have both a name and a key: set the missing one",
    noSecret:
      `spec.adminPasswordSecretRef names Secret ${ref.name}, which does not exist: create it in namespace ${resolved.namespace}, with the password under key ${ref.key}`,
    noKey:
      `spec.adminPasswordSecretRef names key ${ref.key} of Secret ${ref.name}, which is missing or empty: put the password under that key`,
  };
  return { reason: "AdminPasswordMissing", message: messages[missing] };
}
