/** Asks what the cluster says of a StorageClass and of snapshots: two requests, only while a decision depends on them. */
import {
  ApiError,
  isNotFound,
  type ReconcileContext,
  StorageClass,
  type Stored,
  VolumeSnapshotClass,
} from "../../../kit/mod.ts";
import type { StorageFacts } from "../../model/world.ts";
import { storageToAsk } from "../../model/operations/copy/storage_question.ts";
import type { World } from "../../model/world.ts";

const FORBIDDEN = 403;

/** Clusters have a handful; with more, those that are not read are not used. */
const MOST_CLASSES = 500;

/** The answers; `undefined` if there is no reason to ask. */
export async function lookForStorage(
  world: World,
  context: Pick<ReconcileContext, "client" | "read" | "signal">,
): Promise<StorageFacts | undefined> {
  const name = storageToAsk(world);
  if (name === undefined) return undefined;
  try {
    const [storageClass, snapshotClasses] = await Promise.all([
      context.read(StorageClass, { name }),
      snapshotClassesOf(context),
    ]);
    return {
      storageClassName: name,
      ...(storageClass ? { storageClass } : {}),
      ...(snapshotClasses ? { snapshotClasses } : {}),
    };
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== FORBIDDEN) throw error;
    return { storageClassName: name, forbidden: error.message };
  }
}

/** `undefined` where the kind is not installed. */
async function snapshotClassesOf(
  { client, signal }: Pick<ReconcileContext, "client" | "signal">,
): Promise<readonly Stored<VolumeSnapshotClass>[] | undefined> {
  try {
    return (await client.list(VolumeSnapshotClass, { limit: MOST_CLASSES, signal })).items;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
