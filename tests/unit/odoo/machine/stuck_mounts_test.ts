import { assertEquals } from "@std/assert";
import type { Pod } from "../../../../src/kit/builders/kinds.ts";
import type { Stored } from "../../../../src/kit/types.ts";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import type { World } from "../../../../src/odoo/model/world.ts";
import { aDeployment, aWorld, NOW, type WorldOverrides } from "../../../support/builders.ts";

const POD: Stored<Pod> = { metadata: { name: "shop-1", namespace: "blue", uid: "uid-of-pod", resourceVersion: "1" } };
const STUCK = { observed: { web: aDeployment("shop", { ready: 0 }), stuckPods: [{ pod: POD, message: "It waits" }] } };

function starting(lastMountRetryTime?: string): WorldOverrides {
  return { phase: "Starting", ...STUCK, status: lastMountRetryTime ? { lastMountRetryTime } : {} };
}

/** Worlds in which a pod waits for a volume, and whether it is deleted. */
const WORLDS: Readonly<Record<string, { readonly given: WorldOverrides; readonly want: boolean }>> = {
  "the instance starts": { given: starting(), want: true },
  "the last time is five minutes ago": { given: starting("2026-11-21T03:55:00Z"), want: true },
  "the last time is less than five minutes ago": { given: starting("2026-11-21T03:55:01Z"), want: false },
  "it was this very moment": { given: starting("2026-11-21T04:00:00Z"), want: false },
  "the last time is far ahead, by a clock that was wrong": { given: starting("2027-01-01T00:00:00Z"), want: true },
  "the last time is none": { given: starting("yesterday"), want: true },
  "other pods serve": { given: { ...STUCK, phase: "Degraded" }, want: false },
  "the instance runs": { given: { ...STUCK, phase: "Running" }, want: false },
};

for (const [sentence, { given, want }] of Object.entries(WORLDS)) {
  Deno.test(`decide() ${want ? "deletes a stuck pod, and tells" : "deletes no stuck pod"} when ${sentence}`, () => {
    const world: World = aWorld(given);
    const { effects } = decide(world);
    assertEquals(effects.flatMap((effect) => effect.type === "deletePod" ? [effect.pod] : []), want ? [POD] : []);
    const told = effects.filter((effect) => effect.type === "event" && effect.reason === "StuckPodDeleted");
    assertEquals(told.length, want ? 1 : 0);
    const status = effects.find(({ type }) => type === "status");
    const { lastMountRetryTime } = status?.type === "status" ? status.status : {};
    assertEquals(
      lastMountRetryTime === "2026-11-21T04:00:00Z",
      want || given.status?.lastMountRetryTime === "2026-11-21T04:00:00Z",
    );
  });
}

Deno.test("decide() has the time in the status before it deletes a stuck pod", () => {
  const types = decide(aWorld(starting())).effects.map(({ type }) => type);
  assertEquals(types.indexOf("status") < types.indexOf("deletePod"), true);
  assertEquals(aWorld(starting()).now, NOW);
});
