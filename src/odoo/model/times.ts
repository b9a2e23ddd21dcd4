/** The time format of job CRs. Conditions have that of Kubernetes, see kit/timestamp.ts. */

/** `ms` since the Unix epoch as `2026-11-21 04:00:00` in UTC, the format of operator 2.5.0. */
export function jobTime(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace("T", " ");
}
