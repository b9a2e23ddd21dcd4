/** The smallest bench from end to end: any operator by its command line, figures on stdout, and a table of them. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { figureAt, type Figures } from "../../dev/bench/figures.ts";
import { memoryOf, resetPeak } from "../../dev/measure.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const SMALL = ["--stages", "hundred", "--hundred", "2", "--rest-seconds", "0.1"];

/** What the bench prints. */
async function bench(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "dev/bench.ts", ...args],
    cwd: ROOT,
  }).output();
  const [text, complaint] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert(success, complaint);
  return text ?? "";
}

Deno.test("bench measures an operator that was given as a command line, and prints a table of it", async () => {
  const text = await bench(...SMALL, "--operator", `'${Deno.execPath()}' run -A main.ts run`);
  const figures = JSON.parse(text) as Figures;
  assertEquals(figureAt(figures, "hundred.arrived")?.min, 2);
  assertEquals(figureAt(figures, "hundred.restart.running")?.min, 2);
  assertEquals(figureAt(figures, "hundred.restart.writes")?.max, 0);
  for (const path of ["seconds", "cpuSeconds.operator", "idleRssMiB", "restart.watches"]) {
    assert((figureAt(figures, `hundred.${path}`)?.min ?? 0) > 0, `${path} is in ${text}`);
  }
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, text);
    const table = await bench("--table", file);
    assertStringIncludes(table, "| 11 | restart beside 100: writes ");
    assertStringIncludes(table, "Measured with other sizes than the goals': hundred 2");
  } finally {
    await Deno.remove(file);
  }
});

Deno.test({
  name: "memoryOf() has a peak that resetPeak() brings down to what there is",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const buffer = new ArrayBuffer(64 * 2 ** 20);
    new Uint8Array(buffer).fill(1);
    buffer.transfer(0); // gives the memory back at once, without a garbage collector
    await resetPeak(Deno.pid);
    const { rssMiB, peakMiB } = await memoryOf(Deno.pid);
    assert(peakMiB - rssMiB < 16, `${peakMiB} MiB at most, ${rssMiB} MiB now`);
  },
});
