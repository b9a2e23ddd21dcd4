/** An instance without data wants some: if the spec says what, and nobody has asked yet, this operator asks. */
import type { KubeObject } from "../../kit/types.ts";
import { API_VERSION } from "../api.ts";
import { forbidsInit } from "../model/instance/adoption.ts";
import { firstSourceProblem } from "../model/operations/copy/refresh_source.ts";
import { AUTO_REFRESH_LABEL, imageHash, instanceLabels, objectNames } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import {
  type AutoKind,
  autoRoundOf,
  bringsData,
  lastAutoRequest,
  pendingRequests,
  requestKind,
} from "../model/operations/requests.ts";
import type { Resolved } from "../model/resolve.ts";
import type { World } from "../model/world.ts";

/** Uninitialized: asks for an initialisation or for a copy of the production instance, unless somebody has asked for data. */
export function planDataRequest(world: World): Effect[] {
  const { resolved, instance } = world;
  if (!resolved || !mayAsk(world)) return [];
  if (instance.spec.productionInstanceRef) return planRefreshRequest(world, resolved);
  return resolved.init.enabled ? planInitRequest(world, resolved) : [];
}

/** InitFailed: a copy that could not be neutralized is made again when the image, whose code did it, is another one. */
export function planRefreshRetry(world: World): Effect[] {
  const { resolved, instance } = world;
  const asks = resolved && instance.spec.productionInstanceRef && mayAsk(world);
  return asks && lastOwn(world, "OdooStagingRefreshJob") ? planRefreshRequest(world, resolved) : [];
}

/** With data the next phase is another one; a request would be refused, and stand in the way of a later one. */
function mayAsk(world: World): boolean {
  const isAsked = pendingRequests(world).some((cr) => bringsData(requestKind(cr)));
  return !world.status.dbInitialized && !isAsked && !forbidsInit(world);
}

function planInitRequest(world: World, resolved: Resolved): Effect[] {
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

function planRefreshRequest(world: World, resolved: Resolved): Effect[] {
  const { productionInstanceRef: source } = world.instance.spec;
  const round = nextRound(world, "OdooStagingRefreshJob");
  if (!source || round === undefined || firstSourceProblem(world)) return [];
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

function creation({ instance }: World, { name, namespace, environment }: Resolved, request: RequestObject): Effect {
  const labels = { ...instanceLabels(name, environment), ...request.metadata?.labels };
  const metadata = { ...request.metadata, namespace, labels };
  return { type: "create", object: { apiVersion: API_VERSION, ...request, metadata }, owner: instance };
}

/**
 * The number of our next request: one that was carried out is of a database that is gone, so another one follows it. One
 * that failed is not repeated, as long as what failed is the same. Those before it may be deleted: the history goes back
 * only so far.
 */
function nextRound(world: World, kind: AutoKind): number | undefined {
  const last = lastOwn(world, kind);
  if (!last) return 1;
  const isOver = last.status?.phase === "Completed" || failedWithAnotherImage(world, last);
  return isOver ? autoRoundOf(world.instance.metadata.name, last) + 1 : undefined;
}

function lastOwn({ instance, observed }: World, kind: AutoKind) {
  return lastAutoRequest(instance.metadata.name, kind, observed.requests);
}

function failedWithAnotherImage({ resolved }: World, { kind, status }: ReturnType<typeof lastOwn> & object): boolean {
  if (kind !== "OdooStagingRefreshJob" || status?.phase !== "Failed" || !resolved) return false;
  return !!status.neutralizeJobImageHash && status.neutralizeJobImageHash !== imageHash(resolved.image);
}
