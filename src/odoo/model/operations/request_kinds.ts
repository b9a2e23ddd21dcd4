/** What is true of each kind of request, as one row. A kind without a complete row does not compile. */
import type { JobRequest, Phase, RequestKind } from "../../crd/mod.ts";
import type { Assessed } from "../assessment.ts";
import { describeUnfinished } from "../instance/adoption.ts";
import type { Problem } from "../problem.ts";
import { orBase } from "../resolve.ts";
import { backupProblem } from "../s3/s3_location.ts";
import type { CopyStep } from "./copy/copy_steps.ts";
import { refreshObstacle, refreshProblem } from "./copy/refresh_source.ts";
import { describeBackup } from "./reports/backup_report.ts";
import { describeCopy } from "./reports/copy_report.ts";
import { describeInit } from "./reports/init_report.ts";
import { listed, type Report } from "./reports/report.ts";
import { describeUpgrade } from "./reports/upgrade_report.ts";
import { restoreProblem } from "./restore_source.ts";
import { upgradeProblem } from "./upgrade_request.ts";

/** Requests of one kind. */
export type RequestOf<K extends RequestKind> = Extract<JobRequest, { readonly kind?: K }>;

/** What is true of a kind of request. Methods are called with requests of that kind only. */
export interface RequestKindRow<R extends JobRequest = JobRequest> {
  /** The phase that executes it. */
  readonly phase: Phase;
  /** Prefix of its event reasons: InitStarted, InitFailed. */
  readonly event: string;
  /** In a sentence: "The … failed". */
  readonly noun: string;
  /** What it needs of the instance before it begins. */
  readonly needs: "an empty instance" | "data" | "nothing";
  /** The instance has data when it has been executed, whatever it had before. */
  readonly bringsData: boolean;
  /** It may begin while a refresh of another instance reads this one. */
  readonly mayMeetReader: boolean;
  /** Its Job reports which Odoo is in the image. */
  readonly reportsVersion: boolean;
  /** The first step of a request that prepares a copy; absent for one that consists of one Job. */
  readonly firstStep: CopyStep | undefined;
  /** Whether the copy has files of its own; otherwise the instance keeps its files. */
  copiesFiles(request: R): boolean;
  /** Why it can never be executed. */
  refusal(request: R, world: Assessed<"facts">): Problem | undefined;
  /** What it waits for, beside what all requests wait for. */
  obstacle(request: R, world: Assessed<"facts">): Problem | undefined;
  /** When it is due, in milliseconds since the epoch; absent: at once. */
  notBefore(request: R): number | undefined;
  /** What its Job was to do: follows "The Job ended before". */
  task(request: R): string;
  /** What its Job did, from the report's fields. */
  describe(fields: Report["fields"]): string | undefined;
}

const ONE_JOB = {
  firstStep: undefined,
  copiesFiles: () => false,
  obstacle: () => undefined,
  notBefore: () => undefined,
} as const;

const COPY = {
  needs: "nothing",
  bringsData: true,
  mayMeetReader: false,
  reportsVersion: true,
  notBefore: () => undefined,
  task: () => "its work was done", // each step has a task of its own
  describe: describeCopy,
} as const;

type Rows = { readonly [K in RequestKind]: RequestKindRow<RequestOf<K>> };

export const REQUEST_KIND_ROWS = {
  OdooInitJob: {
    ...ONE_JOB,
    phase: "Initializing",
    event: "Init",
    noun: "initialisation",
    needs: "an empty instance",
    bringsData: true,
    mayMeetReader: true,
    reportsVersion: true,
    refusal: (_, world) => initRefusal(world),
    obstacle: (_, { facts }) =>
      facts.forbidsInit
        ? { reason: "DatabaseUnknown", message: "Waiting until it is known what is in the database" }
        : undefined,
    task: ({ spec }) => `${listed(orBase(spec.modules))} could be installed`,
    describe: describeInit,
  },
  OdooUpgradeJob: {
    ...ONE_JOB,
    phase: "Upgrading",
    event: "Upgrade",
    noun: "upgrade",
    needs: "data",
    bringsData: false,
    mayMeetReader: false,
    reportsVersion: true,
    refusal: (request) => upgradeProblem(request).problem,
    notBefore: (request) => {
      const upgrade = upgradeProblem(request);
      return upgrade.problem ? undefined : upgrade.notBefore;
    },
    task: ({ spec }) => `${listed([...spec.modules ?? [], ...spec.modulesInstall ?? []])} could be upgraded`,
    describe: (fields) => fields.odoo === undefined ? undefined : describeUpgrade(fields),
  },
  OdooBackupJob: {
    ...ONE_JOB,
    phase: "BackingUp",
    event: "Backup",
    noun: "backup",
    needs: "data",
    bringsData: false,
    mayMeetReader: true,
    reportsVersion: false,
    refusal: (request, world) => backupProblem(request) ?? imageProblem(world),
    task: () => "the backup was complete",
    describe: describeBackup,
  },
  OdooRestoreJob: {
    ...COPY,
    phase: "Restoring",
    event: "Restore",
    noun: "restore",
    firstStep: "load",
    // Without a count of files they are swapped, or that fails: keeping the files of other data would be worse.
    copiesFiles: ({ spec, status }) => (spec.format ?? "zip") === "zip" && status?.summary?.unpackedFiles !== 0,
    refusal: (request, world) => restoreProblem(request) ?? imageProblem(world),
    obstacle: () => undefined,
  },
  OdooStagingRefreshJob: {
    ...COPY,
    phase: "CloningFromSource",
    event: "Refresh",
    noun: "refresh",
    firstStep: "database",
    copiesFiles: ({ spec }) => !spec.skipFilestore,
    refusal: (request, world) => refreshProblem(world, request),
    obstacle: (request, world) => refreshObstacle(world, request),
  },
} as const satisfies Rows;

/** All kinds of requests. */
export const REQUEST_KINDS = Object.keys(REQUEST_KIND_ROWS) as RequestKind[];

/** The kind of a request. Throws TypeError for an object without a kind, which no cache holds. */
export function requestKind(request: JobRequest): RequestKind {
  if (!request.kind) throw new TypeError("Cannot find out what a request asks for: it has no kind");
  return request.kind;
}

/** The row of a request's kind, whose methods take that request. */
export function rowOf(request: JobRequest): RequestKindRow {
  return REQUEST_KIND_ROWS[requestKind(request)];
}

/** Jobs that use S3 run the operator's own image. */
function imageProblem({ resolved }: Assessed<"facts">): Problem | undefined {
  if (!resolved || resolved.jobs.operatorImage) return undefined;
  return {
    reason: "OperatorImageUnknown",
    message:
      "The image of the operator is unknown: set the operator's flag --operator-image, or its variable OPERATOR_IMAGE",
  };
}

function initRefusal({ status, facts }: Assessed<"facts">): Problem | undefined {
  if (status.dbInitialized) {
    return { reason: "AlreadyInitialized", message: "The instance is initialised already: nothing was done" };
  }
  const { unfinishedDatabase: database } = facts;
  if (database === undefined) return undefined;
  return { reason: "DatabaseUnfinished", message: `${describeUnfinished(database)}: nothing was done` };
}
