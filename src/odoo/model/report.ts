/**
 * The termination message of a Job → how it ended. Every job program leaves one JSON object (`ok`, and what it found, or
 * `reason`, `error` and `log`); what cannot be read is told as it is, never taken for a success.
 */
import type { JobState } from "./world.ts";

/** What a job program says of itself. */
export interface Report {
  readonly ok: boolean;
  /** PascalCase constant; empty if it is ok, or if the program gives none. */
  readonly reason: string;
  /** Why not, if it is not ok: one sentence. */
  readonly error: string;
  /** Last lines of its log, without secrets. */
  readonly log: string;
  /** All else. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** How a Job ended, as far as anybody can know. */
export type Verdict =
  /** With what it did; empty if its words are lost: its exit code is that of its checks, and pods do not live for ever. */
  | { readonly state: "succeeded"; readonly fields: Report["fields"] }
  | { readonly state: "failed"; readonly reason: string; readonly message: string; readonly log?: string };

const LONGEST_QUOTE = 2048;
const MOST_NAMES = 10;

/** The report in a termination message, or `undefined` if the message is none. */
export function parseReport(message: string): Report | undefined {
  const parsed = recordIn(message);
  if (typeof parsed?.ok !== "boolean") return undefined;
  const { ok, reason, error, log, ...fields } = parsed;
  if (!ok && !textOf(error)) return undefined;
  return { ok, reason: textOf(reason), error: textOf(error), log: textOf(log), fields };
}

/** What to make of a Job that has ended; `task` says in words what it was to do. */
export function judge(job: JobState & { readonly state: "succeeded" | "failed" }, task: string): Verdict {
  const report = parseReport(job.message);
  if (report && !report.ok) {
    return {
      state: "failed",
      reason: report.reason || "JobFailed",
      message: report.error,
      ...(report.log ? { log: report.log } : {}),
    };
  }
  const lastWords = job.message.slice(-LONGEST_QUOTE);
  if (job.state === "failed") {
    return { state: "failed", reason: "JobFailed", message: `The Job ended before ${task}: ${lastWords}` };
  }
  if (report || job.message === "") return { state: "succeeded", fields: report?.fields ?? {} };
  return {
    state: "failed",
    reason: "ResultUnreadable",
    message: `The Job ended without a result that can be read; it left: ${lastWords}`,
  };
}

/** Names in a sentence; of many only the first. */
export function listed(names: readonly string[]): string {
  const more = names.length - MOST_NAMES;
  return names.slice(0, MOST_NAMES).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** Whether a value of a report has fields. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A list in a report; empty if it is none. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A text in a report; empty if it is none. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A number in a report; 0 if it is none. */
export function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function recordIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
