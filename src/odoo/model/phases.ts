/** What is true of each phase, as one row. A phase without a complete row does not compile. */
import type { Phase } from "../crd/mod.ts";

/**
 * How many pods a phase runs: as many as the spec says, none, as many as there are, as many as the spec says without any
 * other change of the pods, or as many as the spec says until a copy replaces the data.
 */
export type Scale = "spec" | "zero" | "keep" | "frozen" | "untilSwap";

/** What is true of a phase. */
export interface PhaseRow {
  readonly web: Scale;
  readonly cron: Scale;
  /** The instance leaves the phase by itself (condition Progressing). */
  readonly progressing: boolean;
  /** Shown in the status, unless there is a problem to report. */
  readonly message: string;
  /** Whether the instance can be Ready: `untilSwap` while a copy is prepared beside the data, `withPods` as soon as all serve. */
  readonly ready: "always" | "withPods" | "untilSwap" | "never";
  /** The pods without which the phase does not end: their problems are reported as the reason of Ready. */
  readonly awaits: "job" | "web" | "nothing";
  /** The pods that must have ended before a Job of the phase starts. */
  readonly evicts: "all" | "cron" | "none";
  /** The data is complete and stays so: a refresh of another instance may read it. */
  readonly isReadable: boolean;
  /** No operation and no initial provisioning is in progress: objects that are no longer needed may be removed. */
  readonly isSettled: boolean;
  /** What admission refuses to change, because the data is being read or written where it is. */
  readonly locks: "cluster and storage class" | "cluster" | "nothing";
}

const SETTLED = { isSettled: true, isReadable: true, evicts: "none", locks: "nothing" } as const;

export const PHASES = {
  Provisioning: {
    web: "keep",
    cron: "keep",
    progressing: true,
    message: "Creating role, database, volume and routes",
    ready: "never",
    awaits: "nothing",
    evicts: "none",
    isReadable: false,
    isSettled: false,
    locks: "nothing",
  },
  Uninitialized: {
    web: "zero",
    cron: "zero",
    progressing: false,
    message: "Waiting for a job that fills the database: create an OdooInitJob, or set spec.init.enabled",
    ready: "never",
    awaits: "nothing",
    evicts: "none",
    isReadable: false,
    isSettled: false,
    locks: "cluster and storage class",
  },
  Initializing: {
    web: "zero",
    cron: "zero",
    progressing: true,
    message: "Installing the first modules",
    ready: "never",
    awaits: "job",
    evicts: "all",
    isReadable: false,
    isSettled: false,
    locks: "nothing",
  },
  InitFailed: {
    web: "zero",
    cron: "zero",
    progressing: false,
    message: "The instance has no data: create a new OdooInitJob or OdooRestoreJob to try again",
    ready: "never",
    awaits: "nothing",
    evicts: "none",
    isReadable: false,
    isSettled: false,
    locks: "nothing",
  },
  Starting: {
    ...SETTLED,
    web: "spec",
    cron: "spec",
    progressing: true,
    message: "Waiting for the web pods",
    ready: "never",
    awaits: "web",
  },
  Running: {
    ...SETTLED,
    web: "spec",
    cron: "spec",
    progressing: false,
    message: "All web pods serve",
    ready: "always",
    awaits: "nothing",
  },
  Degraded: {
    ...SETTLED,
    web: "spec",
    cron: "spec",
    progressing: false,
    message: "Some web pods do not serve",
    ready: "never",
    awaits: "web",
  },
  Stopped: {
    ...SETTLED,
    web: "zero",
    cron: "zero",
    progressing: false,
    message: "Stopped: spec.replicas is 0",
    ready: "never",
    awaits: "nothing",
  },
  Upgrading: {
    web: "frozen",
    cron: "zero",
    progressing: true,
    message: "Updating modules; the web pods go on serving the old code",
    ready: "never",
    awaits: "job",
    evicts: "cron",
    isReadable: false,
    isSettled: false,
    locks: "cluster and storage class",
  },
  Restoring: {
    web: "untilSwap",
    cron: "untilSwap",
    progressing: true,
    message: "Restoring a backup; the present data is served until the copy is verified",
    ready: "untilSwap",
    awaits: "job",
    evicts: "none",
    isReadable: false,
    isSettled: false,
    locks: "cluster and storage class",
  },
  CloningFromSource: {
    web: "untilSwap",
    cron: "untilSwap",
    progressing: true,
    message: "Copying another instance; the present data is served until the copy is verified",
    ready: "untilSwap",
    awaits: "job",
    evicts: "none",
    isReadable: false,
    isSettled: false,
    locks: "nothing",
  },
  BackingUp: {
    web: "spec",
    cron: "spec",
    progressing: true,
    message: "Backing up; nothing else changes",
    ready: "withPods",
    awaits: "job",
    evicts: "none",
    isReadable: true,
    isSettled: false,
    locks: "cluster and storage class",
  },
  MigratingFilestore: {
    web: "spec",
    cron: "spec",
    progressing: true,
    message: "Copying the filestore to another storage class; the pods go on serving the present one",
    ready: "withPods",
    awaits: "nothing",
    evicts: "none",
    isReadable: false,
    isSettled: false,
    locks: "cluster and storage class",
  },
  FinalizingFilestoreMigration: {
    web: "zero",
    cron: "zero",
    progressing: true,
    message: "Comparing the copied filestore with the present one; then it is served",
    ready: "never",
    awaits: "job",
    evicts: "all",
    isReadable: false,
    isSettled: false,
    locks: "cluster and storage class",
  },
  MigratingDatabase: {
    web: "zero",
    cron: "zero",
    progressing: true,
    message: "Copying the database to another cluster",
    ready: "never",
    awaits: "job",
    evicts: "all",
    isReadable: false,
    isSettled: false,
    locks: "cluster",
  },
  FinalizingDatabaseMigration: {
    web: "zero",
    cron: "zero",
    progressing: true,
    message: "Switching to the copied database",
    ready: "never",
    awaits: "nothing",
    evicts: "none",
    isReadable: false,
    isSettled: false,
    locks: "cluster",
  },
  Error: {
    web: "keep",
    cron: "keep",
    progressing: false,
    message: "The instance cannot work as it is written",
    ready: "never",
    awaits: "nothing",
    evicts: "none",
    isReadable: false,
    isSettled: false,
    locks: "nothing",
  },
} as const satisfies Record<Phase, PhaseRow>;

/** The row of a phase. */
export function phaseRow(phase: Phase): PhaseRow {
  return PHASES[phase];
}
