/** Which rows of the state machine have fired, as the operator's log tells it. */
import type { ObjectKey } from "../../src/kit/mod.ts";
import type { Phase } from "../../src/odoo/crd/mod.ts";
import type { Guard } from "../../src/odoo/machine/guards.ts";
import { SETTLED, type Transition, TRANSITIONS } from "../../src/odoo/machine/transitions.ts";

/** A row with the phase that it leads to, as a sentence. */
export function rowOf(from: Phase, when: Guard, to: Phase): string {
  return `from ${from}, when ${when}, to ${to}`;
}

/** `2026-11-21T04:00:00.000Z info    Phase changed key=shop/blue reconcileId=7 from=Starting to=Running guard=allReady` */
const LINE = /^\S+ info +Phase changed key=(\S+) .*\bfrom=(\w+) to=(\w+) guard=(\w+)$/;

/** Follows the log of one operator. */
export class FiredRows {
  readonly #logPath: string;
  readonly #rows = new Map<ObjectKey, string[]>();
  readonly #decoder = new TextDecoder();
  #readBytes = 0;
  #unfinishedLine = "";
  #reading: Promise<void> | undefined;

  constructor(logPath: string) {
    this.#logPath = logPath;
  }

  /** Those of one instance, in their order. */
  async of(instance: ObjectKey): Promise<readonly string[]> {
    await this.#catchUp();
    return this.#rows.get(instance) ?? [];
  }

  /** Those of all instances. */
  async all(): Promise<ReadonlySet<string>> {
    await this.#catchUp();
    return new Set([...this.#rows.values()].flat());
  }

  /** Many ask at the same time; one reads for all of them. */
  #catchUp(): Promise<void> {
    return this.#reading ??= this.#read().finally(() => this.#reading = undefined);
  }

  async #read(): Promise<void> {
    using file = await Deno.open(this.#logPath);
    await file.seek(this.#readBytes, Deno.SeekMode.Start);
    const bytes = await new Response(file.readable).bytes();
    this.#readBytes += bytes.length;
    const lines = (this.#unfinishedLine + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#unfinishedLine = lines.pop() ?? "";
    for (const line of lines) this.#add(line);
  }

  #add(line: string): void {
    const [, key, from, to, guard] = LINE.exec(line) ?? [];
    if (key === undefined) return;
    const rows = this.#rows.get(key) ?? [];
    rows.push(rowOf(from as Phase, guard as Guard, to as Phase));
    this.#rows.set(key, rows);
  }
}

/** What a row of the table may look like when it has fired. */
function sentences({ from, when, to }: Transition): string[] {
  const targets = to === "settled" ? SETTLED.map(({ to }) => to) : [to];
  return targets.map((target) => rowOf(from, when, target));
}

/** Rows of the table that are not among these. */
export function unfiredRows(fired: ReadonlySet<string>): string[] {
  return TRANSITIONS.filter((row) => !sentences(row).some((sentence) => fired.has(sentence)))
    .map(({ from, when, to }) => `from ${from}, when ${when}, to ${to}`);
}

/** Those among these that the table does not have. */
export function strangeRows(fired: ReadonlySet<string>): string[] {
  const known = new Set(TRANSITIONS.flatMap(sentences));
  return [...fired].filter((row) => !known.has(row));
}
