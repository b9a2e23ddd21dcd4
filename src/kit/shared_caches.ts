/** One informer per kind and selection, although several controllers use it. */
import { type IndexFunction, Informer, type InformerOptions } from "./cache.ts";
import type { Client } from "./client.ts";
import { messageOf } from "./errors.ts";
import type { Clock } from "./clock.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { apiVersionOf, type ResourceType } from "./types.ts";

// deno-lint-ignore no-explicit-any -- informers of many object types in one list
export type AnyInformer = Informer<any>;
// deno-lint-ignore no-explicit-any -- as above
type AnyOptions = InformerOptions<any>;

/** A cache that a controller uses. */
export interface CacheNeed {
  readonly type: ResourceType;
  readonly options: AnyOptions;
}

/** What all informers of a manager share. */
export interface CommonOptions {
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * The informers for all `needs`, and which of them serves a need.
 *
 * @throws {RangeError} if two needs of the same kind and selection differ in `transform`, or in an index of the same name.
 */
export function shareCaches(client: Client, needs: readonly CacheNeed[], common: CommonOptions) {
  const merged = new Map<string, CacheNeed>();
  for (const need of needs) {
    const key = keyOfNeed(need);
    const former = merged.get(key);
    merged.set(key, former ? { type: former.type, options: mergedOptions(former, need) } : need);
  }
  const informers = new Map([...merged].map(([key, need]) => [key, newInformer(client, need, common)]));
  return {
    informers: [...informers.values()],
    informerFor: (need: CacheNeed): AnyInformer => {
      const informer = informers.get(keyOfNeed(need));
      if (!informer) throw new RangeError(`Cannot use ${need.type.kind}: no cache was created for it`);
      return informer;
    },
  };
}

function keyOfNeed({ type, options }: CacheNeed): string {
  const { namespace, labelSelector, fieldSelector, metadataOnly = false, optional = false } = options;
  return JSON.stringify([
    apiVersionOf(type),
    type.kind,
    namespace,
    labelSelector,
    fieldSelector,
    metadataOnly,
    optional,
  ]);
}

function mergedOptions(former: CacheNeed, need: CacheNeed): AnyOptions {
  const { options: one } = former;
  const { type, options: other } = need;
  if (one.transform !== other.transform) {
    throw new RangeError(`Cannot share the cache of ${type.kind}: two controllers give it different transforms`);
  }
  return {
    ...one,
    indexes: mergedIndexes(type, one.indexes ?? {}, other.indexes ?? {}),
    keepManagers: (one.keepManagers ?? false) || (other.keepManagers ?? false),
    keepOwnershipOf: [...new Set([...one.keepOwnershipOf ?? [], ...other.keepOwnershipOf ?? []])],
  };
}

// deno-lint-ignore no-explicit-any -- as above
type Indexes = Readonly<Record<string, IndexFunction<any>>>;

function mergedIndexes(type: ResourceType, one: Indexes, other: Indexes): Indexes {
  for (const [name, valuesOf] of Object.entries(other)) {
    if (one[name] && one[name] !== valuesOf) {
      throw new RangeError(
        `Cannot share the cache of ${type.kind}: two controllers define its index '${name}' differently`,
      );
    }
  }
  return { ...one, ...other };
}

function newInformer(client: Client, { type, options }: CacheNeed, common: CommonOptions): AnyInformer {
  return new Informer(client, type, {
    ...options,
    ...common,
    onFailure: (failure) =>
      common.log.warn("Watch failed, trying again", { kind: type.kind, error: messageOf(failure) }),
  });
}
