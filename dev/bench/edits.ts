/** Edits of instances, and how long their answer takes: the web Deployment has as many replicas as the instance says. */
import { Deployment, messageOf } from "../../src/kit/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { type BenchRig, NAMESPACE } from "./rig.ts";

/** Nobody waits longer; an edit without an answer counts as so long. */
const PATIENCE_MS = 600_000;

/** Between two looks at a Deployment. */
const LOOK_MS = 10;

/**
 * Edits these instances one after the other, each when the one before serves with as many pods; milliseconds from the
 * request to the answer, seen by the bench's watch. The time of the edit's own request is in them.
 */
export async function editEach(rig: BenchRig, names: readonly string[]): Promise<number[]> {
  const times: number[] = [];
  for (const name of names) {
    rig.signal.throwIfAborted();
    const wanted = other(rig.seen.replicas.get(name));
    const sentMs = performance.now();
    await setReplicas(rig, name, wanted);
    await rig.seen.until(() => rig.seen.replicas.get(name) === wanted, PATIENCE_MS);
    times.push(performance.now() - sentMs);
    await rig.seen.until(() => rig.seen.serving.get(name) === wanted, PATIENCE_MS);
  }
  return times;
}

/**
 * Lets `fault` happen, edits the instance at once, and asks for the Deployment again and again: where watches break, the
 * bench's own break, too. An edit that is refused is tried again. Milliseconds from the end of `fault` to the answer.
 */
export async function editAfter(rig: BenchRig, name: string, fault: () => Promise<void> | void): Promise<number> {
  const wanted = other(await replicasOf(rig, name));
  await fault();
  const startedMs = performance.now();
  const elapsedMs = () => performance.now() - startedMs;
  let isEdited = false;
  let last = "";
  while (elapsedMs() < PATIENCE_MS) {
    try {
      if (!isEdited) await setReplicas(rig, name, wanted);
      isEdited = true;
      if (await replicasOf(rig, name) === wanted) return elapsedMs();
    } catch (error) {
      if (messageOf(error) !== last) rig.say(`  ${last = messageOf(error)}`); // the server is on its way up
    }
    await rig.pause(LOOK_MS);
  }
  return PATIENCE_MS;
}

async function setReplicas({ client }: BenchRig, name: string, value: number): Promise<void> {
  await client.patch(OdooInstanceKind, { name, namespace: NAMESPACE }, [{ op: "add", path: "/spec/replicas", value }]);
}

async function replicasOf({ client }: BenchRig, name: string): Promise<number | undefined> {
  return (await client.get(Deployment, { name, namespace: NAMESPACE })).spec?.replicas;
}

/** One pod more, or one less: an edit that is answered by one write. */
function other(replicas: number | undefined): number {
  return replicas === 1 ? 2 : 1;
}
