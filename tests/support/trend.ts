/** Whether a series of measurements goes up, and how sure one can be of that. Pure. */

/** A measurement at a time. */
export interface Point {
  readonly atMs: number;
  readonly value: number;
}

/** A straight line through points. */
export interface Trend {
  /** Its slope: values per hour. */
  readonly perHour: number;
  /** Twice the standard error of the slope: the true one is within so much of it in 95 of 100 cases. */
  readonly doubtPerHour: number;
}

const HOUR_MS = 3_600_000;

/** The least value of each window, in the middle of its time: what is in use without what waits for the collector. */
export function floors(points: readonly Point[], windowMs: number): Point[] {
  const windows = Map.groupBy(points, ({ atMs }) => Math.floor(atMs / windowMs));
  return [...windows].map(([index, within]) => ({
    atMs: (index + 0.5) * windowMs,
    value: Math.min(...within.map(({ value }) => value)),
  }));
}

/**
 * The line of least squares.
 *
 * @throws RangeError with fewer than three points: nobody knows how sure their line is.
 */
export function trendOf(points: readonly Point[]): Trend {
  if (points.length < 3) throw new RangeError(`Cannot find a trend: there are ${points.length} points`);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [middleMs, middle] = [mean(points.map(({ atMs }) => atMs)), mean(points.map(({ value }) => value))];
  const sum = (term: (point: Point) => number) => points.reduce((total, point) => total + term(point), 0);
  const spread = sum(({ atMs }) => (atMs - middleMs) ** 2);
  const slope = sum(({ atMs, value }) => (atMs - middleMs) * (value - middle)) / spread;
  const residue = sum(({ atMs, value }) => (value - middle - slope * (atMs - middleMs)) ** 2);
  const error = Math.sqrt(residue / (points.length - 2) / spread);
  return { perHour: slope * HOUR_MS, doubtPerHour: 2 * error * HOUR_MS };
}
