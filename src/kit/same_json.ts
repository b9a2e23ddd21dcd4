/** Whether two JSON values are the same; the order of object keys and absent fields make no difference, as in hashOf(). */
export function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length &&
      a.every((item, index) => isSameJson(item, b[index]));
  }
  const fields = a as Readonly<Record<string, unknown>>;
  const others = b as Readonly<Record<string, unknown>>;
  return Object.keys(fields).every((name) => isSameJson(fields[name], others[name])) &&
    Object.keys(others).every((name) => others[name] === undefined || fields[name] !== undefined);
}
