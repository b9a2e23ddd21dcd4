/**
 * Child processes that never outlive this one. Each writes to its own log file and runs in a session of its own, so a
 * Ctrl-C in the terminal reaches only us and the stop is orderly. If we die without one (a crash, kill -9), a guard
 * process sees our end of its pipe close, ends what is left and removes the group's directory.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { statfs } from "node:fs/promises";

/**
 * The guard: learns pids from its standard input (`add PID SIGNAL`, `forget PID`) and acts at its end. It asks with
 * each process's own signal first (PostgreSQL ends its children itself), and does not ask twice.
 */
const GUARD = `
trap '' INT TERM HUP
running=
while read -r verb pid signal; do
  case $verb in
    add) running="$running $pid:$signal" ;;
    forget)
      kept=
      for entry in $running; do [ "\${entry%%:*}" = "$pid" ] || kept="$kept $entry"; done
      running=$kept ;;
  esac
done
for entry in $running; do kill -s "\${entry#*:}" -- "-\${entry%%:*}" 2>/dev/null; done
round=0
while [ "$round" -lt 80 ]; do
  alive=
  for entry in $running; do
    kill -s 0 -- "-\${entry%%:*}" 2>/dev/null || continue
    alive=yes
    [ "$round" -lt 50 ] || kill -s KILL -- "-\${entry%%:*}" 2>/dev/null
  done
  [ -n "$alive" ] || break
  round=$((round + 1))
  sleep 0.1
done
for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$1" 2>/dev/null && break; sleep 0.1; done
`;

/** Starts a program only once the guard knows its pid: if we die before that, the read fails and nothing was started. */
const LAUNCH = 'read -r _ || exit 0; exec "$@" </dev/null';

/** How long the tail of a log in an error message is. */
const TAIL_LINES = 25;

/** How a process ended. */
export interface Exit {
  readonly code: number | undefined;
  readonly signal: string | undefined;
}

/** Options of {@linkcode ProcessGroup.spawn}. */
export interface SpawnOptions {
  /** Names the log file and the process in messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Added to our own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** User and group to run as; needs root. */
  readonly runAs?: { readonly uid: number; readonly gid: number };
  /** @default {the group's directory} */
  readonly cwd?: string;
  /** What ends it at once and completely. @default {"SIGKILL"} */
  readonly endSignal?: Deno.Signal;
}

/** A running child of a {@linkcode ProcessGroup}. */
export class ManagedProcess {
  readonly name: string;
  readonly pid: number;
  readonly logPath: string;
  readonly #exited: Promise<Exit>;
  readonly #endSignal: Deno.Signal;
  #exit: Exit | undefined;

  constructor(
    options: SpawnOptions,
    running: { readonly pid: number; readonly logPath: string; readonly exited: Promise<Exit> },
  ) {
    this.name = options.name;
    this.pid = running.pid;
    this.logPath = running.logPath;
    this.#endSignal = options.endSignal ?? "SIGKILL";
    this.#exited = running.exited.then((exit) => this.#exit = exit);
  }

  /**
   * Resolves when it has ended; never rejects. A child alone does not keep this program running (one that forgets its
   * cluster still ends), so the wait has to.
   */
  async ended(): Promise<Exit> {
    const keepAlive = setInterval(() => {}, 60_000);
    try {
      return await this.#exited;
    } finally {
      clearInterval(keepAlive);
    }
  }

  /** Set once it has ended. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** Sends a signal to the process and its children; one that has ended already is left alone. */
  kill(signal: Deno.Signal): void {
    if (this.#exit) return;
    try {
      Deno.kill(-this.pid, signal);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound) && !this.#exit) throw error;
    }
  }

  /** Asks it to end with `signal`, insists after `graceMs`, and returns when it has. @default {"SIGTERM", 5000} */
  async stop(options: { readonly signal?: Deno.Signal; readonly graceMs?: number } = {}): Promise<void> {
    const { signal = "SIGTERM", graceMs = 5000 } = options;
    this.kill(signal);
    const insist = setTimeout(() => this.kill("SIGKILL"), graceMs);
    await this.ended();
    clearTimeout(insist);
  }

