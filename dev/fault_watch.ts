/**
 * One watch on its way through the fault proxy: lines come from the API server, meet the rules, and wait in a queue
 * while the watch is held. What is held is kept in memory, so the API server never notices.
 */
import { readLines } from "../src/kit/lines.ts";
import { type EventFault, objectKeyOf, type WatchLine } from "./fault_rules.ts";

/** An event of a watch, as the proxy saw it. */
export interface EventRecord {
  /** Of the request that asked for the watch. */
  readonly requestId: number;
  readonly path: string;
  readonly type: WatchLine["type"];
  /** `namespace/name`, or `name` alone. */
  readonly object: string;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  /** When it came from the API server, in milliseconds of `performance.now()`. */
  readonly atMs: number;
  /** When it was last sent on; undefined as long as it was not. */
  readonly deliveredAtMs: number | undefined;
  /** What rules did to it. */
  readonly faults: readonly EventFault["type"][];
}

/** How a watch ends that the API server would go on with: a broken connection, an orderly end, or an ERROR and an end. */
export type WatchEnd = "reset" | "end" | { readonly code: number; readonly reason?: string };

/** The client's side of a watch. */
export interface WatchSink {
  write(bytes: Uint8Array): void;
  /** The answer is complete. */
  end(): void;
  /** The connection breaks. */
  reset(): void;
}

/** What a watch is made with. */
export interface FaultyWatchOptions {
  readonly requestId: number;
  readonly path: string;
  readonly sink: WatchSink;
  readonly faultsFor: (line: WatchLine) => readonly EventFault[];
  readonly onEvent: (event: EventRecord) => void;
  readonly isHeld: () => boolean;
}

type MutableRecord = { -readonly [K in keyof EventRecord]: EventRecord[K] };

/** A piece of the stream: bytes, with the event that they are, or the end. */
type Piece = { readonly bytes: Uint8Array; readonly event?: MutableRecord } | "end" | "reset";

const encoder = new TextEncoder();

/** One open watch. */
export class FaultyWatch {
  readonly #options: FaultyWatchOptions;
  readonly #queue: Piece[] = [];
  readonly #replays: { piece: Piece; afterEvents: number }[] = [];
  #ended = false;

  constructor(options: FaultyWatchOptions) {
    this.#options = options;
  }

  /** Passes on what comes until either side ends. What a rule broke off is read no further. */
  async run(body: ReadableStream<Uint8Array>): Promise<void> {
    for await (const line of readLines(body)) {
      this.#pass(line);
      if (this.#ended) return;
    }
    this.#send("end");
  }

  /** Passes on without a look: what is not JSON has no lines. */
  async runRaw(body: ReadableStream<Uint8Array>): Promise<void> {
    for await (const bytes of body) {
      if (this.#ended) return;
      this.#send({ bytes });
    }
    this.#send("end");
  }

  /** Ends it in the way that is asked for, at once or when it is released. */
  finish(how: WatchEnd): void {
    if (how === "reset" || how === "end") return this.#send(how);
    this.#send({ bytes: errorLine(how) });
    this.#send("end");
  }

  /** Sends what has waited, unless it has to wait on. */
  flush(): void {
    while (this.#queue.length > 0 && !this.#options.isHeld()) {
      const piece = this.#queue.shift();
      if (piece !== undefined) this.#deliver(piece);
    }
  }

  #pass(text: string): void {
    const line = JSON.parse(text) as WatchLine;
    const faults = this.#options.faultsFor(line);
    const event: MutableRecord = {
      requestId: this.#options.requestId,
      path: this.#options.path,
      type: line.type,
      object: objectKeyOf(line),
      uid: line.object.metadata?.uid,
      resourceVersion: line.object.metadata?.resourceVersion,
      atMs: performance.now(),
      deliveredAtMs: undefined,
      faults: faults.map(({ type }) => type),
    };
    this.#options.onEvent(event);
    const bytes = encoder.encode(`${text}\n`);
    if (this.#strike({ bytes, event }, faults)) this.#send({ bytes, event });
    this.#replayDue();
  }

  /** Whether the event is still to be sent as it is. */
  #strike(
    piece: { readonly bytes: Uint8Array; readonly event: MutableRecord },
    faults: readonly EventFault[],
  ): boolean {
    for (const fault of faults) {
      switch (fault.type) {
        case "drop":
          return false;
        case "replay":
          this.#replays.push({ piece, afterEvents: fault.afterEvents ?? 0 });
          break;
        case "error":
          this.finish({ code: fault.code ?? 410, reason: fault.reason ?? "Expired" });
          return false;
        case "corrupt":
          corruptMiddle(piece.bytes);
          break;
        case "cut":
          this.finish("reset");
          return false;
      }
    }
    return true;
  }

  #replayDue(): void {
    const due = this.#replays.filter(({ afterEvents }) => afterEvents === 0);
    const waiting = this.#replays.filter(({ afterEvents }) => afterEvents > 0);
    this.#replays.splice(0, Infinity, ...waiting.map((one) => ({ ...one, afterEvents: one.afterEvents - 1 })));
    for (const { piece } of due) this.#send(piece);
  }

  #send(piece: Piece): void {
    if (this.#ended) return;
    if (piece === "end" || piece === "reset") this.#ended = true;
    this.#queue.push(piece);
    this.flush();
  }

  #deliver(piece: Piece): void {
    if (piece === "end") return this.#options.sink.end();
    if (piece === "reset") return this.#options.sink.reset();
    if (piece.event) piece.event.deliveredAtMs = performance.now();
    this.#options.sink.write(piece.bytes);
  }
}

/** Makes a text that was JSON something else, in place. */
export function corruptMiddle(bytes: Uint8Array): void {
  bytes[Math.floor(bytes.length / 2)] = 0;
}

function errorLine({ code, reason = "Expired" }: { readonly code: number; readonly reason?: string }): Uint8Array {
  const message = "put in by the fault proxy";
  const object = { apiVersion: "v1", kind: "Status", metadata: {}, status: "Failure", message, reason, code };
  return encoder.encode(`${JSON.stringify({ type: "ERROR", object })}\n`);
}
