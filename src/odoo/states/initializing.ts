/** An empty database wants modules: if the spec says so and nobody has asked yet, this operator asks. */
import { forbidsInit } from "../model/adoption.ts";
import { instanceLabels, objectNames } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import { autoInitRoundOf, bringsData, lastAutoInit, pendingRequests, requestKind } from "../model/requests.ts";
import type { World } from "../model/world.ts";

/** Uninitialized: asks for an initialisation, unless somebody has asked for one, or for data from elsewhere. */
export function planInitRequest(world: World): Effect[] {
  const { resolved, instance, observed, status } = world;
  // With data the next phase is another one; a request would be refused, and stand in the way of a later one.
  if (status.dbInitialized || !resolved?.init.enabled || instance.spec.productionInstanceRef) return [];
  const name = nextName(resolved.name, observed.requests);
  if (pendingRequests(world).some((cr) => bringsData(requestKind(cr))) || !name || forbidsInit(world)) return [];
  const { modules, demo } = resolved.init;
  const languages = instance.spec.init?.languages;
  const webhook = instance.spec.init?.webhook;
  const object = {
    apiVersion: "bemade.org/v1alpha1",
    kind: "OdooInitJob",
    metadata: { name, namespace: resolved.namespace, labels: instanceLabels(resolved.name, resolved.environment) },
    spec: {
      odooInstanceRef: { name: resolved.name },
      modules,
      demo,
      ...(languages?.length ? { languages } : {}),
      ...(webhook ? { webhook } : {}),
    },
  };
  return [{ type: "create", object, owner: instance }];
}

/**
 * The name of our next request: one that was carried out is of a database that is gone, so another one follows it. One
 * that failed is not repeated. Those before it may be deleted: the history goes back only so far.
 */
function nextName(instance: string, requests: World["observed"]["requests"]): string | undefined {
  const last = lastAutoInit(instance, requests);
  if (!last) return objectNames.autoInit(instance);
  return last.status?.phase === "Completed"
    ? objectNames.autoInit(instance, autoInitRoundOf(instance, last) + 1)
    : undefined;
}
