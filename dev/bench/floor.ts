/** Resident memory of a program that only stands where the operator stands (dev/memory_floor.ts, bundled like it). */
import { API_VERSION, PLURALS } from "../../src/odoo/api.ts";
import { memoryOf } from "../measure.ts";
import { bundleProgram, LIKE_COMPILED } from "./bundle.ts";
import type { BenchRig } from "./rig.ts";

/** Paths of as many kinds as the operator watches. */
const WATCHES: readonly string[] = [
  `/apis/${API_VERSION}/${PLURALS.OdooInstance}`,
  `/apis/${API_VERSION}/${PLURALS.OdooInitJob}`,
  ...["secrets", "configmaps", "services", "persistentvolumeclaims", "pods", "namespaces"].map((kind) =>
    `/api/v1/${kind}`
  ),
  "/apis/apps/v1/deployments",
  "/apis/batch/v1/jobs",
  "/apis/networking.k8s.io/v1/ingresses",
  "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
];

/** After this its first lists are forgotten. */
const SETTLED_MS = 10_000;

/** The floor in MiB; `null` for operators of another making, and where nothing can log in as a pod does. */
export async function measureFloor(rig: BenchRig): Promise<number | null> {
  const { cluster, group, pod } = rig;
  if (!rig.isOurs || !pod) return null;
  const program = `${cluster.directory}/memory_floor.js`;
  await bundleProgram("dev/memory_floor.ts", program);
  const floor = await group.spawn({
    name: "memory-floor",
    command: LIKE_COMPILED[0] ?? "",
    args: [...LIKE_COMPILED.slice(1), program],
    env: {
      BASE_URL: cluster.baseUrl,
      TOKEN: pod.token,
      CA_CERT: cluster.caPem,
      WATCHES: WATCHES.join(","),
      DATABASE_URL: cluster.postgres.adminUrl,
    },
  });
  await rig.pause(SETTLED_MS);
  if (floor.exit) throw new Error(`Cannot measure the floor: ${await floor.logTail()}`);
  const { rssMiB } = await memoryOf(floor.pid);
  await floor.end();
  return rssMiB;
}
