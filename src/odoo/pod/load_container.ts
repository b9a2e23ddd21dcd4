/**
 * Client of scripts/restore_load.sh, which runs in the container beside this one: sends it the dump and reads the result of the
 * load. Every wait has a deadline, and each container detects the end of the other.
 */
import { JobError } from "./report.ts";
import { loadFailure } from "./load_failure.ts";
import { leftOutEntry, type ServerFacts } from "./restore_rules.ts";

/** Options of {@linkcode LoadContainer.connect}. */
export interface LoadContainerOptions {
  /** How long the other container may take to start: its image may have to be fetched. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/** What is in the database after the load. */
export interface LoadResult {
  readonly tables: number;
  readonly modules: number;
  /** Of the module base, such as "19.0.1.3". */
  readonly odooVersion: string;
  readonly attachments: number;
  /** Different files that attachments name. */
  readonly files: number;
}

/** What is kept of a custom dump until its list has been read. */
const LONGEST_HEAD_BYTES = 64 << 20;
const POLL_MS = 100;
const OPEN_TIMEOUT_MS = 30_000;

/** The container `load`. */
export class LoadContainer {
  readonly server: ServerFacts;
  readonly #directory: string;
  readonly #signal: AbortSignal;
  readonly #waitMs: number;
  /** Resolves when the script has ended, in whatever way. */
  readonly #ended: Promise<void>;
  #data: Deno.FsFile | undefined;
  /** What is left out of the dump, for the message of a failure. */
  #leftOut: () => readonly string[] = () => [];

  private constructor(directory: string, server: ServerFacts, ended: Promise<void>, options: LoadContainerOptions) {
    this.server = server;
    this.#directory = directory;
    this.#ended = ended;
    this.#signal = options.signal;
    this.#waitMs = options.waitMs;
  }

  /** Waits until the other container is ready. @throws {JobError} if it has failed, or does not come */
  static async connect(directory: string, options: LoadContainerOptions): Promise<LoadContainer> {
    const seen = await appears([`${directory}/server`, `${directory}/load.exit`], options);
    if (!seen) {
      const seconds = Math.round(options.waitMs / 1000);
      throw new JobError(
        "LoadContainerAbsent",
        `The container load did not start within ${seconds} s: the pod's events say why (its image, most often)`,
      );
    }
    if (await exists(`${directory}/load.exit`)) throw await failureIn(directory, []);
    const facts = await json<ServerFacts & { readonly relations: number }>(`${directory}/server`);
    if (facts.relations > 0) {
      throw new JobError(
        "SideDatabaseNotEmpty",
        "The side database is not empty: another Job has begun to load into it",
      );
    }
    const alive = await opened(`${directory}/alive`, { read: true });
    return new LoadContainer(directory, facts, endOf(alive), options);
  }

  /** Begins a plain dump; the caller filters it, and says what it leaves out. */
  async sendPlain(leftOut: () => readonly string[]): Promise<void> {
    this.#leftOut = leftOut;
    this.#data = await opened(`${this.#directory}/data`, { write: true });
    await this.#order("plain");
  }

