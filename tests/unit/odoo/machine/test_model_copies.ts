/** TEST MODEL: whose data lies in which place, and what the effects and Jobs of restores and refreshes do to that. */
import { copyNames, databaseName } from "../../../../src/odoo/model/names.ts";
import { anInstance, INSTANCE_UID } from "../../../support/builders.ts";

/** Whose data it is. `part`: a copy that somebody was killed at. */
export type Origin = "empty" | "former" | "copy" | "part";

/** What lies under the three names that databases, and directories of files, can have. */
export interface Places {
  readonly live?: Origin;
  readonly side?: Origin;
  readonly old?: Origin;
}

/** Where all data is. */
export interface Stores {
  readonly databases: Places;
  readonly files: Places;
}

/** What a Job does. */
export type Work =
  | "init"
  | "other"
  | "load"
  | "loadDump"
  | "database"
  | "files"
  | "prepare"
  | "move"
  | "return"
  | "clean-new"
  | "clean-old";

/** All requests for a copy have it: there is one in a story, and its leftovers must be found when it is gone. */
export const COPY_UID = "copycopy";
/** Name of the request whose backup holds no files. */
export const DUMP = "dump";

const LIVE = databaseName(anInstance(), INSTANCE_UID);
const COPY = copyNames(LIVE, COPY_UID);
const NAMES: Readonly<Record<keyof Places, string>> = { live: LIVE, ...COPY };
const WORK = /^(.*?)-(?:.*-)?(load|database|files|prepare|move|return|clean-new|clean-old)(?:-\w+)?$/;

/** Name of the database in a place. */
export function databaseAt(place: keyof Places): string {
  return NAMES[place];
}

/** The place of a database. */
export function placeOf(database: string): keyof Places {
  const place = (["live", "side", "old"] as const).find((place) => NAMES[place] === database);
  if (!place) throw new Error(`Cannot find the place of database ${database}: no name in this model`);
  return place;
}

/** What the Job called `name` does, of a request of a kind. */
export function workOf(name: string, kind: string | undefined): Work {
  const [, request, step] = WORK.exec(name) ?? [];
  if (!step) return kind === "OdooInitJob" ? "init" : "other";
  return step === "load" && request === DUMP ? "loadDump" : step as Work;
}

/** Steps that come to the same end however often they are begun; all others are made once for a request. */
export function isRepeatable(work: Work): boolean {
  return /^(move|return|clean-)/.test(work);
}

/** After a Job that came to its end; `undefined` if what it works on is not there, so that it fails. */
export function workDone(stores: Stores, work: Work): Stores | undefined {
  const { databases, files } = stores;
  switch (work) {
    case "init":
      return databases.live &&
        { databases: { ...databases, live: "former" }, files: { ...files, live: "former" } };
    case "other":
      return databases.live && stores;
    case "load":
      return databases.side && { databases: { ...databases, side: "copy" }, files: { ...files, side: "copy" } };
    case "loadDump":
    case "database":
      return databases.side && { databases: { ...databases, side: "copy" }, files };
    case "files":
      return { databases, files: { ...files, side: "copy" } };
    case "prepare":
      return databases.side && stores;
    case "move": {
      const moved = movedIn(movedOut(files));
      return !moved.side && moved.live && moved.old ? { databases, files: moved } : undefined;
    }
    case "return":
      return files.old && files.live && files.side ? undefined : { databases, files: takenBack(takenOut(files)) };
    case "clean-new":
      return { databases, files: without(files, "side") };
    case "clean-old":
      return { databases, files: without(files, "old") };
  }
}

/** After a Job that was killed in the middle; `undefined` if that leaves no trace. */
export function workHalfDone(stores: Stores, work: Work): Stores | undefined {
  const { databases, files } = stores;
  switch (work) {
    case "load":
      return databases.side && { databases: { ...databases, side: "part" }, files: { ...files, side: "part" } };
    case "loadDump":
    case "database":
      return databases.side && { databases: { ...databases, side: "part" }, files };
    case "files":
      return { databases, files: { ...files, side: "part" } };
    case "move":
      return { databases, files: movedOut(files) };
    case "return":
      return { databases, files: takenOut(files) };
    default:
      return undefined;
  }
}

/** The databases after a swap, as sql_swap.ts has it; `undefined` if it refuses. */
export function swapped(databases: Places): Places | undefined {
  const { live, side, old } = databases;
  if (!side) return live === "copy" ? databases : undefined; // done before: a comment says so
  if (old) return undefined;
  return { ...(live ? { old: live } : {}), live: side };
}

/** The same for the way back. */
export function unswapped(databases: Places): Places | undefined {
  const { live, side, old } = databases;
  if (old) {
    if (!live) return { ...(side ? { side } : {}), live: old };
    return side ? undefined : { side: live, live: old };
  }
  if (!live) return databases;
  return side || live !== "copy" ? databases : { side: live };
}

/** One place less. */
export function without(places: Places, place: keyof Places): Places {
  const { [place]: _, ...rest } = places;
  return rest;
}

/** First step of swap_files.sh forward. */
function movedOut(files: Places): Places {
  const { live, side, old } = files;
  return side && !old ? { side, old: live ?? "empty" } : files;
}

function movedIn(files: Places): Places {
  const { live, side, old } = files;
  return side && !live ? { live: side, ...(old ? { old } : {}) } : files;
}

/** First step of swap_files.sh back. */
function takenOut(files: Places): Places {
  const { live, side, old } = files;
  return old && live && !side ? { side: live, old } : files;
}

function takenBack(files: Places): Places {
  const { live, side, old } = files;
  return old && !live ? { live: old, ...(side ? { side } : {}) } : files;
}
