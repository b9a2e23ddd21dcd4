/** A small table on the screen: redrawn in place on a terminal; elsewhere, a line for each change of a row. */

/** What the table shows of one instance. */
export interface Row {
  readonly instance: string;
  readonly environment: string;
  readonly phase: string;
  readonly ready: string;
  readonly reason: string;
  readonly age: string;
}

const COLUMNS = ["instance", "environment", "phase", "ready", "reason", "age"] as const;
const WIDTHS: Readonly<Record<keyof Row, number>> = {
  instance: 16,
  environment: 13,
  phase: 16,
  ready: 7,
  reason: 22,
  age: 6,
};
const COLOURS: Readonly<Record<string, number>> = { Running: 32, Error: 31, InitFailed: 31, Degraded: 33 };

/** Where the rows are shown. */
export class Screen {
  readonly #terminal = Deno.stdout.isTerminal();
  #drawn = 0;
  readonly #shown = new Map<string, string>();

  /** Shows the rows as they are now. */
  show(rows: readonly Row[]): void {
    if (this.#terminal) return this.#redraw(rows);
    for (const row of rows) {
      const { age: _, ...lasting } = row;
      const text = JSON.stringify(lasting);
      if (this.#shown.get(row.instance) === text) continue;
      if (this.#shown.size === 0) this.#write(`${line(HEADINGS)}\n`);
      this.#shown.set(row.instance, text);
      this.#write(`${line(row)}\n`);
    }
  }

  #redraw(rows: readonly Row[]): void {
    const lines = [`\x1b[1m${line(HEADINGS)}\x1b[0m`, ...rows.map(coloured)];
    const up = this.#drawn ? `\x1b[${this.#drawn}A` : "";
    this.#write(up + lines.map((text) => `\x1b[2K${text}\n`).join(""));
    this.#drawn = lines.length;
  }

  #write(text: string): void {
    Deno.stdout.writeSync(new TextEncoder().encode(text));
  }
}

const HEADINGS: Row = {
  instance: "INSTANCE",
  environment: "ENVIRONMENT",
  phase: "PHASE",
  ready: "READY",
  reason: "REASON",
  age: "AGE",
};

function line(row: Row): string {
  return COLUMNS.map((column) => row[column].padEnd(WIDTHS[column])).join("").trimEnd();
}

function coloured(row: Row): string {
  const colour = COLOURS[row.phase] ?? 36;
  return line(row).replace(row.phase, `\x1b[${colour}m${row.phase}\x1b[0m`);
}
