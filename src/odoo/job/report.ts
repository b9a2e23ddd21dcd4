/** The termination message of a Job: one JSON object that is short enough for the kubelet and holds no secret. */
import { JobFailure } from "./job_failure.ts";

/** What the kubelet keeps, less a little. */
const LONGEST_MESSAGE_BYTES = 4000;
const LONGEST_ERROR = 1200;
const MASK = "***";

/** Options of {@linkcode failureReport}. */
export interface FailureReportOptions {
  /** Texts that must not be in it. */
  readonly secrets: readonly string[];
}

/** What a Job says when all is well. */
export function successReport(summary: object): string {
  return fitted({ ok: true, ...summary });
}

/** What a Job says when it failed. */
export function failureReport(error: unknown, { secrets }: FailureReportOptions): string {
  const reason = error instanceof JobFailure ? error.reason : "JobFailed";
  const said = error instanceof Error ? error.message : String(error);
  const log = error instanceof Error && "log" in error && typeof error.log === "string" ? error.log : "";
  return fitted({ ok: false, reason, error: masked(said, secrets).slice(0, LONGEST_ERROR), log: masked(log, secrets) });
}

/** `text` without the secrets. */
export function masked(text: string, secrets: readonly string[]): string {
  const longestFirst = secrets.filter(Boolean).toSorted((a, b) => b.length - a.length);
  return longestFirst.reduce((masking, secret) => masking.replaceAll(secret, MASK), text);
}

/** As JSON; of the log the end is kept, of lists and other texts the beginning. */
function fitted(report: Readonly<Record<string, unknown>>): string {
  for (let log = String(report.log ?? "");;) {
    const text = JSON.stringify("log" in report ? { ...report, log } : report);
    const excess = new TextEncoder().encode(text).length - LONGEST_MESSAGE_BYTES;
    if (excess <= 0) return text;
    if (log) log = log.slice(Math.max(1, Math.ceil(excess / 6)));
    else return fitted(shortened(report));
  }
}

function shortened(report: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(report).map(([name, value]) => [
      name,
      typeof value === "string" || Array.isArray(value) ? value.slice(0, Math.floor(value.length / 2)) : value,
    ]),
  );
}
