/** A failure that the termination message of a Job tells: a constant for machines, a sentence for people. */
export class JobFailure extends Error {
  override readonly name = "JobFailure";

  /**
   * @param reason PascalCase constant; docs/troubleshooting.md lists them.
   * @param message What is wrong and what to do about it; no secrets.
   */
  constructor(readonly reason: string, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options);
  }
}
