/**
 * Tests that build on each other: each says which ones it needs, and is not reached (and says so) when one of them failed.
 * How long each took is kept, with the figures that it noted.
 */
type Work = (note: Note) => Promise<void>;

/** Keeps a figure for the summary. */
export type Note = (figures: Readonly<Record<string, unknown>>) => void;

interface Ending {
  readonly end: "passed" | "failed" | "not reached";
  readonly seconds: number;
  readonly figures: Record<string, unknown>;
}

/** The stages of one test file. */
export class Stages {
  readonly #ends = new Map<string, Ending>();
  readonly #onFailure: () => Promise<void>;

  /** `onFailure` tells what there is to see of the cluster at that moment. */
  constructor(onFailure: () => Promise<void>) {
    this.#onFailure = onFailure;
  }

  /** Registers a stage as a test. */
  add(name: string, sentence: string, needs: readonly string[], work: Work): void {
    Deno.test(`${name}: ${sentence}`, async () => {
      const missing = needs.filter((need) => this.#ends.get(need)?.end !== "passed");
      const figures: Record<string, unknown> = {};
      const startedAt = performance.now();
      const ended = (end: Ending["end"]) => {
        const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
        this.#ends.set(name, { end, seconds, figures });
      };
      if (missing.length > 0) {
        ended("not reached");
        throw new Error(`Not reached: it needs ${missing.join(", ")}, which did not pass`);
      }
      try {
        await work((more) => Object.assign(figures, more));
        ended("passed");
      } catch (error) {
        ended("failed");
        await this.#onFailure();
        throw error;
      }
    });
  }

  /** One line for each stage. */
  summary(): string {
    const lines = [...this.#ends].map(([name, { end, seconds, figures }]) =>
      `${name.padEnd(20)} ${end.padEnd(12)} ${String(seconds).padStart(7)} s  ${
        Object.keys(figures).length > 0 ? JSON.stringify(figures) : ""
      }`.trimEnd()
    );
    return ["", "End-to-end:", ...lines].join("\n");
  }
}
