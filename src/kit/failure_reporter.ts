/** Tells people how the reconciles of an object end: by an event, and by the conditions that a report is about. */
import { timestamp } from "./clock.ts";
import { setConditions } from "./conditions.ts";
import type { CustomObject, ReconcileContext } from "./context.ts";
import { ApiError, isConflict, messageOf } from "./errors.ts";
import { conditionsOf, type FailureReport, reasonOf, type Told } from "./failure_report.ts";
import type { ResourceType, Stored } from "./types.ts";

/** The reporter of one operator. */
export class FailureReporter<Spec, Status> {
  readonly #type: ResourceType<CustomObject<Spec, Status>>;
  readonly #report: FailureReport;

  constructor(type: ResourceType<CustomObject<Spec, Status>>, report: FailureReport) {
    this.#type = type;
    this.#report = report;
  }

  /** Event and conditions of a failure; a server that cannot be reached cannot be told either. */
  async tryFailed(
    object: Stored<CustomObject<Spec, Status>> | undefined,
    context: ReconcileContext,
    error: unknown,
  ): Promise<void> {
    if (!object || context.signal.aborted || isConflict(error) || (error instanceof ApiError && error.status === 0)) {
      return;
    }
    const told = this.#report.failed(error, object);
    context.event({ type: "Warning", reason: told[0]?.reason ?? reasonOf(error), note: messageOf(error) }, object);
    try {
      await this.#tell(object, context, told);
    } catch (cause) {
      context.log.debug("Cannot report a failure in status", { error: messageOf(cause) });
    }
  }

  /** Takes back what the last failure has said. */
  async succeeded(object: Stored<CustomObject<Spec, Status>> | undefined, context: ReconcileContext): Promise<void> {
    const told = object && this.#report.succeeded?.(conditionsOf(object));
    if (object && told?.length) await this.#tell(object, context, told);
  }

  async #tell(
    object: Stored<CustomObject<Spec, Status>>,
    context: ReconcileContext,
    told: readonly Told[],
  ): Promise<void> {
    if (told.length === 0) return;
    const observedGeneration = object.metadata.generation ?? 0;
    const next = told.map((condition) => ({ ...condition, observedGeneration }));
    const conditions = setConditions(conditionsOf(object), next, timestamp(context.clock.now()));
    await context.setConditions(this.#type, object, conditions);
  }
}
