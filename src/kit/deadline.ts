/** A time in which something is to happen. */

/** Its signal ends after a time, with an outer signal, or when it is called off. Disposed of, it leaves nothing behind. */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #outer: AbortSignal | undefined;

  /** @param timeoutMs Infinity: only a signal ends it. */
  constructor(timeoutMs: number, options: { readonly signal?: AbortSignal | undefined } = {}) {
    const { signal } = options;
    signal?.throwIfAborted();
    if (timeoutMs !== Infinity) {
      const late = () => this.#end(new DOMException(`Not done within ${timeoutMs} ms`, "TimeoutError"));
      this.#timer = setTimeout(late, timeoutMs);
    }
    this.#outer = signal;
    signal?.addEventListener("abort", this.#follow);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Removes the time limit; the outer signal still ends it. */
  extend(): void {
    clearTimeout(this.#timer);
  }

  /** Ends it now. */
  callOff(): void {
    this.#end(new DOMException("Called off", "AbortError"));
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#follow);
  }

  readonly #follow = (): void => this.#end(this.#outer?.reason);

  #end(reason: unknown): void {
    this[Symbol.dispose]();
    this.#controller.abort(reason);
  }
}
