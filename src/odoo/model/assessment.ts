/**
 * The answers that a decision needs, each computed once by assess() (src/odoo/machine/assess.ts). An {@linkcode Assessment} is
 * a world with these answers: guards, conditions and planners take it, and compute none of them again.
 *
 * A function that computes an answer states which others it needs: `Assessed<"facts" | "outcome">` is a world that has these.
 */
import type { Stored } from "../../kit/types.ts";
import type { VolumeSnapshot } from "../../kit/builders/kinds.ts";
import type { JobRequest, Phase } from "../crd/mod.ts";
import type { CopyStep } from "./operations/copy/copy_steps.ts";
import type { Report } from "./operations/reports/report.ts";
import type { PhaseChange } from "./plan.ts";
import type { Problem } from "./problem.ts";
import type { KnownClusterFacts } from "./postgres/database.ts";
import type { ChosenCluster, PodTroubles, SourceInstance, World } from "./world.ts";

/** What follows from the world alone. */
export interface Facts {
  /** What is wrong with the spec, the clusters Secret or its login. */
  readonly configurationProblem: Problem | undefined;
  /** Role, database, Secrets and volume exist and belong to the instance. */
  readonly isProvisioned: boolean;
  /** The inventory is known and lacks a database that was initialized. */
  readonly isDatabaseMissing: boolean;
  /** Web pods that the spec asks for; unknown while the spec cannot be resolved. */
  readonly wantedReplicas: number | undefined;
  /** Web pods that serve. */
  readonly readyReplicas: number;
  /** The step of the operation in progress, if it consists of steps. */
  readonly copyStep: CopyStep | undefined;
  /** The Job of the step in progress has succeeded; steps without a Job are judged otherwise. */
  readonly isStepDone: boolean;
  /** The inventory of the cluster that the instance is on, if databases can be renamed there now. */
  readonly reachableInventory: KnownClusterFacts | undefined;
  /** Databases or directories are being swapped: nothing may be served. */
  readonly isSwapping: boolean;
  /** The data is served while a copy is prepared. */
  readonly servesBesideCopy: boolean;
  /** The refresh of another instance that reads this instance's data now: nothing may replace the data. */
  readonly reader: JobRequest | undefined;
  /** A Job of the instance is active, or a pod of a deleted one has not ended. */
  readonly isJobRunning: boolean;
  /** A Job of operator 2.5.0 is active. */
  readonly isUpstreamJobRunning: boolean;
  /** Pods that must be gone before the next Job exist, or may exist. */
  readonly arePodsEnding: boolean;
  /** The pod that the operation waits for to end. */
  readonly endingProblem: Problem | undefined;
  /** Some object of the instance still has the form that operator 2.5.0 gave it. */
  readonly isAdopted: boolean;
  /** The database that a failed initialization of operator 2.5.0 left: nothing may be installed in it. */
  readonly unfinishedDatabase: string | undefined;
  /** Nothing may be installed now: over such a database, or while it is unknown whether there is one. */
  readonly forbidsInit: boolean;
  /** Why the pods of each purpose do not run. */
  readonly podProblems: PodTroubles;
  /** The version of Odoo that a Job last found in the image. */
  readonly odooVersion: string | undefined;
  /** The cluster that the spec names, if the database is on another one. */
  readonly targetCluster: string | undefined;
  /** What migrations have left on clusters that the instance does not use. */
  readonly migrationRemains: readonly MigrationRemains[];
  /** When a Job of a filestore migration that has not begun fails the migration: milliseconds since the epoch. */
  readonly migrationDeadlineMs: number | undefined;
  /** Why there is no Secret to pull images with. */
  readonly pullSecretProblem: Problem | undefined;
  /** Stuck pods are deleted now. */
  readonly retriesMounts: boolean;
  /** Of an instance that is being deleted: what has to be dropped where, and why that cannot be done now. */
  readonly deletion: DeletionFacts | undefined;
  /** Why a new instance does not request the copy of its production instance yet. */
  readonly firstSourceProblem: Problem | undefined;
}

/** What the deletion of an instance has to do in PostgreSQL. */
export interface DeletionFacts {
  /** Clusters that have its role and databases; empty if nothing was created, or all of it is retained. */
  readonly clusters: readonly ChosenCluster[];
  /** Why role and databases cannot be dropped now. */
  readonly obstacle: Problem | undefined;
}

/** Databases and roles of this instance on a cluster that it does not use. */
export interface MigrationRemains {
  readonly cluster: string;
  /** They are left by a move, or by an attempt that failed. */
  readonly after: "move" | "failure";
  readonly databases: readonly string[];
  /** Roles that own nothing: PostgreSQL refuses to drop the others. */
  readonly idleRoles: readonly string[];
}

