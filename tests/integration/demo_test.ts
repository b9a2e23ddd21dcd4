/** The first thing that a stranger sees, as a process: `dev/demo.ts` on a cluster of its own. */
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { aliveAmong, descendantsOf } from "../support/process_table.ts";

/** A demo under way. */
class Demo {
  readonly #process: Deno.ChildProcess;
  readonly #written: Promise<void>[];
  /** What it has written so far. */
  text = "";

  constructor(...flags: readonly string[]) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "-A", "dev/demo.ts", ...flags],
      cwd: new URL("../../", import.meta.url),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#written = [this.#process.stdout, this.#process.stderr].map((stream) => this.#collect(stream));
  }

  get pid(): number {
    return this.#process.pid;
  }

  interrupt(): void {
    this.#process.kill("SIGINT");
  }

  /** Its exit code, once all is read. */
  async code(): Promise<number> {
    const { code } = await this.#process.status;
    await Promise.all(this.#written);
    return code;
  }

  /** Resolves when it has written what `pattern` describes. */
  async writes(pattern: RegExp): Promise<void> {
    await eventually(`the demo writes ${pattern}`, () => {
      if (!pattern.test(this.text)) throw new Error(`it wrote ${JSON.stringify(this.text)}`);
      return true;
    }, { timeoutMs: 50_000 });
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) this.text += text;
  }
}

Deno.test("demo() ends with 0 when both instances run, and leaves no logs behind", async () => {
  const demo = new Demo("--once");
  assertEquals(await demo.code(), 0, demo.text);
  assertMatch(demo.text, /^demo\/staging +Staging +Running +1\/1 +Running /m);
  assertMatch(demo.text, /^demo\/shop +Production +Running +2\/2 +Running /m);
  assertMatch(demo.text, /^Both instances run, [\d.]+ s after/m);
  assertEquals(demo.text.includes("Logs"), false, demo.text);
});

Deno.test("demo() ends with 1, the reason that is in status and logs that can be read when an init fails", async () => {
  const demo = new Demo("--once", "--failing-init");
  assertEquals(await demo.code(), 1, demo.text);
  assertMatch(demo.text, /^demo\/shop +Production +InitFailed +0\/2 +InitFailed /m);
  assertStringIncludes(
    demo.text,
    "shop is in InitFailed: InitFailed: OdooInitJob shop-auto-init failed: the image has no module web",
  );
  const [, logs] = /^Logs of the operator and the cluster: (.+)$/m.exec(demo.text) ?? [];
  assert(logs, demo.text);
  const names = (await Array.fromAsync(Deno.readDir(logs))).map(({ name }) => name);
  const operator = names.find((name) => /^operator-\d+\.log$/.test(name));
  assert(operator && names.includes("kube-apiserver.log"), names.join());
  assertStringIncludes(await Deno.readTextFile(`${logs}/${operator}`), "Working kind=OdooInstance");
  await Deno.remove(logs, { recursive: true });
});

Deno.test("demo() ends all of its processes and removes what it made when it is interrupted while an instance comes up", async () => {
  const demo = new Demo();
  await demo.writes(/Provisioning/);
  const started = await descendantsOf(demo.pid);
  assert(started.length >= 8, `expected a cluster and an operator, found ${started.length} processes`);
  const directories = await directoriesOf(started);
  demo.interrupt();
  assertEquals(await demo.code(), 0, demo.text);
  await eventually("all processes are gone", async () => {
    assertEquals(await aliveAmong(started), []);
    return true;
  });
  for (const directory of directories) await assertRejects(() => Deno.stat(directory), Deno.errors.NotFound, directory);
});

/** The folders that processes work in, as the guards that remove them were told. */
async function directoriesOf(pids: readonly number[]): Promise<string[]> {
  const commands = await Promise.all(pids.map((pid) => Deno.readTextFile(`/proc/${pid}/cmdline`)));
  const directories = commands.map((command) => command.split("\0")).filter((words) => words.includes("guard")).map(
    (words) => words.at(-2) ?? "",
  );
  assertEquals(directories.length, 2, commands.join("\n"));
  return directories;
}
