import { assertEquals } from "@std/assert";
import { AuditLog, matchingLines, secondsIn } from "../../../dev/measure.ts";

interface Line {
  readonly verb: string;
  readonly resource: string;
  readonly user?: string;
  readonly stage?: string;
  readonly second: number;
}

function logged({ verb, resource, user = "operator", stage = "ResponseComplete", second }: Line): string {
  const stageTimestamp = new Date(second * 1000).toISOString();
  return `${JSON.stringify({ verb, stage, stageTimestamp, user: { username: user }, objectRef: { resource } })}\n`;
}

async function withFile(text: string, run: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, text);
    await run(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("AuditLog.since() counts the requests of all names of the operator, watches by their beginning, and no others'", async () => {
  const early = logged({ verb: "create", resource: "jobs", second: 1 });
  const lines = [
    { verb: "patch", resource: "deployments", second: 2 },
    { verb: "patch", resource: "deployments", user: "system:pod", second: 3 },
    { verb: "watch", resource: "jobs", stage: "ResponseStarted", second: 4 },
    { verb: "get", resource: "operator", user: "somebody", second: 5 },
    { verb: "watch", resource: "jobs", second: 6 },
  ];
  await withFile(early + lines.map(logged).join(""), async (path) => {
    const audit = new AuditLog(path, "operator", "system:pod");
    assertEquals(await audit.since(early.length), {
      requests: 2,
      watches: 1,
      writes: 2,
      byKind: { "patch deployments": 2 },
      lastAtMs: 4000,
    });
    assertEquals((await audit.since(await audit.mark())).lastAtMs, undefined);
  });
});

Deno.test("matchingLines() counts lines", async () => {
  await withFile("a b\na\nb a a\n", async (path) => {
    assertEquals(await matchingLines(path, /a/), 3);
    assertEquals(await matchingLines(path, /a(?! b)/), 2);
  });
});

Deno.test("secondsIn() reads the times of a process whose name has spaces and brackets, with and without its children", () => {
  const stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 2 3 4 150 25 1000 2000 20 0 1 0";
  assertEquals(secondsIn(stat), 31.75);
  assertEquals(secondsIn(stat, 2), 1.75);
});
