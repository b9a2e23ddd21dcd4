/** Odoo's password hashes, checked by other means than those that made them. */
import { pbkdf2Sync } from "node:crypto";

/** Whether Odoo would take `password` for the one behind `hash`. */
export function lets(hash: unknown, password: string): boolean {
  const [, scheme, rounds, salt = "", key = ""] = String(hash).split("$");
  if (scheme !== "pbkdf2-sha512") return false;
  const bytes = (text: string) => Uint8Array.from(atob(text.replaceAll(".", "+")), (c) => c.charCodeAt(0));
  return pbkdf2Sync(password, bytes(salt), Number(rounds), 64, "sha512").equals(bytes(key));
}