  /** Passes on the next part. */
  async write(piece: Uint8Array): Promise<void> {
    if (this.#data && !await written(this.#data, piece)) await this.#refused();
  }

  /**
   * Sends a custom dump: its head to be listed, then all of it, without what the list says is left out. What the caller reads
   * is sent once; the head is kept in memory between the two.
   */
  async sendCustom(dump: AsyncIterator<Uint8Array>): Promise<void> {
    const toc = await opened(`${this.#directory}/toc`, { write: true });
    this.#data = await opened(`${this.#directory}/data`, { write: true });
    await this.#order("custom");
    const head: Uint8Array[] = [];
    let next = ahead(dump);
    let bytes = 0;
    try {
      const listed = appears(this.#listOrEnd, { signal: this.#signal, waitMs: this.#waitMs }).then(() => undefined);
      for (;;) {
        const piece = await Promise.race([listed, next]); // a source may pause when the list is already there
        if (!piece || piece.done) break;
        head.push(piece.value);
        bytes += piece.value.length;
        next = ahead(dump);
        if (!await written(toc, piece.value)) break; // it has read enough
        if (bytes > LONGEST_HEAD_BYTES) {
          throw new JobError("DumpRefused", "The table of contents of the dump is longer than 64 MiB");
        }
      }
    } finally {
      toc.close();
    }
    const leftOut = await this.#chooseEntries();
    this.#leftOut = () => leftOut;
    for (const piece of head.splice(0)) await this.write(piece);
    for (let piece = await next; !piece.done; piece = await dump.next()) await this.write(piece.value);
  }

  /** What is left out of the dump, by kind. */
  get leftOut(): readonly string[] {
    return this.#leftOut();
  }

  /** Says that the dump is over. */
  end(): void {
    this.#data?.close();
    this.#data = undefined;
  }

  /** Waits for the load. @throws {JobError} if it failed */
  async finish(): Promise<LoadResult> {
    this.end();
    await this.#ended;
    if (await exitCode(this.#directory) !== "0") throw await failureIn(this.#directory, this.#leftOut());
    return await json<LoadResult>(`${this.#directory}/result`);
  }

  get #listOrEnd(): readonly string[] {
    return [`${this.#directory}/list`, `${this.#directory}/load.exit`];
  }

  async #chooseEntries(): Promise<readonly string[]> {
    const [list = ""] = this.#listOrEnd;
    await appears(this.#listOrEnd, { signal: this.#signal, waitMs: this.#waitMs });
    if (!await exists(list)) {
      await this.#ended;
      throw await failureIn(this.#directory, []);
    }
    const leftOut = new Set<string>();
    const chosen = (await Deno.readTextFile(list)).split("\n").map((line) => {
      const reason = leftOutEntry(line, this.server);
      if (reason) leftOut.add(reason);
      return reason ? `;${line}` : line;
    });
    await publish(`${this.#directory}/use_list`, chosen.join("\n"));
    return [...leftOut].sort();
  }

  async #order(order: string): Promise<void> {
    await publish(`${this.#directory}/order`, order);
  }

  /** The reader closed the FIFO: correct at the end of an archive, a failure everywhere else. */
  async #refused(): Promise<void> {
    this.end();
    await this.#ended;
    if (await exitCode(this.#directory) !== "0") throw await failureIn(this.#directory, this.#leftOut());
  }
}

/** The next part, asked for early: that it fails is seen where it is awaited, and must not end the process before. */
function ahead(dump: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  const next = dump.next();
  next.catch(() => {}); // awaited later
  return next;
}

/** Cancels the load: the other container ends at its next check, whatever stage it has reached. */
export async function cancelLoad(directory: string): Promise<void> {
  await publish(`${directory}/cancel`, "");
}

async function failureIn(directory: string, leftOut: readonly string[]): Promise<JobError> {
  const code = await exitCode(directory);
  const log = await text(`${directory}/load.log`) ?? "";
  return loadFailure({ code, log, leftOut });
}

function exitCode(directory: string): Promise<string | undefined> {
  return text(`${directory}/load.exit`);
}

async function text(path: string): Promise<string | undefined> {
  try {
    return (await Deno.readTextFile(path)).trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** JSON that the script wrote with PostgreSQL's json_build_object. */
async function json<T>(path: string): Promise<T> {
  return JSON.parse(await Deno.readTextFile(path));
}

async function exists(path: string): Promise<boolean> {
  return await text(path) !== undefined;
}

/** Writes to a temporary name, then renames: no reader sees a partial file. */
async function publish(path: string, content: string): Promise<void> {
  await Deno.writeTextFile(`${path}.part`, content, { mode: 0o600 });
  await Deno.rename(`${path}.part`, path);
}

/** Whether one of the files is there before the time is up. */
async function appears(paths: readonly string[], { waitMs, signal }: LoadContainerOptions): Promise<boolean> {
  for (const deadline = performance.now() + waitMs; performance.now() < deadline;) {
    for (const path of paths) if (await exists(path)) return true;
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return false;
}

/** Opens a FIFO that the script holds open. If the script has just died, the opening would wait for ever. */
async function opened(path: string, options: Deno.OpenOptions): Promise<Deno.FsFile> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new JobError("LoadKilled", KILLED)), OPEN_TIMEOUT_MS);
  });
  try {
    return await Promise.race([Deno.open(path, options), late]);
  } finally {
    clearTimeout(timer);
  }
}

const KILLED = "The container load was killed: the pod's status says why (memory, most often)";

async function endOf(file: Deno.FsFile): Promise<void> {
  using ending = file;
  const buffer = new Uint8Array(1);
  while (await ending.read(buffer) !== null);
}

/** False if the reader has closed the FIFO. */
async function written(file: Deno.FsFile, piece: Uint8Array): Promise<boolean> {
  try {
    for (let rest = piece; rest.length > 0;) rest = rest.subarray(await file.write(rest));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return false;
    throw error;
  }
}
