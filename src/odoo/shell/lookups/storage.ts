/** Reads a StorageClass and the VolumeSnapshotClasses: two requests, only while a decision depends on them. */
import {
  ApiError,
  isNotFound,
  type ReconcileContext,
  StorageClass,
  type Stored,
  VolumeSnapshotClass,
} from "../../../kit/mod.ts";
import { storageToAsk } from "../../model/operations/copy/storage_question.ts";
import type { CachedWorld, StorageFacts } from "../../model/world.ts";
import { type Lookup, NOTHING_TO_ASK } from "./lookup.ts";

const FORBIDDEN = 403;

/** Clusters have a handful; classes beyond this number are not read and not used. */
const MOST_CLASSES = 500;

/** What the cluster says of the StorageClass that a refresh depends on, and of snapshots. */
export const storageLookup: Lookup<CachedWorld, StorageFacts> = {
  async ask(world, context) {
    const storageClassName = storageToAsk(world);
    if (storageClassName === undefined) return NOTHING_TO_ASK;
    try {
      const [storageClass, snapshotClasses] = await Promise.all([
        context.read(StorageClass, { name: storageClassName }),
        snapshotClassesOf(context),
      ]);
      return {
        facts: {
          storageClassName,
          ...(storageClass ? { storageClass } : {}),
          ...(snapshotClasses ? { snapshotClasses } : {}),
        },
      };
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== FORBIDDEN) throw error;
      return { facts: { storageClassName, forbidden: error.message } };
    }
  },
};

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
