/** The wall clock jumps by an hour under a running operator (libfaketime): nothing waits, and what is stamped is the new time. */
import { assert, assertEquals } from "@std/assert";
import { conditionOf, Deployment } from "../../src/kit/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { ensureSystemPackages } from "../../tools/system_packages.ts";
import { eventually } from "../support/eventually.ts";
import { startHistory } from "../support/history.ts";
import { type Rig, startRig } from "../support/rig.ts";
import { silence } from "../support/silence.ts";

/** As if nobody had touched the clock. */
const USUAL_MS = 5_000;
const HOUR_MS = 3_600_000;

let rig: Rig;
let offsetFile: string;

Deno.test.beforeAll(async () => {
  await ensureSystemPackages(["faketime"]);
  rig = await startRig({ operator: "later", ownPostgres: true });
  offsetFile = `${rig.cluster.directory}/clock-offset`;
  await setClock("+0");
  const settings = {
    LD_PRELOAD: await fakeTimeLibrary(),
    FAKETIME_TIMESTAMP_FILE: offsetFile,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1", // a person sets the wall clock only
  };
  const env = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  await rig.start({ command: ["env", ...env, Deno.execPath(), "run", "-A", "main.ts"] });
});
Deno.test.afterAll(() => rig?.stop());

async function fakeTimeLibrary(): Promise<string> {
  const { stdout } = await new Deno.Command("faketime", { args: ["-f", "+0", "printenv", "LD_PRELOAD"] }).output();
  return new TextDecoder().decode(stdout).trim();
}

async function setClock(offset: string): Promise<void> {
  await Deno.writeTextFile(offsetFile, `${offset}\n`);
}

for (const offset of ["+1h", "-1h"]) {
  Deno.test(`a clock that jumps to ${offset} makes nobody wait, stamps the new time, and leads nobody back`, async () => {
    const namespace = await rig.namespace();
    await rig.create(namespace, "shop");
    await rig.inPhase(namespace, "shop", "Running");
    await using history = await startHistory(rig.client, namespace);
    await rig.cluster.postgres.stop("immediate");
    await eventually("the outage is noticed", async () => {
      const { status } = await rig.client.get(OdooInstanceKind, { namespace, name: "shop" });
      return conditionOf(status?.conditions, "DatabaseReachable")?.status === "False";
    }, { timeoutMs: 15_000 });
    await setClock(offset);
    await rig.cluster.postgres.start();
    const fromMs = performance.now();
    await rig.client.patch(OdooInstanceKind, { namespace, name: "shop" }, [
      { op: "replace", path: "/spec/replicas", value: 2 },
    ]);
    await eventually("the edit is acted on", async () => {
      const { spec } = await rig.client.get(Deployment, { namespace, name: "shop" });
      return spec?.replicas === 2;
    });
    await rig.create(namespace, "new");
    const { status } = await rig.inPhase(namespace, "new", "Running");
    const tookMs = performance.now() - fromMs;
    assert(tookMs <= USUAL_MS, `${Math.round(tookMs)} ms`);
    const stamped = Date.parse(status?.conditions?.[0]?.lastTransitionTime ?? "") - Date.now();
    assert(Math.abs(stamped - (offset === "+1h" ? HOUR_MS : -HOUR_MS)) < 60_000, `stamped ${stamped} ms from now`);
    await history.upToDate();
    assertEquals([history.strangeSteps(), history.replicas("shop"), history.jobs.size], [[], [1, 2], 2]);
    await silence(rig);
    await setClock("+0");
  });
}
