/** The instances of a bench: created at once, waited for, removed without a trace; and a population that only grows. */
import {
  type KubeObject,
  PersistentVolumeClaim as PersistentVolumeClaims,
  Pod as Pods,
  Service as Services,
} from "../../src/kit/mod.ts";
import type { OdooInstance } from "../../src/odoo/crd/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { round1 } from "./figures.ts";
import { inParallel } from "./parallel.ts";
import { type BenchRig, NAMESPACE } from "./rig.ts";

/** So many are being created or removed at the same time. */
const AT_ONCE = 300;

/** After this time what is not there has not arrived: more for many, ten minutes for 300. */
function patienceMs(count: number): number {
  return 60_000 + count * 1_800;
}

/** How it went. */
export type Arrival = {
  readonly arrived: number;
  readonly notArrived: number;
  readonly seconds: number;
};

/** Creates instances and waits until all run, or the time is over. */
export async function createMany(rig: BenchRig, names: readonly string[]): Promise<Arrival> {
  const { client, seen } = rig;
  const startedMs = performance.now();
  await inParallel(names, AT_ONCE, (name) =>
    client.create<OdooInstance>(OdooInstanceKind, {
      metadata: { name, namespace: NAMESPACE },
      spec: { adminPassword: "bench", ingress: { hosts: [`${name}.example.com`] } },
    }));
  const arrived = () => names.filter((name) => seen.current.get(name) === "Running").length;
  const deadline = performance.now() + patienceMs(names.length);
  while (arrived() < names.length && performance.now() < deadline) await rig.pause(10);
  return {
    arrived: arrived(),
    notArrived: names.length - arrived(),
    seconds: round1((performance.now() - startedMs) / 1000),
  };
}

/** Brings the population to `count`; how it went with those that were missing, and how many they were. */
export async function growTo(rig: BenchRig, count: number): Promise<Arrival & { readonly created: number }> {
  const missing = members(count).filter((name) => !rig.seen.current.has(name));
  if (missing.length > 0) rig.say(`  ${missing.length} instances come up`);
  return { created: missing.length, ...await createMany(rig, missing) };
}

/** Names of the first `count` of the population. */
export function members(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `shop-${index + 1}`);
}

/** How many instances run. */
export function runningNow({ seen }: BenchRig): number {
  return [...seen.current.values()].filter((phase) => phase === "Running").length;
}

/** Deletes instances and waits until nothing of them is left. */
export async function removeMany(rig: BenchRig, names: readonly string[]): Promise<void> {
  const { client, seen } = rig;
  await inParallel(names, AT_ONCE, (name) => client.delete(OdooInstanceKind, { name, namespace: NAMESPACE }));
  const left = () => names.filter((name) => seen.current.has(name)).length;
  const deadline = performance.now() + patienceMs(names.length);
  while (left() > 0) {
    if (performance.now() > deadline) throw new Error(`Cannot go on: ${left()} instances are still being deleted`);
    await rig.pause(50);
  }
  await untilCleared(rig, names);
}

/** Waits until the garbage collector and the volume controller have cleared away, too: their work is not the next round's. */
async function untilCleared(rig: BenchRig, names: readonly string[]): Promise<void> {
  const deadline = performance.now() + patienceMs(names.length);
  for (;;) {
    const lists = await Promise.all(
      [Pods, PersistentVolumeClaims, Services].map((type) =>
        rig.client.list<KubeObject>(type, { namespace: NAMESPACE })
      ),
    );
    const present = lists.flatMap(({ items }) => items.map(({ metadata }) => metadata.name));
    const left = present.filter((object) => names.some((name) => object === name || object.startsWith(`${name}-`)));
    if (left.length === 0) return;
    if (performance.now() > deadline) throw new Error(`Cannot go on: ${left.join(", ")} are still there`);
    await rig.pause(500);
  }
}
