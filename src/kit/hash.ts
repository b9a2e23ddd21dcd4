/** The one synchronous hash, which pure code may use too. */
import { createHash } from "node:crypto";

/** SHA-256 of a text (as UTF-8), in lower-case hex. */
export function sha256Hex(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** SHA-256 of a JSON value; the order of object keys and absent fields make no difference. */
export function hashOf(value: unknown): string {
  return sha256Hex(canonicalJson(value));
}

/** By hand: a replacer that sorts builds every object a second time, and this runs for every child in every reconcile. */
function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const fields = Object.entries(value).filter(([, inner]) => inner !== undefined).sort(([a], [b]) => a < b ? -1 : 1);
  return `{${fields.map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`).join(",")}}`;
}
