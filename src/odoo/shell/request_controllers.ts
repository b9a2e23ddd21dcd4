/** A controller for each kind of request: it reports in the request's status that the instance it names does not exist. */
import {
  controller,
  type CustomObject,
  done,
  keyOf,
  nameOfKey,
  type ObjectKey,
  type Registration,
  type ResourceType,
} from "../../kit/mod.ts";
import type { JobRequest, JobRequestStatus } from "../crd/mod.ts";
import { orphanStatus } from "../planners/orphan_requests.ts";
import { isTerminal } from "../model/operations/request.ts";
import { BY_INSTANCE, OPEN_BY_INSTANCE } from "./indexes.ts";
import { OdooInstanceKind, REQUEST_KINDS } from "./kinds.ts";

/** The instance reports failures of its requests; the log has those of these controllers. */
const LOG_ONLY = { types: [], failed: () => [] };

/** The controllers of all kinds of requests. */
export function requestControllers(): Registration[] {
  return REQUEST_KINDS.map((kind) => requestController(kind as RequestType));
}

/** The key of the instance that a request names, as an index. */
export function targetKeys(cr: Pick<JobRequest, "metadata" | "spec">): ObjectKey[] {
  return [`${cr.metadata?.namespace}/${cr.spec.odooInstanceRef.name}`];
}

/** The same of requests that have not ended: only these are reconciled when the instance changes. */
function openTargetKeys(request: Pick<JobRequest, "metadata" | "spec" | "status">): ObjectKey[] {
  return isTerminal(request) ? [] : targetKeys(request);
}

type RequestType = ResourceType<CustomObject<JobRequest["spec"], JobRequestStatus> & JobRequest>;

function requestController(type: RequestType): Registration {
  return controller<JobRequest["spec"], JobRequestStatus>(type, {
    concurrency: 1,
    indexes: { [BY_INSTANCE]: targetKeys, [OPEN_BY_INSTANCE]: openTargetKeys },
  })
    .watches(OdooInstanceKind, {
      keepManagers: true,
      map: (instance, { store }) => store(type).byIndex(OPEN_BY_INSTANCE, keyOf(instance)).map(keyOf),
    })
    .reportsFailures(LOG_ONLY)
    .reconcile(async (object, context) => {
      const request = object as typeof object & JobRequest;
      const [target = ""] = targetKeys(request);
      const now = context.clock.now();
      const isCached = context.store(OdooInstanceKind).get(target) !== undefined;
      if (!orphanStatus({ request, instanceExists: isCached, now })) return done();
      // The cache may be behind: an instance that was created just before its request must not be reported as missing.
      const instanceExists = await context.refresh(OdooInstanceKind, nameOfKey(target)) !== undefined;
      const status = orphanStatus({ request, instanceExists, now });
      if (status) {
        await context.setStatus(type, object as Parameters<typeof context.setStatus<typeof request>>[1], status);
      }
      return done();
    });
}
