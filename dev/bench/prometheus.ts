/** What an operator says of itself in the text of its /metrics, and what came in between two of them. Pure. */

/** How many observations were at most so large: by upper bound, cumulative, over all labels together. */
export type Histogram = ReadonlyMap<number, number>;

/** The counter `name` over all labels together; 0 if there is none. */
export function counterIn(text: string, name: string): number {
  const lines = text.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

/** The names of the histograms in the text. */
export function histogramNames(text: string): readonly string[] {
  return [...text.matchAll(/^# TYPE (\S+) histogram$/gm)].flatMap(([, name]) => name ?? []);
}

/** The histogram `name`, of those lines that have `label` (as `name="value"`) if one is given; empty if there is none. */
export function histogramIn(text: string, name: string, label = ""): Histogram {
  const bounds = new Map<number, number>();
  for (const line of text.split("\n")) {
    if (!line.startsWith(`${name}_bucket{`) || !line.includes(label)) continue;
    const bound = /[{,]le="([^"]+)"/.exec(line)?.[1];
    const count = Number(line.slice(line.lastIndexOf(" ")));
    if (bound === undefined) continue;
    const upper = bound === "+Inf" ? Infinity : Number(bound);
    bounds.set(upper, (bounds.get(upper) ?? 0) + count);
  }
  return bounds;
}

/**
 * The p-th percentile (0 to 100) of what came between two readings, on a straight line through its bucket as Prometheus
 * draws it; above the highest bound, that bound. `null` if nothing came.
 */
export function percentileBetween(before: Histogram, after: Histogram, p: number): number | null {
  const buckets = [...after].sort(([a], [b]) => a - b).map(([upper, count]) => ({
    upper,
    count: count - (before.get(upper) ?? 0),
  }));
  const total = buckets.at(-1)?.count ?? 0;
  if (total === 0) return null;
  const rank = total * p / 100;
  let lower = { upper: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= rank) {
      if (bucket.upper === Infinity) return lower.upper;
      const share = (rank - lower.count) / (bucket.count - lower.count);
      return lower.upper + (bucket.upper - lower.upper) * share;
    }
    lower = bucket;
  }
  return null;
}
