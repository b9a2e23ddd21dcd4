/**
 * Where the master password of Odoo's database manager comes from: the spec, or a Secret that the spec names. Here it is
 * only spoken of: its text is read where odoo.conf is rendered.
 */
import type { MissingPassword, World } from "../world.ts";

/**
 * What changes whenever the password may have changed, for the hash of what odoo.conf was rendered from. `undefined`:
 * there is no password to render, and never is an empty one put in its place.
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

/** What to do about a reference that leads nowhere, if it does. */
export function adminPasswordProblem({ resolved, observed }: World) {
  const ref = resolved?.adminPasswordRef;
  const missing = ref && observed.adminPassword?.missing;
  if (!missing) return undefined;
  const messages: Readonly<Record<MissingPassword, string>> = {
    incomplete: "spec.adminPasswordSecretRef must have both a name and a key",
    noSecret:
      `spec.adminPasswordSecretRef names Secret ${ref.name}, which does not exist: create it in namespace ${resolved.namespace}, with the password under key ${ref.key}`,
    noKey:
      `spec.adminPasswordSecretRef names key ${ref.key} of Secret ${ref.name}, which is not there or empty: put the password under that key`,
  };
  return { reason: "AdminPasswordMissing", message: messages[missing] };
}
