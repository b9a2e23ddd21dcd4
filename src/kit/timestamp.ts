/** The time format of the Kubernetes API. Pure, so that layers without a clock can use it. */

/** `ms` since the Unix epoch as `2026-11-21T04:00:00Z`: RFC 3339 in UTC, without fractions of a second. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
