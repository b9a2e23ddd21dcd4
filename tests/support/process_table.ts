/** Which processes run on this machine, for tests that look for what is left over. */

/** A line of the process table. */
export interface TableEntry {
  readonly pid: number;
  readonly parent: number;
  readonly zombie: boolean;
}

/** All processes, but the one that lists them. */
export async function processTable(): Promise<TableEntry[]> {
  const ps = new Deno.Command("ps", { args: ["-axo", "pid=,ppid=,stat="], stdout: "piped" }).spawn();
  const { stdout } = await ps.output();
  const table = new TextDecoder().decode(stdout).trim().split("\n").map((line) => {
    const [pid, parent, state] = line.trim().split(/\s+/);
    return { pid: Number(pid), parent: Number(parent), zombie: state?.startsWith("Z") ?? false };
  });
  return table.filter(({ pid }) => pid !== ps.pid);
}

/** Those that a process has started, and theirs. */
export async function descendantsOf(pid: number): Promise<number[]> {
  const table = await processTable();
  const below = (parent: number): number[] =>
    table.filter((entry) => entry.parent === parent).flatMap((entry) => [entry.pid, ...below(entry.pid)]);
  return below(pid);
}

/** Those of `pids` that still run. */
export async function aliveAmong(pids: readonly number[]): Promise<number[]> {
  return (await processTable()).filter(({ pid, zombie }) => !zombie && pids.includes(pid)).map(({ pid }) => pid);
}
