/** A limited number of places: callers wait in order for a free one. */

/**
 * Lets so many work at the same time.
 *
 * @example
 * ```ts
 * const slots = new Slots(3);
 * await Promise.all(files.map((file) => slots.use(() => upload(file))));
 * ```
 */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Works as soon as there is a place, and gives it to the next in line, however the work ends. */
  async use<T>(work: () => T | Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
