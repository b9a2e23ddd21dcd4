/** Times as they are written: RFC 3339 in conditions, upstream's format in job CRs. */

/** `ms` since the epoch as `2026-11-21T04:00:00Z`. */
export function rfc3339(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** `ms` since the epoch as `2026-11-21 04:00:00`, in UTC. */
export function jobTime(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace("T", " ");
}
