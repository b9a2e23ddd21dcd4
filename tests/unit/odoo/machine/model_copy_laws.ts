/** TEST MODEL: what is true of restores and refreshes, whatever happens around them. */
import type { Plan } from "../../../../src/odoo/model/plan.ts";
import { type ModelState } from "./test_model.ts";
import { databaseAt, DUMP, placeOf, swapped, unswapped, type Work } from "./test_model_copies.ts";
import { flattened } from "../../../support/flat_effects.ts";

export const COPY_MOMENT_LAWS: Readonly<Record<string, (state: ModelState, plan: Plan) => boolean>> = {
  "keeps the former database until the copy has its place": ({ status, databases, spent, ...state }) =>
    isOver(state) || !status.dbInitialized || spent.some((event) => event.startsWith("lost")) ||
    databases.live === "copy" || Object.values(databases).includes("former"),
  "keeps the former files until the copy has its place": ({ status, databases, files, spent, ...state }) =>
    isOver(state) || !status.dbInitialized || isWithdrawnAtTheLast(spent) || Object.values(files).includes("former") ||
    files.live === "copy" && (databases.live === "copy" || spent.includes("lost")) ||
    !("live" in files) && databases.live === "copy",
  "lets no pod meet a database and files that do not belong together": (state) =>
    !hasPods(state) || belongTogether(state),
  "serves no half of a copy, and no empty database": ({ databases, files, status }) =>
    databases.live !== "part" && files.live !== "part" && (databases.live !== "empty" || !status.dbInitialized),
  "lets no two Jobs or their last pods work at the same time": ({ jobs, orphans }) =>
    jobs.filter(({ state }) => state === "active").length + orphans.length <= 1,
  "calls a copy complete when it has the place, and failed when it has not": (state) =>
    isOver(state) || state.spent.includes("lost") || state.requests.every((request) => {
      if (request.kind !== "OdooRestoreJob" && request.kind !== "OdooStagingRefreshJob") return true;
      const { databases, files } = state;
      switch (request.status?.phase) {
        case "Completed":
          return databases.live === "copy" && (files.live === "copy" || request.name === DUMP);
        case "Failed":
          return databases.live !== "copy" && files.live !== "copy";
        default:
          return true;
      }
    }),
  "drops what was replaced only while its successor is served": ({ databases, status, deleting }, { effects }) =>
    deleting ||
    flattened(effects).every((effect) =>
      effect.type !== "dropDatabase" || placeOf(effect.database) === "side" ||
      placeOf(effect.database) === "old" && databases.live !== undefined && status.phase === "Running"
    ),
  "lets pods go before databases change places": ({ web, cron, ending, databases }, { effects }) =>
    !web?.replicas && !cron?.replicas && ending.length === 0 || flattened(effects).every(({ type }) => {
      if (type !== "swapDatabase" && type !== "unswapDatabase") return true;
      return (type === "swapDatabase" ? swapped : unswapped)(databases) === databases; // nothing is renamed
    }),
};

/** What a rest is like, of an instance that is seen. */
export const COPY_CALM_LAWS: Readonly<Record<string, (calm: ModelState) => boolean>> = {
  "leaves nothing of a copy behind": ({ status, databases, files, jobs, spent, ...state }) => {
    if (isOver(state) || state.postgres !== "answers" || !state.wish.valid || status.operation) return true;
    if (!databases.live) return true; // what was replaced may be all that is left
    // Files whose database was lost have nothing that tells of them but the one Job that removes them. While PostgreSQL does
    // not answer, former ones get none: to serve the copy goes before.
    const isUntold = (place: "side" | "old", removal: Work) =>
      spent.includes(`${removal} lost`) || place === "old" && spent.some((event) => event.startsWith("lost"));
    const isLeft = (place: "side" | "old", removal: Work) =>
      place in databases || place in files && !isUntold(place, removal);
    const isWorking = jobs.some(({ state }) => state === "active");
    return !isWorking && !isLeft("side", "clean-new") &&
      (status.phase !== "Running" || !isLeft("old", "clean-old"));
  },
};

/** Whether a plan drops nothing but what a copy has left. */
export function dropsOnlyLeftovers({ effects }: Plan): boolean {
  return flattened(effects).every((effect) => effect.type !== "dropDatabase" || effect.database !== databaseAt("live"));
}

/**
 * The Job that removes former files without a database is made before its request is closed: a deletion between the two
 * loses them. To prevent that, something would have to remember them.
 */
function isWithdrawnAtTheLast(spent: readonly string[]): boolean {
  return spent.includes("lost before") && spent.includes("withdrawn");
}

function isOver({ deleting, gone }: Pick<ModelState, "deleting" | "gone">): boolean {
  return deleting || gone;
}

function hasPods({ web, cron, ending }: ModelState): boolean {
  return (web?.replicas ?? 0) > 0 || (cron?.replicas ?? 0) > 0 || ending.length > 0;
}

/** A copy of a dump has no files: those that were there are kept. */
function belongTogether({ databases, files, created }: ModelState): boolean {
  if (!databases.live || databases.live === "empty" || Object.keys(created).some((job) => job.startsWith(DUMP))) {
    return true;
  }
  return (databases.live === "copy") === (files.live === "copy");
}