  /** Ends it at once: for what nobody needs afterwards. */
  async end(): Promise<void> {
    await this.stop({ signal: this.#endSignal });
  }

  /** The last lines that it wrote. */
  async logTail(): Promise<string> {
    const text = await Deno.readTextFile(this.logPath).catch((error) => `(no log: ${error.message})`);
    return text.trimEnd().split("\n").slice(-TAIL_LINES).join("\n");
  }
}

/** Options of {@linkcode startProcessGroup}. */
export interface ProcessGroupOptions {
  /** Where the log files go. @default {"logs" in the group's directory, removed with it} */
  readonly logsDirectory?: string;
}

/** Makes a temporary directory and starts the guard for the processes that will work in it. */
export async function startProcessGroup(options: ProcessGroupOptions = {}): Promise<ProcessGroup> {
  const directory = await Deno.makeTempDir({ prefix: "odoo-operator-", ...await inMemory() });
  await Deno.chmod(directory, 0o711); // a process that runs as another user must get through to its own files
  const logsDirectory = options.logsDirectory ?? `${directory}/logs`;
  await Deno.mkdir(logsDirectory, { recursive: true });
  return new ProcessGroup(directory, logsDirectory);
}

/** Linux keeps a file system in memory: what is thrown away anyway need not go through a disk. Elsewhere the usual place. */
async function inMemory(): Promise<{ readonly dir?: string }> {
  try {
    const { bavail, bsize } = await statfs(MEMORY_DIRECTORY);
    return bavail * bsize >= MEMORY_NEEDED_BYTES ? { dir: MEMORY_DIRECTORY } : {};
  } catch {
    return {}; // not Linux, or not there: containers may lack it
  }
}

const MEMORY_DIRECTORY = "/dev/shm";
const MEMORY_NEEDED_BYTES = 4 * 2 ** 30;

/** Processes that end together, and their directory. */
export class ProcessGroup implements AsyncDisposable {
  /** Removed by {@linkcode stop}. */
  readonly directory: string;
  readonly logsDirectory: string;
  readonly #guard: Deno.ChildProcess;
  readonly #toGuard: WritableStreamDefaultWriter<Uint8Array>;
  readonly #running = new Set<ManagedProcess>();
  #stopped: Promise<void> | undefined;

  constructor(directory: string, logsDirectory: string) {
    this.directory = directory;
    this.logsDirectory = logsDirectory;
    this.#guard = new Deno.Command("sh", {
      args: ["-c", GUARD, "guard", directory],
      cwd: "/",
      stdin: "piped",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn();
    this.#guard.unref();
    this.#toGuard = this.#guard.stdin.getWriter();
  }

  /** Starts a program; its output is appended to `{logsDirectory}/{name}.log`. */
  async spawn(options: SpawnOptions): Promise<ManagedProcess> {
    if (this.#stopped) throw new Error(`Cannot start ${options.name}: the group was stopped`);
    const { name, command, args, env = {}, runAs, cwd = this.directory, endSignal = "SIGKILL" } = options;
    const logPath = `${this.logsDirectory}/${name}.log`;
    // The log is opened by us, so a program that runs as another user need not be able to reach it. Deno.Command takes no files.
    const log = openSync(logPath, "a");
    const child = spawn("sh", ["-c", LAUNCH, "sh", command, ...args], {
      cwd,
      env: { ...Deno.env.toObject(), ...env },
      detached: true,
      stdio: ["pipe", log, log],
      ...runAs,
    });
    const exited = new Promise<Exit>((resolve) => {
      child.once("exit", (code, signal) => resolve({ code: code ?? undefined, signal: signal ?? undefined }));
      child.once("error", () => resolve({ code: undefined, signal: undefined }));
    });
    closeSync(log);
    const { pid, stdin } = child;
    if (pid === undefined || !stdin) throw new Error(`Cannot start ${name}: no process was made for ${command}`);
    const managed = new ManagedProcess(options, { pid, logPath, exited });
    this.#running.add(managed);
    exited.then(() => this.#forget(managed));
    await this.#tellGuard(`add ${pid} ${endSignal.slice(3)}`);
    stdin.on("error", () => {}); // it has ended already, which `exited` tells
    stdin.end("go\n");
    child.unref();
    return managed;
  }

  /** Saves the log files from {@linkcode stop}, for when something failed; resolves with the folder that stays. */
  async keepLogs(): Promise<string> {
    if (!this.logsDirectory.startsWith(`${this.directory}/`)) return this.logsDirectory;
    const kept = await Deno.makeTempDir({ prefix: "odoo-operator-logs-" });
    for await (const { name } of Deno.readDir(this.logsDirectory)) {
      await Deno.copyFile(`${this.logsDirectory}/${name}`, `${kept}/${name}`);
    }
    return kept;
  }

  /** Ends all processes at once and removes the directory. May be called more than once. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #stop(): Promise<void> {
    await Promise.all([...this.#running].map((managed) => managed.end()));
    this.#guard.ref();
    await this.#toGuard.close().catch(() => {});
    await this.#guard.status; // it removes the directory, so that this is done in one place
  }

  #forget(managed: ManagedProcess): void {
    this.#running.delete(managed);
    if (!this.#stopped) this.#tellGuard(`forget ${managed.pid}`).catch(() => {}); // a guard that was killed guards nothing
  }

  async #tellGuard(line: string): Promise<void> {
    await this.#toGuard.write(new TextEncoder().encode(`${line}\n`));
  }
}

/** Options of {@linkcode waitUntilReady}. */
export interface ReadinessOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** @default {25} */
  readonly intervalMs?: number;
}

/**
 * Asks `probe` again and again until it returns true. What it throws means "not yet".
 *
 * @throws if the process ends before or `timeoutMs` pass; the message holds the last answer and the end of the log.
 */
export async function waitUntilReady(
  managed: ManagedProcess,
  probe: () => Promise<boolean>,
  options: ReadinessOptions,
): Promise<void> {
  const { timeoutMs, signal, intervalMs = 25 } = options;
  const deadline = performance.now() + timeoutMs;
  let last: unknown = "no answer yet";
  while (performance.now() < deadline) {
    signal?.throwIfAborted();
    if (managed.exit) {
      throw await notReady(managed, `it ended with ${managed.exit.signal ?? `code ${managed.exit.code}`}`);
    }
    try {
      if (await probe()) return;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
  throw await notReady(managed, `not ready after ${timeoutMs} ms (${last instanceof Error ? last.message : last})`);
}

async function notReady(managed: ManagedProcess, state: string): Promise<Error> {
  const tail = await managed.logTail();
  const message = `Cannot start ${managed.name}: ${state}\n--- end of ${managed.logPath}\n${tail}\n---`;
  return /address already in use/i.test(tail) ? new PortTakenError(message) : new Error(message);
}

/** Another process took the port between the moment it was found free and the moment it was needed: try again. */
export class PortTakenError extends Error {
  override readonly name = "PortTakenError";
}

/** A TCP port of the loopback address that nobody uses now. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
