/** How a job in a pod ends: one JSON object that the kubelet keeps, small enough that it keeps all of it. */
import { masked } from "../model/operations/reports/masking.ts";

/** The kubelet cuts at 4096. */
const MOST_BYTES = 4000;

/** A failure that the Job reports to the user; the message says what to do. */
export class JobError extends Error {
  override readonly name = "JobError";
  /** A constant in PascalCase. */
  readonly reason: string;
  /** Last lines of the program that failed. */
  readonly log: string;

  constructor(reason: string, message: string, options: ErrorOptions & { readonly log?: string } = {}) {
    super(message, options);
    this.reason = reason;
    this.log = options.log ?? "";
  }
}

/** The termination message of a job that did what it was to do. */
export function successReport(summary: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ ok: true, ...summary });
}

/** What went wrong first: what failed afterwards, while things were put away, says less. */
function firstOf(error: unknown): unknown {
  return error instanceof SuppressedError ? firstOf(error.suppressed) : error;
}

/** The termination message of a job that failed; `secrets` appear nowhere in it. */
export function failureReport(failure: unknown, secrets: readonly string[]): string {
  const error = firstOf(failure);
  const { reason, log } = error as { readonly reason?: unknown; readonly log?: unknown };
  const known = typeof reason === "string" && /^[A-Z][A-Za-z0-9]+$/.test(reason) ? reason : "JobFailed";
  const message = masked(error instanceof Error ? error.message : String(error), secrets).slice(0, 1000);
  let tail = masked(typeof log === "string" ? log : "", secrets);
  for (;;) {
    const report = JSON.stringify({ ok: false, reason: known, error: message, log: tail });
    const surplus = new TextEncoder().encode(report).length - MOST_BYTES;
    if (surplus <= 0) return report;
    tail = tail.slice(Math.max(1, Math.ceil(surplus / 6))); // a character takes six bytes at most, so this never takes too much
  }
}
