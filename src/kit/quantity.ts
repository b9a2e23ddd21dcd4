/** Kubernetes quantities: numbers with a unit, written in many ways. Pure. */

const BINARY = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };

/** The value of a Kubernetes quantity (`500m`, `1.5Gi`, `1e3`), or `undefined` if it is not one. */
export function parseQuantity(quantity: unknown): number | undefined {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([KMGTPE]i|[numkMGTPE]?))$/.exec(String(quantity));
  if (!match) return undefined;
  const [, digits = "", exponent, suffix = ""] = match;
  if (exponent) return Number(digits + exponent);
  const power = BINARY.indexOf(suffix);
  return power >= 0 ? Number(digits) * 1024 ** (power + 1) : Number(`${digits}e${DECIMAL[suffix] ?? 0}`);
}

/** The larger of two quantities, as it was written; `a` if one of them is none. */
export function largerQuantity(a: string, b: string): string {
  return (parseQuantity(b) ?? NaN) > (parseQuantity(a) ?? NaN) ? b : a;
}
