/** The figures of a bench as a Markdown table: what was promised, what was measured, and where that is not enough. Pure. */
import { type Figure, figureAt, type Range } from "./figures.ts";
import { type Goal, type Row, ROWS } from "./rows.ts";

const HEAD = ["#", "figure", "goal", "median", "range", "Rust operator 2.5.0"];
const NOTES =
  "✗: the goal is missed. –: not measured. The Rust operator was measured earlier, on another machine of the" +
  " same kind and with another rig.";

/** The whole table, with the notes that it needs. */
export function renderTable(figures: Figure, rows: readonly Row[] = ROWS): string {
  const cells = rows.map((row) => cellsOf(row, figureAt(figures, row.path)));
  const widths = HEAD.map((head, column) => Math.max(...[head, ...cells.map((line) => line[column] ?? "")].map(width)));
  const line = (texts: readonly string[]) =>
    `| ${texts.map((text, i) => text + " ".repeat((widths[i] ?? 0) - width(text))).join(" | ")} |`;
  return [line(HEAD), line(widths.map((count) => "-".repeat(count))), ...cells.map(line), "", ...notesOn(figures), ""]
    .join("\n");
}

/** What must be known to read the table; the goals are about the sizes that a bench has by default. */
function notesOn(figures: Figure): readonly string[] {
  const sizes = typeof figures === "object" && figures !== null && "sizes" in figures ? figures.sizes : {};
  const changed = Object.entries(sizes ?? {}).map(([name, size]) => `${name} ${size}`);
  return changed.length === 0
    ? [NOTES]
    : [NOTES, "", `Measured with other sizes than the goals': ${changed.join(", ")}.`];
}

/** Whether the goal is missed by what was measured. */
export function misses({ comparator, value }: Goal, { min, median, max }: Range): boolean {
  return comparator === "≤" ? median > value : min !== value || max !== value;
}

function cellsOf({ id, what, goal, unit, peer }: Row, measured: Range | undefined): readonly string[] {
  const wanted = `${goal.comparator} ${withUnit(goal.value, unit)}`;
  if (!measured) return [String(id), what, wanted, "–", "–", peer || "–"];
  const { min, median, max } = measured;
  const shown = misses(goal, measured) ? `**${withUnit(median, unit)}** ✗` : withUnit(median, unit);
  return [String(id), what, wanted, shown, min === max ? "" : `${numeral(min)}–${numeral(max)}`, peer || "–"];
}

function withUnit(value: number, unit: Row["unit"]): string {
  return `${numeral(value)}${unit === "" || unit === "/min" ? unit : ` ${unit}`}`;
}

function numeral(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: 2 });
}

/** Columns on a screen; no character here takes two. */
function width(text: string): number {
  return [...text].length;
}
