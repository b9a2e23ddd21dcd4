/**
 * Swaps of databases: what is found under three names → statements, nothing if all is as it should be, or what stands in the
 * way. Pure.
 *
 * The databases are closed first and their sessions ended; then they are renamed and opened in one transaction. So a crash
 * leaves them under their former names, maybe closed, or under their new ones. What distinguishes a completed swap from one that
 * was not, where there was no live database, is the comment of the new live one: it names the side that it came from.
 */
import { formatOwnership, parseOwnership } from "./database.ts";
import type { Findings, SwapFindings } from "./sql_inventory.ts";
import { foreign, grantToAdmin, sqlIdentifier, sqlLiteral, type Statement, type WritePlan } from "./sql_statements.ts";
import type { SwapDatabaseOptions, SwapWrite } from "./sql_writes.ts";

/** What is to be sent, or why nothing is: something is not this owner's, or stands in the way. */
export type SwapPlan = WritePlan | Conflict;

/** Why databases cannot be renamed. */
interface Conflict {
  readonly conflict: string;
}

/** Where the live database came from. */
interface Origin {
  readonly side: string;
  /** The former live database; absent: there was none. */
  readonly old?: string;
}

/** Renames that belong together, and what else becomes true with them. */
interface Renaming {
  readonly names: readonly (readonly [from: string, to: string])[];
  /** Opened for everybody who may connect. */
  readonly open: readonly string[];
  /** Database → its new comment. */
  readonly comments: Readonly<Record<string, string>>;
}

/** The statements of a swap, or of its rollback. */
export function planSwap(found: SwapFindings, write: SwapWrite): SwapPlan {
  const problem = problemOf(found, write);
  if (problem) return problem;
  const plan = write.type === "swapDatabase" ? swap(found, write) : unswap(found, write);
  if ("conflict" in plan) return plan;
  return statements(found, write, plan);
}

function swap({ live, side, old }: SwapFindings, write: SwapDatabaseOptions): Renaming | Conflict {
  const { ownership: { uid } } = write;
  if (!side.databaseFound) {
    if (live.databaseFound && originOf(live)?.side === write.side) return reopening(live, write);
    return { conflict: `there is no database ${quoted(write.side)}` };
  }
  if (old.databaseFound) {
    return { conflict: `database ${quoted(write.old)} exists already: it may hold data that is still needed` };
  }
  const origin = { side: write.side, ...(live.databaseFound ? { old: write.old } : {}) };
  return {
    names: [...(live.databaseFound ? [[write.live, write.old] as const] : []), [write.side, write.live]],
    open: [write.live],
    comments: { [write.live]: formatOrigin(uid, origin) },
  };
}

function unswap(
  { live, side, old }: SwapFindings,
  write: SwapDatabaseOptions,
): Renaming | Conflict {
  const { ownership: { uid } } = write;
  const back = {
    names: [[write.live, write.side]] as const,
    open: [write.side],
    comments: { [write.side]: formatOwnership({ uid }) },
  };
  if (old.databaseFound) {
    if (!live.databaseFound) return { names: [[write.old, write.live]], open: [write.live], comments: {} };
    if (side.databaseFound) {
      return { conflict: `databases ${[write.live, write.side, write.old].map(quoted).join(", ")} are all there` };
    }
    return { ...back, names: [...back.names, [write.old, write.live]], open: [...back.open, write.live] };
  }
  if (!live.databaseFound) {
    if (side.databaseFound) return reopening(side, { ...write, live: write.side });
    return { names: [], open: [], comments: {} }; // both are lost: nothing is left to be put back
  }
  const origin = originOf(live);
  if (side.databaseFound || origin?.side !== write.side) return reopening(live, write);
  if (origin.old !== undefined) {
    return { conflict: `database ${quoted(origin.old)} does not exist any more: no rollback is possible` };
  }
  return back;
}

/** Nothing to rename; an interrupted swap may only have left the databases closed. */
function reopening(found: Findings, { live }: SwapDatabaseOptions): Renaming {
  return { names: [], open: found.databaseClosed ? [live] : [], comments: {} };
}

function statements(found: SwapFindings, write: SwapWrite, { names, open, comments }: Renaming): Statement[] {
  const from = names.map(([name]) => name);
  const isOurs = (uid: string | undefined) => uid === write.ownership.uid;
  const readers = found.sessions.filter(({ role, comment }) =>
    role !== write.role && isOurs(parseOwnership(comment)?.uid)
  );
  const members = [write.role, ...readers.map(({ role }) => role)].flatMap((role) => grantToAdmin(found.live, role));
  const closing = from.map((name) => `alter database ${sqlIdentifier(name)} allow_connections false`);
  const ending = `select pg_terminate_backend(pid) from pg_stat_activity where datname in (${
    from.map(sqlLiteral).join(", ")
  })`;
  const renaming = [
    ...names.map(([name, to]) => `alter database ${sqlIdentifier(name)} rename to ${sqlIdentifier(to)}`),
    ...open.map((name) => `alter database ${sqlIdentifier(name)} allow_connections true`),
    ...Object.entries(comments).map(([name, text]) =>
      `comment on database ${sqlIdentifier(name)} is ${sqlLiteral(text)}`
    ),
  ];
  if (renaming.length === 0) return [];
  return [
    ...members.map((text) => ({ text })),
    ...(names.length ? [{ text: closing.join("; ") }, { text: ending }] : []),
    { text: renaming.join("; ") },
  ];
}

/** What keeps the databases from being touched at all. */
function problemOf(found: SwapFindings, write: SwapWrite): SwapPlan | undefined {
  const { role, ownership: { uid } } = write;
  if (parseOwnership(found.live.roleComment)?.uid !== uid) return foreign("role", role);
  for (const place of ["live", "side", "old"] as const) {
    const { databaseFound, databaseOwner, halfDropped } = found[place];
    if (databaseFound && databaseOwner !== role) return foreign("database", write[place]);
    if (databaseFound && halfDropped) return { conflict: `database ${quoted(write[place])} was half dropped` };
  }
  const stranger = found.sessions.find((session) =>
    !session.endable && session.role !== role && parseOwnership(session.comment)?.uid !== uid
  );
  if (!stranger) return undefined;
  return { conflict: `role ${quoted(stranger.role)} is connected to it, whose sessions the administrator may not end` };
}

function formatOrigin(uid: string, { side, old }: Origin): string {
  return JSON.stringify({ ...JSON.parse(formatOwnership({ uid })), side, ...(old === undefined ? {} : { old }) });
}

function originOf({ databaseComment }: Findings): Origin | undefined {
  if (!databaseComment || !parseOwnership(databaseComment)) return undefined;
  const { side, old }: Readonly<Record<string, unknown>> = JSON.parse(databaseComment);
  if (typeof side !== "string") return undefined;
  return { side, ...(typeof old === "string" ? { old } : {}) };
}

function quoted(name: string): string {
  return JSON.stringify(name);
}
