/** Stage single: the start, one instance alone, and what a reconcile costs that has nothing to do. */
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { type Figures, summaryOf } from "./figures.ts";
import { measureFloor } from "./floor.ts";
import { createMany, removeMany } from "./population.ts";
import { type BenchRig, NAMESPACE, SLOW_PREFIX } from "./rig.ts";

const NAME = `${SLOW_PREFIX}one`;

/** A reconcile that wants to do something has done it after this. */
const TOUCH_MS = 5_000;

export async function measureSingle(rig: BenchRig): Promise<Figures> {
  const starts: number[] = [];
  while (starts.length < rig.sizes.times) starts.push(await rig.restart());
  await rig.untilQuiet();
  const mark = await rig.audit.mark();
  const connections = await rig.connectionsSoFar();
  const { seconds, notArrived } = await createMany(rig, [NAME]);
  await rig.untilQuiet();
  const { requests, byKind } = await rig.audit.since(mark);
  const postgresConnections = await rig.connectionsSoFar() - connections;
  const idleRssMiB = await rig.rssAtRestMiB();
  const noOp = await measureNoOp(rig);
  const floorRssMiB = await measureFloor(rig);
  await removeMany(rig, [NAME]);
  return {
    readyMs: summaryOf(starts),
    runningSeconds: seconds,
    notArrived,
    requests,
    byKind,
    postgresConnections,
    idleRssMiB,
    floorRssMiB,
    noOp,
  };
}

/** An annotation is a change that asks for nothing. */
async function measureNoOp(rig: BenchRig): Promise<Figures> {
  const mark = await rig.audit.mark();
  const connections = await rig.connectionsSoFar();
  await rig.client.patch(OdooInstanceKind, { name: NAME, namespace: NAMESPACE }, [{
    op: "add",
    path: "/metadata/annotations",
    value: { touched: "yes" },
  }]);
  await rig.pause(TOUCH_MS);
  const { requests } = await rig.audit.since(mark);
  return { requests, postgresConnections: await rig.connectionsSoFar() - connections };
}
