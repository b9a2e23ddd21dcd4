/** What a bench makes of what it measured: percentiles, ranges over several runs, and finding a figure by its path. Pure. */

/** A measured value, or several by name or in a row. `null`: this cannot be measured of that operator. */
export type Figure = number | string | null | readonly Figure[] | { readonly [name: string]: Figure };

/** Figures by name. */
export type Figures = { readonly [name: string]: Figure };

/** One figure of several runs. */
export type Range = { readonly min: number; readonly median: number; readonly max: number };

/** The p-th percentile (0 to 100) of some values, by nearest rank. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * p / 100) - 1)] ?? NaN;
}

/** One digit behind the point: more would be noise. */
export function round1(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Many values of one kind, in short; of none there is nothing to say but that. */
export function summaryOf(values: readonly number[]): Figures {
  if (values.length === 0) return { count: 0, p50: null, p99: null, max: null };
  return {
    count: values.length,
    p50: round1(percentile(values, 50)),
    p99: round1(percentile(values, 99)),
    max: round1(Math.max(...values)),
  };
}

/** Lowest, middle (or the mean of the middle two) and highest. */
export function rangeOf(values: readonly number[]): Range {
  if (values.length === 0) throw new RangeError("Cannot tell the range of nothing");
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? NaN;
  const half = sorted.length / 2;
  const median = (at(Math.ceil(half) - 1) + at(Math.floor(half))) / 2;
  return { min: at(0), median: Number(median.toPrecision(12)), max: at(sorted.length - 1) };
}

/** The same figures of several runs: every number becomes its range; one run stays as it is. */
export function mergeRuns(runs: readonly Figure[]): Figure {
  const [first = null, ...others] = runs;
  return others.length === 0 ? first : merged(runs);
}

function merged(runs: readonly Figure[]): Figure {
  const known = runs.filter((run) => run !== null);
  if (known.length === 0) return null;
  const numbers = known.filter((run) => typeof run === "number");
  if (numbers.length === known.length) return rangeOf(numbers);
  const lists = known.filter(isList);
  if (lists.length === known.length) {
    const length = Math.max(...lists.map((list) => list.length));
    return Array.from({ length }, (_, index) => merged(lists.map((list) => list[index] ?? null)));
  }
  const groups = known.filter(isGroup);
  if (groups.length === known.length) {
    const names = new Set(groups.flatMap((group) => Object.keys(group)));
    return Object.fromEntries([...names].map((name) => [name, merged(groups.map((group) => group[name] ?? null))]));
  }
  return [...new Set(known.map((run) => typeof run === "object" ? JSON.stringify(run) : String(run)))].join(", ");
}

/**
 * The figure at a path such as `single.noOp.requests`, as a range; `*` stands for every item of a list, whose ranges
 * become one. `undefined` if it was not measured.
 */
export function figureAt(figures: Figure, path: string): Range | undefined {
  const ranges = follow([figures], path.split(".")).flatMap((found) => rangeIn(found) ?? []);
  if (ranges.length === 0) return undefined;
  return {
    min: Math.min(...ranges.map(({ min }) => min)),
    median: rangeOf(ranges.map(({ median }) => median)).median,
    max: Math.max(...ranges.map(({ max }) => max)),
  };
}

function follow(from: readonly Figure[], [step, ...rest]: readonly string[]): readonly Figure[] {
  if (step === undefined) return from;
  const next = from.flatMap((figure): readonly Figure[] => {
    if (isList(figure)) return step === "*" ? figure : [];
    return isGroup(figure) ? [figure[step] ?? null] : [];
  });
  return follow(next, rest);
}

function rangeIn(figure: Figure): Range | undefined {
  if (typeof figure === "number") return { min: figure, median: figure, max: figure };
  if (!isGroup(figure)) return undefined;
  const { min, median, max } = figure;
  return typeof min === "number" && typeof median === "number" && typeof max === "number"
    ? { min, median, max }
    : undefined;
}

function isList(figure: Figure): figure is readonly Figure[] {
  return Array.isArray(figure);
}

function isGroup(figure: Figure): figure is Figures {
  return typeof figure === "object" && figure !== null && !isList(figure);
}
