/**
 * The validating webhook: which writes of an OdooInstance are refused before they are stored. It checks what the schema
 * cannot: rules about the status or about quantities, and the problems that reconcile would report. Only changed values
 * are checked, so that an instance that already breaks a rule can still be edited, finalised and deleted.
 */
import { type AdmissionRequest, allowed, denied, type Verdict } from "../../../kit/admission_review.ts";
import { parseQuantity } from "../../../kit/quantity.ts";
import type { OdooInstance } from "../../crd/mod.ts";
import { wantedDatabaseName } from "../names.ts";
import { phaseRow } from "../phases.ts";
import { problemsOf } from "../resolve.ts";

/** What the validation needs besides the request. */
export interface AdmissionContext {
  /** The user name of the operator, if it is known. Its writes are always allowed: they follow from admitted ones. */
  readonly operatorUser?: string | undefined;
}

/** Phases in which the data is read or copied: its location must not change meanwhile. */
const LONGEST_QUOTE = 64;

/** Validates a write of an OdooInstance. */
export function judgeInstance(request: AdmissionRequest<OdooInstance>, context: AdmissionContext = {}): Verdict {
  const { operation, object, oldObject, subResource, userInfo } = request;
  if (!object || subResource || (operation !== "CREATE" && operation !== "UPDATE")) return allowed();
  if (object.metadata?.deletionTimestamp) return allowed();
  if (context.operatorUser && userInfo?.username === context.operatorUser) return allowed();
  const before = oldObject ?? undefined;
  if (before && isSame(before.spec, object.spec)) return allowed();
  const [refusal] = [
    ...(before ? changeProblems(before, object) : quantityProblems(object)),
    ...newProblems(before, object),
  ];
  return refusal === undefined ? allowed() : denied(refusal);
}

function changeProblems(before: OdooInstance, after: OdooInstance): string[] {
  return [
    ...storageProblems(before, after),
    ...placeProblems(before, after),
    ...databaseNameProblems(before, after),
  ];
}

function quantityProblems({ spec }: OdooInstance): string[] {
  const size = spec.filestore?.storageSize;
  if (!isGiven(size) || (parseQuantity(size) ?? 0) > 0) return [];
  return [`spec.filestore.storageSize: ${quoted(size)} is not a size: set a quantity above 0, such as 10Gi`];
}

function storageProblems(before: OdooInstance, after: OdooInstance): string[] {
  const former = before.spec.filestore?.storageSize;
  const size = after.spec.filestore?.storageSize;
  if (!isGiven(size) || former === size) return [];
  const problems = quantityProblems(after);
  if (problems.length || !isGiven(former)) return problems;
  // A former value that is not a quantity counts as 0, so that any valid size can replace it.
  if ((parseQuantity(size) ?? 0) >= (parseQuantity(former) ?? 0)) return [];
  return [
    `spec.filestore.storageSize: cannot decrease from ${quoted(former)} to ${
      quoted(size)
    }: a volume can only grow. Set the former size, or restore a backup into a new instance`,
  ];
}

/** The location of the data must not change during an operation, except back to the former location of a migration. */
function placeProblems(before: OdooInstance, after: OdooInstance): string[] {
  const { phase, activeCluster, migrationPreviousCluster, migrationPreviousStorageClass } = before.status ?? {};
  const places = [{
    path: "spec.database.cluster",
    from: before.spec.database?.cluster || activeCluster,
    to: after.spec.database?.cluster,
    back: migrationPreviousCluster,
    isLocked: phase && phaseRow(phase).locks !== "nothing",
  }, {
    path: "spec.filestore.storageClass",
    from: before.spec.filestore?.storageClass,
    to: after.spec.filestore?.storageClass,
    back: migrationPreviousStorageClass,
    isLocked: phase && phaseRow(phase).locks === "cluster and storage class",
  }];
  return places.filter(({ from, to, back, isLocked }) => from && to && from !== to && to !== back && isLocked).map((
    { path, from, to },
  ) => `${path}: cannot change from ${quoted(from)} to ${quoted(to)} in phase ${phase}: wait until it has passed`);
}

/** Another name would be another database. A change back to the name of the database with the data is always allowed. */
function databaseNameProblems(before: OdooInstance, after: OdooInstance): string[] {
  const { dbInitialized, databaseName: fixed } = before.status ?? {};
  const [from = "", to = ""] = [before, after].map((it) => wantedDatabaseName(it, before.metadata?.uid ?? ""));
  if (!dbInitialized || from === to || to === fixed) return [];
  return [
    `spec.database.name: cannot change to ${quoted(to)} once the database exists: set it to ${
      quoted(fixed ?? from)
    }, or restore a backup into a new instance whose database has the other name`,
  ];
}

/** The problems that reconcile would report about values that this write changes. */
function newProblems(before: OdooInstance | undefined, after: OdooInstance): string[] {
  const known = before ? problemsOf(before) : [];
  return problemsOf(after)
    .filter(({ message, value }) => !known.some((old) => old.message === message && isSame(old.value, value)))
    .map(({ reason, message }) => reason === "NameInvalid" ? `metadata.name: ${message}` : message);
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "";
}

function quoted(value: unknown): string {
  const text = String(value);
  return JSON.stringify(text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text);
}

/** Whether two JSON values are equal; the order of keys does not matter. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const entries = Object.entries(a);
  const other = new Map(Object.entries(b));
  return entries.length === other.size &&
    entries.every(([name, value]) => other.has(name) && isSame(value, other.get(name)));
}
