/** Something that keeps an instance or a request from working. */
export interface Problem {
  /** A PascalCase constant, listed in docs/troubleshooting.md. */
  readonly reason: string;
  /** What happened, where, and what to do next. */
  readonly message: string;
}
