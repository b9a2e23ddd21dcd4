/** Requests of an API server to an admission webhook, and the answers: `admission.k8s.io/v1`. Pure. */
import type { KubeObject } from "./types.ts";

const API_VERSION = "admission.k8s.io/v1";
const KIND = "AdmissionReview";
const OPERATIONS = ["CREATE", "UPDATE", "DELETE", "CONNECT"] as const;

/** A write that waits for a verdict. */
export interface AdmissionRequest<T extends KubeObject = KubeObject> {
  readonly uid: string;
  readonly operation: typeof OPERATIONS[number];
  readonly name?: string;
  readonly namespace?: string;
  /** `status`, `scale`; absent for the object itself. */
  readonly subResource?: string;
  readonly userInfo?: { readonly username?: string; readonly groups?: readonly string[] };
  /** Absent for DELETE. */
  readonly object?: T | null;
  /** Absent for CREATE. */
  readonly oldObject?: T | null;
  readonly dryRun?: boolean;
}

/** Whether a write may happen; `message` and `warnings` are shown to the client. */
export type Verdict =
  | { readonly allowed: true; readonly warnings?: readonly string[] }
  | { readonly allowed: false; readonly message: string; readonly warnings?: readonly string[] };

/** Judges a write. One that throws denies. */
export type Validator<T extends KubeObject = KubeObject> = (
  request: AdmissionRequest<T>,
) => Verdict | Promise<Verdict>;

/**
 * The verdict that lets a write pass.
 *
 * @example
 * ```ts
 * const verdict = allowed(["spec.color is deprecated: use spec.colour"]);
 * ```
 */
export function allowed(warnings: readonly string[] = []): Verdict {
  return warnings.length ? { allowed: true, warnings } : { allowed: true };
}

/**
 * The verdict that refuses a write; `message` begins with the path of the field that is to be changed.
 *
 * @example
 * ```ts
 * const verdict = denied("spec.replicas: must not be odd");
 * ```
 */
export function denied(message: string, warnings: readonly string[] = []): Verdict {
  return warnings.length ? { allowed: false, message, warnings } : { allowed: false, message };
}

/**
 * The request in the text of an AdmissionReview.
 *
 * @throws {SyntaxError} if it is none; the message says why.
 *
 * @example
 * ```ts
 * const request = parseAdmissionReview(await httpRequest.text());
 * ```
 */
export function parseAdmissionReview(text: string): AdmissionRequest {
  const review = recordOf(parseJson(text));
  if (!review || review.kind !== KIND) throw new SyntaxError(`The body is no ${KIND}`);
  if (review.apiVersion !== API_VERSION) throw new SyntaxError(`The ${KIND} is not of ${API_VERSION}`);
  const request = recordOf(review.request);
  if (!request || typeof request.uid !== "string" || !request.uid) {
    throw new SyntaxError(`The ${KIND} has no request with a uid`);
  }
  if (!OPERATIONS.some((operation) => operation === request.operation)) {
    throw new SyntaxError(`The ${KIND} has no request with an operation`);
  }
  for (const name of ["object", "oldObject", "userInfo"]) {
    if (request[name] !== null && request[name] !== undefined && !recordOf(request[name])) {
      throw new SyntaxError(`request.${name} of the ${KIND} is no object`);
    }
  }
  return request as { readonly [name: string]: unknown } & AdmissionRequest;
}

/** The text of the AdmissionReview that answers the request `uid`. */
export function formatAdmissionReview(uid: string, verdict: Verdict): string {
  const { allowed, warnings } = verdict;
  const refusal = verdict.allowed ? {} : { status: { code: 403, reason: "Forbidden", message: verdict.message } };
  const response = { uid, allowed, ...refusal, ...(warnings?.length ? { warnings } : {}) };
  return JSON.stringify({ apiVersion: API_VERSION, kind: KIND, response });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SyntaxError(`The body is no ${KIND}: it is not JSON`, { cause });
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return value !== null && typeof value === "object" && !Array.isArray(value)
    ? value as Readonly<Record<string, unknown>>
    : undefined;
}
