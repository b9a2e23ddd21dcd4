/** Client of scripts/backup_dump.sh: opens its pipes, follows its stages and reads the reason of its failure. */
import { pause } from "../../kit/clock.ts";
import { JobError } from "./report.ts";

/** What the script writes into `status`, in this order. */
export type DumpStage = "dumping" | "dumped" | "listed" | "complete";

const POLL_MS = 50;
const OPEN_TIMEOUT_MS = 10_000;
const MOST_OF_THE_LOG = 3000;

/** Options of {@linkcode openDumpPipes}. */
export interface DumpPipesOptions {
  /** For the script to come up. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Opens the pipes in `directory` once they are there. */
export async function openDumpPipes(directory: string, options: DumpPipesOptions): Promise<DumpPipes> {
  const { timeoutMs, signal } = options;
  const deadline = performance.now() + timeoutMs;
  const pipes = `${directory}/pipes`;
  while (!await isThere(pipes)) {
    signal.throwIfAborted();
    await throwFailure(directory);
    if (performance.now() > deadline) {
      throw new JobError("DumpMissing", `The container that dumps the database did not come up within ${timeoutMs} ms`);
    }
    await pause(POLL_MS, { signal });
  }
  const status = await openPipe(`${pipes}/status`, { read: true });
  const facts = await openPipe(`${pipes}/facts`, { read: true });
  return new DumpPipes(directory, { status, facts, peer: await openPipe(`${pipes}/peer`, { write: true }) });
}

interface Ends {
  readonly status: Deno.FsFile;
  readonly facts: Deno.FsFile;
  readonly peer: Deno.FsFile;
}

/** What {@linkcode openDumpPipes} opened. Closing it signals the script that the reader is gone. */
export class DumpPipes implements Disposable {
  readonly #directory: string;
  readonly #peer: Deno.FsFile;
  readonly #facts: AsyncIterator<string>;
  readonly #status: AsyncIterator<string>;

  constructor(directory: string, { status, facts, peer }: Ends) {
    this.#directory = directory;
    this.#peer = peer;
    this.#facts = lines(facts.readable);
    this.#status = lines(status.readable);
  }

  /** Lets the script begin, go on, or know that it need not. */
  async say(word: "ready" | "dump" | "read" | "never"): Promise<void> {
    try {
      await this.#peer.write(new TextEncoder().encode(`${word}\n`));
    } catch (error) {
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error; // the script has ended, which its status reports
    }
  }

  /** The first line of `facts`. */
  async factsLine(): Promise<string> {
    const { value, done } = await this.#facts.next();
    return done ? await this.fail() : value;
  }

  /** The dump; complete only if the stage `dumped` is reached afterwards. */
  async dump(): Promise<ReadableStream<Uint8Array>> {
    await this.reached("dumping");
    const { readable } = await openPipe(`${this.#directory}/pipes/dump`, { read: true });
    await this.say("dump");
    return readable;
  }

  /** The names of files that the database knows, as COPY writes them. */
  async *files(): AsyncGenerator<string> {
    for (;;) {
      const { value, done } = await this.#facts.next();
      if (done) return await this.fail();
      if (value === "\\.") return;
      yield value;
    }
  }

  /** Returns when the script has come so far, and throws what went wrong if it never does. */
  async reached(stage: DumpStage): Promise<void> {
    const { value, done } = await this.#status.next();
    if (done || value !== stage) await this.fail();
  }

  /** Throws why the script failed; waits for its end, because the reason is written last. */
  async fail(): Promise<never> {
    while (!(await this.#status.next()).done) { /* later stages do not matter after a failure */ }
    await throwFailure(this.#directory);
    const error =
      "The container that dumps the database ended without a message: it was killed, most often because it ran out of memory";
    throw new JobError("DumpFailed", error);
  }

  [Symbol.dispose](): void {
    this.#peer.close();
  }
}

/** Opens a FIFO. It does not block while the script holds the FIFO open; the timeout covers a script that has just died. */
async function openPipe(path: string, options: Deno.OpenOptions): Promise<Deno.FsFile> {
  const late = Promise.withResolvers<never>();
  const error = "The container that dumps the database ended right after it started";
  const timer = setTimeout(() => late.reject(new JobError("DumpMissing", error)), OPEN_TIMEOUT_MS);
  try {
    return await Promise.race([Deno.open(path, options), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Throws the failure that the script recorded in `dump.failed`, if there is one. */
async function throwFailure(directory: string): Promise<void> {
  let text: string;
  try {
    text = await Deno.readTextFile(`${directory}/dump.failed`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  const [reason = "", message = "", ...log] = text.trimEnd().split("\n");
  throw new JobError(reason, message, { log: log.join("\n").slice(-MOST_OF_THE_LOG) });
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Lines of a stream; a last one without its end is none. */
async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}
