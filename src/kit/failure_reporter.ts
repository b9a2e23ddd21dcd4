/** Reports how the reconciles of an object end: by an event, and by the conditions of its failure report. */
import { timestamp } from "./timestamp.ts";
import { setConditions } from "./conditions.ts";
import type { CustomObject, ReconcileContext } from "./context.ts";
import { ApiError, isConflict, messageOf } from "./errors.ts";
import { conditionsOf, type FailureReport, reasonOf, type ReportedCondition } from "./failure_report.ts";
import type { ResourceType, Stored } from "./types.ts";

/** The reporter of one operator. */
export class FailureReporter<Spec, Status> {
  readonly #type: ResourceType<CustomObject<Spec, Status>>;
  readonly #report: FailureReport;

  constructor(type: ResourceType<CustomObject<Spec, Status>>, report: FailureReport) {
    this.#type = type;
    this.#report = report;
  }

  /** Event and conditions of a failure; a server that cannot be reached gets no report either. */
  async tryFailed(
    object: Stored<CustomObject<Spec, Status>> | undefined,
    context: ReconcileContext,
    error: unknown,
  ): Promise<void> {
    if (!object || context.signal.aborted || isConflict(error) || (error instanceof ApiError && error.status === 0)) {
      return;
    }
    const reported = this.#report.failed(error, object);
    context.event({ type: "Warning", reason: reported[0]?.reason ?? reasonOf(error), note: messageOf(error) }, object);
    try {
      await this.#writeConditions(object, context, reported);
    } catch (cause) {
      context.log.debug("Cannot report a failure in status", { error: messageOf(cause) });
    }
  }

  /** Takes back what the last failure has said. */
  async succeeded(object: Stored<CustomObject<Spec, Status>> | undefined, context: ReconcileContext): Promise<void> {
    const reported = object && this.#report.succeeded?.(conditionsOf(object));
    if (object && reported?.length) await this.#writeConditions(object, context, reported);
  }

  async #writeConditions(
    object: Stored<CustomObject<Spec, Status>>,
    context: ReconcileContext,
    reported: readonly ReportedCondition[],
  ): Promise<void> {
    if (reported.length === 0) return;
    const observedGeneration = object.metadata.generation ?? 0;
    const next = reported.map((condition) => ({ ...condition, observedGeneration }));
    const conditions = setConditions(conditionsOf(object), next, timestamp(context.clock.now()));
    await context.setConditions(this.#type, object, conditions);
  }
}
