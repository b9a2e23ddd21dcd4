/**
 * The termination message of a Job → how it ended. Every job program leaves one JSON object (`ok`, and what it found, or
 * `reason`, `error` and `log`); an unreadable message is quoted, never treated as success.
 */
import { masked } from "./masking.ts";
import type { JobState } from "../../world.ts";

/** The report of a job program. */
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

/** How a Job ended, as far as its report shows. */
export type Verdict =
  /** With what it did; empty if its message is lost (the pod was deleted): the exit code alone proves its checks. */
  | { readonly state: "succeeded"; readonly fields: Report["fields"] }
  | { readonly state: "failed"; readonly reason: string; readonly message: string; readonly log?: string };

/** Characters of a report's `error`, at most. */
const LONGEST_MESSAGE = 1000;
/** Characters that are quoted from unstructured output, at most. */
const LONGEST_QUOTE = 200;
const LONGEST_TAIL = 2048;
const MOST_NAMES = 10;

/** Whatever an image may write: a condition takes no other reason. */
const CONSTANT = /^[A-Z][A-Za-z0-9]{0,99}$/;
/** What Kubernetes itself says before it lets the pod speak. */
const JOB_CAUSE = /^(?:DeadlineExceeded|PodFailurePolicy): /;
const ERROR = /error|fatal|critical|exception|failed|failure|cannot|could not|denied|refused|not found|no such|killed/i;
// deno-lint-ignore no-control-regex -- colours, and whatever else a terminal obeys
const CONTROL = /\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** The report in a termination message, or `undefined` if the message is none. */
export function parseReport(message: string): Report | undefined {
  const parsed = recordIn(message);
  if (typeof parsed?.ok !== "boolean") return undefined;
  const { ok, reason, error, log, ...fields } = parsed;
  if (!ok && !textOf(error)) return undefined;
  return { ok, reason: textOf(reason), error: textOf(error), log: textOf(log), fields };
}

/** What to make of a Job that has ended; `task` says in words what it was to do. Neither sentence nor log has a secret. */
export function judge(job: JobState & { readonly state: "succeeded" | "failed" }, task: string): Verdict {
  const [cause = ""] = JOB_CAUSE.exec(job.message) ?? [];
  const report = parseReport(job.message.slice(cause.length));
  if (report && !report.ok) {
    const log = masked(report.log);
    return {
      state: "failed",
      reason: CONSTANT.test(report.reason) ? report.reason : "JobFailed",
      message: cause + masked(report.error).slice(0, LONGEST_MESSAGE),
      ...(log ? { log } : {}),
    };
  }
  if (job.state === "failed") {
    const beginning = `The Job ended before ${task}: ${cause}`;
    return { state: "failed", reason: "JobFailed", ...quoted(beginning, job.message.slice(cause.length)) };
  }
  if (report || job.message === "") return { state: "succeeded", fields: report?.fields ?? {} };
  const beginning = "The Job ended without a result that can be read; it left: ";
  return { state: "failed", reason: "ResultUnreadable", ...quoted(beginning, job.message) };
}

/** A sentence that ends with what names the cause; if there was more, that is the log. */
function quoted(beginning: string, output: string): { readonly message: string; readonly log?: string } {
  const log = masked(output).replace(CONTROL, "").trim();
  const line = causeIn(log);
  return { message: beginning + (line || "no word"), ...(line === log ? {} : { log: log.slice(-LONGEST_TAIL) }) };
}

/** The line of a log that says most: the last that speaks of an error, else the last with words in it. */
function causeIn(log: string): string {
  const lines = log.split("\n").map((line) => line.trim()).filter((line) => /\w/.test(line));
  const line = lines.findLast((line) => ERROR.test(line)) ?? lines.at(-1) ?? "";
  return line.length > LONGEST_QUOTE ? `${line.slice(0, LONGEST_QUOTE - 1)}…` : line;
}

/** The message of a failure and, where no log is kept beside it, what its log says most. */
export function withLog({ message, log = "" }: { readonly message: string; readonly log?: string }): string {
  const line = causeIn(log);
  return !line || message.includes(line.replace(/…$/, "")) ? message : `${message} (${line})`;
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
