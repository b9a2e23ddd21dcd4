/** What a bench looks at: the audit log of the API server, the memory of a process, the log of PostgreSQL. */

/** Requests of an operator, from one point of the audit log on. */
export interface RequestCounts {
  /** All but watches. */
  readonly requests: number;
  readonly watches: number;
  readonly writes: number;
  /** By verb and resource, such as `patch deployments`, most frequent first. */
  readonly byKind: Readonly<Record<string, number>>;
  /** When the last of them, or of the watches' beginnings, was answered, in milliseconds since 1970. */
  readonly lastAtMs: number | undefined;
}

interface AuditEvent {
  readonly verb: string;
  readonly stage: string;
  readonly stageTimestamp: string;
  readonly user: { readonly username: string };
  readonly objectRef?: { readonly resource?: string; readonly subresource?: string };
}

const WRITES: ReadonlySet<string> = new Set(["create", "update", "patch", "delete", "deletecollection"]);

/** Reads an audit log piece by piece. */
export class AuditLog {
  readonly #path: string;
  readonly #users: readonly string[];

  /** `users`: the names that one operator has, by kubeconfig or as a service account. */
  constructor(path: string, ...users: readonly string[]) {
    this.#path = path;
    this.#users = users;
  }

  /** The present end of the log, in bytes. */
  async mark(): Promise<number> {
    return (await Deno.stat(this.#path)).size;
  }

  /** The requests that came after `mark`; a watch counts when it ends and when it begins, once. */
  async since(mark: number): Promise<RequestCounts> {
    using file = await Deno.open(this.#path);
    await file.seek(mark, Deno.SeekMode.Start);
    const text = await new Response(file.readable).text();
    const events = text.split("\n").slice(0, -1).flatMap((line) => {
      if (!this.#users.some((user) => line.includes(user))) return []; // most lines are others', and reading JSON takes long
      const event = JSON.parse(line) as AuditEvent;
      return this.#users.includes(event.user.username) ? [event] : [];
    });
    const watches = events.filter(({ verb, stage }) => verb === "watch" && stage === "ResponseStarted").length;
    const others = events.filter(({ verb, stage }) => verb !== "watch" && stage === "ResponseComplete");
    const byKind: Record<string, number> = {};
    for (const { verb, objectRef } of others) {
      const kind = [verb, [objectRef?.resource, objectRef?.subresource].filter(Boolean).join("/")].join(" ");
      byKind[kind] = (byKind[kind] ?? 0) + 1;
    }
    return {
      requests: others.length,
      watches,
      writes: others.filter(({ verb }) => WRITES.has(verb)).length,
      byKind: Object.fromEntries(Object.entries(byKind).sort(([, a], [, b]) => b - a)),
      lastAtMs: lastOf(events),
    };
  }
}

/** The end of a watch is nobody's deed: the server ends it, or both die. */
function lastOf(events: readonly AuditEvent[]): number | undefined {
  const times = events.filter(({ verb, stage }) => verb !== "watch" || stage === "ResponseStarted").map((event) =>
    Date.parse(event.stageTimestamp)
  );
  return times.length === 0 ? undefined : times.reduce((last, time) => Math.max(last, time));
}

/** Resident memory of a process now and at its highest, in MiB. Linux only. */
export async function memoryOf(pid: number): Promise<{ readonly rssMiB: number; readonly peakMiB: number }> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const mebibytes = (field: string) =>
    Math.round(Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) / 102.4) / 10;
  return { rssMiB: mebibytes("VmRSS"), peakMiB: mebibytes("VmHWM") };
}

/** Lets the highest value of {@linkcode memoryOf} begin anew from now. */
export async function resetPeak(pid: number): Promise<void> {
  await Deno.writeTextFile(`/proc/${pid}/clear_refs`, "5"); // see proc_pid_clear_refs(5)
}

/** How many lines of a file match. */
export async function matchingLines(path: string, pattern: RegExp): Promise<number> {
  return (await Deno.readTextFile(path)).split("\n").filter((line) => pattern.test(line)).length;
}

/** Programs whose work a figure is made of, by the name that the kernel has for them. */
const PROGRAMS = ["kube-apiserver", "etcd", "kube-controller", "kube-scheduler", "kwok", "postgres"];

/** CPU seconds (user and system, ended children included) of each program on this machine so far. Linux only. */
export async function cpuSeconds(): Promise<Readonly<Record<string, number>>> {
  const seconds: Record<string, number> = {};
  for await (const { name: pid } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => ""); // ended meanwhile
    const program = /\((.*)\)/.exec(stat)?.[1] ?? "";
    if (!PROGRAMS.includes(program)) continue;
    seconds[program] = (seconds[program] ?? 0) + secondsIn(stat);
  }
  return seconds;
}

/** The same for one process. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  return secondsIn(await Deno.readTextFile(`/proc/${pid}/stat`));
}

/** CPU seconds (user and system) of the first thread of a process, which is the one that runs JavaScript. Linux only. */
export async function threadSecondsOf(pid: number): Promise<number> {
  return secondsIn(await Deno.readTextFile(`/proc/${pid}/task/${pid}/stat`), 2);
}

/** utime, stime, cutime and cstime of a line of /proc/PID/stat, or the first `times` of them; a tick is 10 ms. */
export function secondsIn(stat: string, times = 4): number {
  const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 11 + times);
  return ticks.reduce((sum, value) => sum + Number(value) / 100, 0);
}

/**
 * Milliseconds that this machine takes for a fixed piece of work on one core (reading JSON, as everybody here does).
 * Virtual machines change their speed by a factor of two within minutes: a time is worth little without this beside it.
 */
export function calibrationMs(): number {
  const text = JSON.stringify(
    Array.from({ length: 200 }, (_, i) => ({ name: `n${i}`, labels: { a: "b" }, list: [i] })),
  );
  const startedMs = performance.now();
  let objects = 0;
  while (objects < 600_000) objects += (JSON.parse(text) as unknown[]).length;
  return Math.round(performance.now() - startedMs);
}