/** What is kept of an instance that operator 2.5.0 created. */
export interface AdoptionState {
  /** Both Deployments stay as operator 2.5.0 created them. */
  readonly keepsPods: boolean;
  /** Pods or Jobs still need the ConfigMap of operator 2.5.0. */
  readonly keepsConfigMap: boolean;
  /** What the pods of operator 2.5.0 lack, by name. */
  readonly reasonsToRoll: readonly string[];
}

/** How the operation in progress stands. */
export type OperationOutcome =
  | { readonly state: "none" }
  | { readonly state: "running" }
  /** `message` and `summary` are those of its Job. */
  | { readonly state: "succeeded"; readonly message?: string; readonly summary?: Report["fields"] }
  | { readonly state: "failed"; readonly reason: string; readonly message: string; readonly log?: string }
  /** The object that requested it was deleted before its end. */
  | { readonly state: "cancelled" };

/** How the migration in progress stands; both migrations have these states. */
export type MigrationOutcome =
  /** No migration is in progress. */
  | { readonly state: "none" }
  | { readonly state: "running" }
  /** The copy can be switched to (database), or all that can be copied while pods serve has been (filestore). */
  | { readonly state: "copied" }
  /** The copy has been compared, and takes the place of the data with the next status. */
  | { readonly state: "succeeded"; readonly summary: Report["fields"] }
  | { readonly state: "failed"; readonly reason: string; readonly message: string }
  /** The spec does not ask for it any more. */
  | { readonly state: "withdrawn" };

/** Whether the spec asks for a migration. */
export interface MigrationRequest {
  /** The cluster or storage class that the spec names, if the data is on another one. */
  readonly target: string | undefined;
  /** The last attempt failed, and nothing that it depends on has changed since. */
  readonly isRefused: boolean;
  /** Why it does not begin; `undefined` if it may. */
  readonly obstacle: Problem | undefined;
}

/** What is to be done in the step `snapshot` of a refresh. */
export type SnapshotWork =
  /** Nothing, until then or until something changes. Milliseconds since the epoch. */
  | { readonly next: "wait"; readonly untilMs: number }
  | { readonly next: "snapshot"; readonly source: SourceInstance; readonly snapshotClass: string }
  | { readonly next: "claim"; readonly source: SourceInstance; readonly snapshot: Stored<VolumeSnapshot> }
  /** The temporary claim exists, and its volume, unless that waits for a pod. */
  | { readonly next: "done" }
  /** The files are copied one by one instead. */
  | { readonly next: "copy"; readonly problem: Problem }
  | { readonly next: "fail"; readonly problem: Problem };

/** How far a copy has replaced the data. */
export interface SwapState {
  /** What was swapped must be swapped back: its request is gone, or the rest cannot be done. */
  readonly mustReturn: boolean;
  /** The databases are swapped in this decision. */
  readonly swapsNow: boolean;
  /** All is as it was before the swap, in the volume and in PostgreSQL. */
  readonly hasReturned: boolean;
  /** Why the directories could not be swapped, with the last lines of the Job's log. */
  readonly failure: (Problem & { readonly log?: string }) | undefined;
}

/** A request that has not ended. */
export interface OpenRequest {
  readonly request: Stored<JobRequest>;
  /** Why it can never be executed. */
  readonly refusal: Problem | undefined;
  /** What it waits for, beside the requests before it. */
  readonly obstacle: Problem | undefined;
  /** What a refresh waits for at the instance that it copies. */
  readonly sourceObstacle: Problem | undefined;
  /** When it is due, in milliseconds since the epoch; absent: at once. */
  readonly dueMs: number | undefined;
}

/** The requests of the instance that have not ended. */
export interface RequestQueue {
  /** All of them, oldest first. */
  readonly open: readonly OpenRequest[];
  /** In the order of execution: those that have begun, then the oldest. */
  readonly pending: readonly OpenRequest[];
  /** The first that can be executed now. */
  readonly next: Stored<JobRequest> | undefined;
  /** When the next scheduled one is due: milliseconds since the epoch. */
  readonly nextDueMs: number | undefined;
}

/** Every answer, in the order in which assess() computes them. */
export interface Answers {
  readonly facts: Facts;
  readonly adoption: AdoptionState;
  readonly migration: MigrationOutcome;
  readonly snapshot: SnapshotWork | undefined;
  readonly swap: SwapState;
  readonly outcome: OperationOutcome;
  readonly queue: RequestQueue;
  readonly migrations: { readonly database: MigrationRequest; readonly filestore: MigrationRequest };
  /** The phase after this decision. */
  readonly nextPhase: Phase;
  /** The row that leads out of the committed phase. */
  readonly change: PhaseChange | undefined;
}

/** A world with some of the answers. */
export type Assessed<K extends keyof Answers> = World & Pick<Answers, K>;

/** A world with all answers: the input of guards (but for the last two), conditions and planners. */
export type Assessment = World & Answers;
