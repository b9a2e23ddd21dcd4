/** Typed builders for the objects that controllers create. */
export * from "./kinds.ts";
export * from "./pods.ts";
export * from "./workloads.ts";
