/** Errors that a caller is expected to distinguish. Everything else is an ordinary Error with a `cause`. */

/** What the API server answered when it did not answer 2xx. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  /**
   * @param status HTTP status; 0 when no answer came (connection refused, timeout).
   * @param reason `Status.reason` of the API server, such as `NotFound` or `AlreadyExists`.
   */
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    readonly options: { readonly retryAfterMs?: number; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
  }

  /** How long the server asked us to stay away (`Retry-After`), in milliseconds. */
  get retryAfterMs(): number | undefined {
    return this.options.retryAfterMs;
  }
}

/** Retrying cannot help: only a change of the object (or of the program's settings) can. */
export class TerminalError extends Error {
  override readonly name = "TerminalError";
}

/** An object of the wanted name exists and is not ours. Nothing was written. */
export class NotOursError extends Error {
  override readonly name = "NotOursError";

  constructor(readonly kind: string, readonly objectKey: string, readonly owner: string | undefined) {
    super(
      `Cannot use ${kind} ${objectKey}: it exists and ${
        owner ? `belongs to ${owner}` : "was not made for this object"
      }`,
    );
  }
}

/** The object does not exist, or its kind is not installed. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** Another client wrote first, or the object exists already. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409;
}

/** The resourceVersion asked for is compacted away: list again. */
export function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.status === 410;
}

/** The server gives no answer, or none of its own: a fault of its, not of what it was asked for. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status === 429 || error.status >= 500);
}

/**
 * For how long an overloaded server (429) has sent us away; 0 if it has not. A 503 with Retry-After is of a server that
 * starts or stops, and is often there long before that time.
 */
export function sentAwayMs(error: unknown): number {
  return error instanceof ApiError && error.status === 429 ? error.retryAfterMs ?? 0 : 0;
}

/** A JSON patch whose `test` did not hold, or an object that the schema refuses. */
export function isInvalid(error: unknown): boolean {
  return error instanceof ApiError && error.status === 422;
}

/** A ResourceQuota is used up. No watch reports that it was raised, or that another object was deleted. */
export function isOverQuota(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403 && error.message.includes("exceeded quota");
}

/** The one-line text of anything thrown, for logs and conditions. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
