/**
 * The short form for a program with one controller: a {@linkcode Controller} that runs on a {@linkcode Manager} of its own.
 *
 * @example
 * ```ts
 * const WebApp = customResource<WebAppSpec, WebAppStatus>({ group: "example.com", version: "v1", kind: "WebApp", plural: "webapps" });
 * await operator(WebApp)
 *   .owns(Deployment)
 *   .reconcile(async (app, ctx) => {
 *     await ctx.apply(deployment({ name: nameOf(app) }, { replicas: app.spec.replicas, selector: { app: nameOf(app) }, pod }));
 *     return done();
 *   })
 *   .run({ signal });
 * ```
 */
import type { CustomObject } from "./context.ts";
import { Controller, type PrimaryOptions, type WorkOptions } from "./controller.ts";
import { Manager, type ManagerOptions } from "./manager.ts";
import type { ResourceType } from "./types.ts";

/** Options of {@linkcode Operator.run}: those of a manager and of its one controller. @default name {`${kind}-operator`} */
export interface RunOptions extends ManagerOptions, Omit<WorkOptions, "name"> {}

/** Begins an operator for `type`. */
export function operator<Spec, Status>(
  type: ResourceType<CustomObject<Spec, Status>>,
  options: PrimaryOptions = {},
): Operator<Spec, Status> {
  return new Operator(type, options);
}

/** An operator being described; {@linkcode run} starts it. */
export class Operator<Spec, Status> extends Controller<Spec, Status> {
  /**
   * Runs until stopped: resolves after a graceful stop.
   *
   * @throws {TerminalError} if there is no cluster, or it does not answer within `connectMs`.
   */
  async run(options: RunOptions = {}): Promise<void> {
    const { concurrency, queue, requeueAfterMs, errorRequeueMs, ...manager } = options;
    const name = options.name ?? `${this.type.kind.toLowerCase()}-operator`;
    const work = {
      name,
      ...(concurrency === undefined ? {} : { concurrency }),
      ...(queue === undefined ? {} : { queue }),
      ...(requeueAfterMs === undefined ? {} : { requeueAfterMs }),
      ...(errorRequeueMs === undefined ? {} : { errorRequeueMs }),
    };
    await new Manager().add(this, work).run({ ...manager, name });
  }
}
