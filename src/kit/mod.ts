/**
 * A small controller runtime for Kubernetes on Deno. Its terms:
 *
 * - A *kind* is a {@linkcode ResourceType}: a value that says where objects are served and what type they have.
 * - A *client* sends requests to the API server that an *access* describes.
 * - A *watch* lists a kind and then follows it; an *informer* keeps a *store* equal to it, with indexes.
 * - A *controller* reconciles the objects of a kind. Its *queue* holds the keys of changed objects, its *workers* reconcile.
 * - A *reconcile* gets an object and a *context*: it reads stores and applies the desired state. It may run at any time,
 *   any number of times, and ends in an *outcome*.
 * - A *manager* runs several controllers on shared caches; {@linkcode operator} is the short form for one controller.
 * - A *validator* accepts or refuses writes, behind an *admission server*.
 *
 * docs/kit.md is the guide.
 *
 * @module
 */

// Describing and running an operator
export { Operator, operator, type RunOptions } from "./operator.ts";
export { Manager, type ManagerOptions } from "./manager.ts";
export {
  type CleanUp,
  Controller,
  controller,
  type ControllerOptions,
  type ControllerTools,
  customResource,
  type GoneHandler,
  type MapTools,
  type Part,
  type PartTools,
  type PrimaryOptions,
  type Registration,
  type WatchKindOptions,
  type WorkOptions,
} from "./controller.ts";
export {
  type ApplyChildOptions,
  type ContextParts,
  type CustomObject,
  keyFromLabel,
  ReconcileContext,
  storeOf,
} from "./context.ts";
export { done, type Outcome, type Reconciler, requeue, Workers, type WorkersOptions } from "./workers.ts";
export {
  conditionsOf,
  type FailureReport,
  isOnlyReport,
  reasonOf,
  RECONCILED_REPORT,
  type ReportedCondition,
} from "./failure_report.ts";
export {
  addFinalizer,
  addFinalizerPatch,
  type FinalizerStep,
  finalizerStep,
  removeFinalizer,
  removeFinalizerPatch,
} from "./finalizer.ts";
export { appliedKeys, type FieldTakeover, fieldTakeoverPatch } from "./field_ownership.ts";
export { conditionOf, type ConditionState, setCondition, setConditions } from "./conditions.ts";
export { controllerReference, isCurrent, wasAppliedFor, withLastApplied } from "./apply.ts";

// Objects and their kinds
export {
  apiVersionOf,
  type Condition,
  controllerOf,
  type JsonPatchOperation,
  keyOf,
  type KubeObject,
  type ManagedFieldsEntry,
  nameOf,
  nameOfKey,
  type ObjectKey,
  type ObjectMeta,
  type ObjectName,
  type OwnerReference,
  type ResourceType,
  type Stored,
  type Timestamp,
} from "./types.ts";
export {
  ConfigMap,
  type Container,
  container,
  Deployment,
  deployment,
  type DeploymentOptions,
  env,
  envFromSecret,
  type EnvVar,
  HttpRoute,
  Ingress,
  Job,
  job,
  type JobOptions,
  literalEnv,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  type PodSpec,
  restrictedContainer,
  restrictedPod,
  Secret,
  Service,
  service,
  type ServiceOptions,
  StorageClass,
  VolumeSnapshot,
  VolumeSnapshotClass,
  type Wire,
} from "./builders/mod.ts";
export { largerQuantity, parseQuantity } from "./quantity.ts";
export { hashOf, sha256Hex } from "./hash.ts";
export { timestamp } from "./timestamp.ts";

// The API server: access, requests, errors, watches, caches
export { inClusterAccess, type InClusterOptions, loadAccess, SERVICE_ACCOUNT_DIRECTORY } from "./access.ts";
export type { ClusterAccess, Credentials } from "./credentials.ts";
export {
  type ApplyOptions,
  type Client,
  type ClientOptions,
  createClient,
  type DeleteOptions,
  type ListOptions,
  type ObjectList,
  type RawWatchEvent,
  type Selection,
  type VersionOptions,
  type WatchOptions,
  type WriteOptions,
} from "./client.ts";
export {
  ApiError,
  isConflict,
  isGone,
  isInvalid,
  isNotFound,
  isOverQuota,
  isUnavailable,
  messageOf,
  NotOursError,
  sentAwayMs,
  TerminalError,
} from "./errors.ts";
export {
  type OpenWatch,
  type Step,
  step,
  type WatchEvent,
  watchObjects,
  type WatchObjectsOptions,
  type WatchSource,
  type WatchState,
} from "./watch.ts";
export {
  type Change,
  type IndexFunction,
  Informer,
  type InformerOptions,
  isNewer,
  Store,
  type StoreOptions,
  type StoreReader,
} from "./cache.ts";
export { Deadline } from "./deadline.ts";

// Parts of a program: queue, stages, events, logs, metrics, time
export { type RateLimitOptions, type Urgency, type WorkItem, WorkQueue, type WorkQueueOptions } from "./queue.ts";
export { runInStages, type Runnable, type StagesOptions, terminationSignal, untilAborted } from "./stages.ts";
export { Event, type EventNote, EventRecorder, type EventRecorderOptions } from "./events.ts";
export { configureLogging, getLogger, type Logger, type LoggingOptions } from "./log.ts";
export {
  type CounterOptions,
  createCounter,
  createMetrics,
  type HealthOptions,
  type HealthServer,
  type Metrics,
  serveHealth,
} from "./metrics.ts";
export { backoffMs, type Clock, pause, systemClock } from "./clock.ts";
export { Slots } from "./slots.ts";

// Admission webhooks
export { type AdmissionOptions, AdmissionServer } from "./admission.ts";
export {
  type AdmissionRequest,
  allowed,
  denied,
  formatAdmissionReview,
  parseAdmissionReview,
  type Validator,
  type Verdict,
} from "./admission_review.ts";
export { type CertificatePaths, readServingCertificate, type ServingCertificate } from "./serving_certificate.ts";
