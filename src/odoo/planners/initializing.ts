/** An instance without data needs some: if the spec says which, and no request for it exists, this operator creates one. */
import type { KubeObject } from "../../kit/types.ts";
import { API_VERSION } from "../api.ts";
import type { Assessment } from "../model/assessment.ts";
import { AUTO_REFRESH_LABEL, imageHash, instanceLabels, objectNames } from "../model/names.ts";
import { rowOf } from "../model/operations/request_kinds.ts";
import { type AutoKind, autoRoundOf, lastAutoRequest } from "../model/operations/requests.ts";
import type { Effect } from "../model/plan.ts";
import type { Resolved } from "../model/resolve.ts";

/** Uninitialized: requests an initialisation or a copy of the production instance, unless a request for data exists. */
export function planDataRequest(world: Assessment): Effect[] {
  const { resolved, instance } = world;
  if (!resolved || !mayRequest(world)) return [];
  if (instance.spec.productionInstanceRef) return planRefreshRequest(world, resolved);
  return resolved.init.enabled ? planInitRequest(world, resolved) : [];
}

/** InitFailed: a copy that could not be neutralized is requested again when the image, whose code does that, has changed. */
export function planRefreshRetry(world: Assessment): Effect[] {
  const { resolved, instance } = world;
  const requests = resolved && instance.spec.productionInstanceRef && mayRequest(world);
  return requests && lastOwn(world, "OdooStagingRefreshJob") ? planRefreshRequest(world, resolved) : [];
}

/** An instance with data leaves this phase: a request would be refused, and prevent a later one of the same name. */
function mayRequest(world: Assessment): boolean {
  const isRequested = world.queue.pending.some(({ request }) => rowOf(request).bringsData);
  return !world.status.dbInitialized && !isRequested && !world.facts.forbidsInit;
}

function planInitRequest(world: Assessment, resolved: Resolved): Effect[] {
  const { instance } = world;
  const round = nextRound(world, "OdooInitJob");
  if (round === undefined) return [];
  const { modules, demo } = resolved.init;
  const languages = instance.spec.init?.languages;
  const webhook = instance.spec.init?.webhook;
  return [creation(world, resolved, {
    kind: "OdooInitJob",
    metadata: { name: objectNames.autoInit(resolved.name, round) },
    spec: {
      odooInstanceRef: { name: resolved.name },
      modules,
      demo,
      ...(languages?.length ? { languages } : {}),
      ...(webhook ? { webhook } : {}),
    },
  })];
}

function planRefreshRequest(world: Assessment, resolved: Resolved): Effect[] {
  const { productionInstanceRef: source } = world.instance.spec;
  const round = nextRound(world, "OdooStagingRefreshJob");
  if (!source || round === undefined || world.facts.firstSourceProblem) return [];
  const { namespace } = source;
  return [creation(world, resolved, {
    kind: "OdooStagingRefreshJob",
    metadata: { name: objectNames.autoRefresh(resolved.name, round), labels: { [AUTO_REFRESH_LABEL]: "true" } },
    spec: {
      odooInstanceRef: { name: resolved.name },
      source: { instanceName: source.name, ...(namespace ? { instanceNamespace: namespace } : {}) },
    },
  })];
}

interface RequestObject extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>;
}

function creation(
  { instance }: Assessment,
  { name, namespace, environment }: Resolved,
  request: RequestObject,
): Effect {
  const labels = { ...instanceLabels(name, environment), ...request.metadata?.labels };
  const metadata = { ...request.metadata, namespace, labels };
  return { type: "create", object: { apiVersion: API_VERSION, ...request, metadata }, owner: instance };
}

/**
 * The number of our next request. A completed one was for a database that does not exist any more, so another one follows. A
 * failed one is not repeated while its input is the same. Earlier requests may have been deleted by the history limit.
 */
function nextRound(world: Assessment, kind: AutoKind): number | undefined {
  const last = lastOwn(world, kind);
  if (!last) return 1;
  const isOver = last.status?.phase === "Completed" || failedWithAnotherImage(world, last);
  return isOver ? autoRoundOf(world.instance.metadata.name, last) + 1 : undefined;
}

function lastOwn({ instance, observed }: Assessment, kind: AutoKind) {
  return lastAutoRequest(instance.metadata.name, kind, observed.requests);
}

function failedWithAnotherImage(
  { resolved }: Assessment,
  { kind, status }: ReturnType<typeof lastOwn> & object,
): boolean {
  if (kind !== "OdooStagingRefreshJob" || status?.phase !== "Failed" || !resolved) return false;
  return !!status.neutralizeJobImageHash && status.neutralizeJobImageHash !== imageHash(resolved.image);
}
