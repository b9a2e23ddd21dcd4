import { assertEquals } from "@std/assert";
import { conditionOf } from "../../../../src/kit/conditions.ts";
import type { PendingNotification } from "../../../../src/odoo/crd/mod.ts";
import { decide } from "../../../../src/odoo/machine/decide.ts";
import { phaseNotification } from "../../../../src/odoo/model/network/notification.ts";
import { timestamp } from "../../../../src/kit/timestamp.ts";
import type { Delivery, World } from "../../../../src/odoo/model/world.ts";
import { aWorld, NOW } from "../../../support/builders.ts";

const WEBHOOK = { url: "https://hooks.example.com/a" };

/** All its pods are ready, and the phase does not say so yet. */
function becomingReady(
  pendingNotifications: readonly PendingNotification[],
  webhook: typeof WEBHOOK | null = WEBHOOK,
): World {
  return aWorld({ instance: { spec: { webhook } }, phase: "Starting", status: { pendingNotifications } });
}

function change(phase: string, minutesAgo: number): PendingNotification {
  return { phase, previousPhase: "Provisioning", time: timestamp(NOW - minutesAgo * 60_000) };
}

/** What is to be told afterwards, what is sent now, and what is said of the last telling. */
function told(world: World) {
  const { effects } = decide(world);
  const [status] = effects.flatMap((effect) => effect.type === "status" ? [effect.status] : []);
  const sent = effects.flatMap((effect) => effect.type === "notify" ? [effect.notification.id.split("/")[1]] : []);
  return {
    left: status?.pendingNotifications?.map(({ phase }) => phase),
    sent,
    reason: conditionOf(status?.conditions, "Notified")?.reason,
  };
}

function delivered(world: World, changes: readonly PendingNotification[], delivery: Delivery): World {
  const ids = changes.flatMap((change) => phaseNotification(world.instance, change)?.id ?? []);
  return { ...world, observed: { ...world.observed, deliveries: new Map(ids.map((id) => [id, delivery])) } };
}

Deno.test("decide() remembers a change of phase in the write that makes it, behind those that are not told yet", () => {
  assertEquals(told(becomingReady([change("Starting", 5)])), {
    left: ["Starting", "Running"],
    sent: ["Starting", "Running"],
    reason: undefined,
  });
});

Deno.test("decide() forgets a change of phase that the webhook was told of, and says so", () => {
  const [first, second] = [change("Degraded", 9), change("Starting", 5)];
  const world = delivered(becomingReady([first, second]), [first], { ok: true });
  assertEquals(told(world), { left: ["Starting", "Running"], sent: ["Starting", "Running"], reason: "Delivered" });
});

Deno.test("decide() forgets a change of phase that the webhook could not be told of, and says why", () => {
  const changes = [change("Degraded", 9), change("Starting", 5)];
  const world = delivered(becomingReady(changes), changes, {
    ok: false,
    reason: "Unreachable",
    message: "nobody is there",
  });
  assertEquals(told(world), { left: ["Running"], sent: ["Running"], reason: "Unreachable" });
});

Deno.test("decide() remembers no more than twenty changes of phase, the last ones", () => {
  const changes = Array.from({ length: 20 }, (_, index) => change(`Phase${index}`, 60 - index));
  const { left } = told(becomingReady(changes));
  assertEquals([left?.length, left?.[0], left?.at(-1)], [20, "Phase1", "Running"]);
});

Deno.test("decide() forgets a change of phase that it did not write", () => {
  assertEquals(told(becomingReady([{ ...change("Starting", 5), time: "yesterday" }])).left, ["Running"]);
});

Deno.test("decide() remembers no change of phase when there is nobody to tell", () => {
  assertEquals(told(becomingReady([change("Starting", 5)], null)), { left: undefined, sent: [], reason: undefined });
});
