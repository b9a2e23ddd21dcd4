/**
 * A small controller runtime for Kubernetes on Deno. Its words, in the order in which they build on each other:
 *
 * - A *kind* is a {@linkcode ResourceType}: a value that says where objects are served and what type they have.
 * - A *client* sends requests to the API server that an *access* describes.
 * - A *watch* lists a kind and then follows it for ever; an *informer* keeps a *store* equal to it, with indexes.
 * - A *queue* holds the keys of objects that want to be looked at; a *controller* lets workers reconcile them.
 * - A *reconcile* gets an object and a *context*: it reads stores and applies what should be. It may run at any time,
 *   any number of times, and ends in an *outcome*.
 * - A *validator* judges writes before they happen, behind an *admission server*.
 * - An *operator* puts all of this together: {@linkcode operator} is where to begin.
 *
 * @module
 */
export * from "./access.ts";
export * from "./admission.ts";
export * from "./admission_review.ts";
export * from "./apply.ts";
export * from "./builders/mod.ts";
export * from "./cache.ts";
export * from "./client.ts";
export * from "./clock.ts";
export * from "./conditions.ts";
export * from "./context.ts";
export * from "./controller.ts";
export * from "./credentials.ts";
export * from "./deadline.ts";
export * from "./errors.ts";
export * from "./events.ts";
export * from "./failure_report.ts";
export * from "./field_ownership.ts";
export * from "./finalizer.ts";
export * from "./hash.ts";
export * from "./log.ts";
export * from "./manager.ts";
export * from "./metrics.ts";
export * from "./operator.ts";
export * from "./quantity.ts";
export * from "./queue.ts";
export * from "./serving_certificate.ts";
export * from "./slots.ts";
export * from "./stages.ts";
export * from "./types.ts";
export * from "./watch.ts";
export * from "./workers.ts";
