/** Observes an instance: the caches first, then what they cannot answer. Nothing is changed. */
import type { ObjectKey, ReconcileContext, Stored } from "../../kit/mod.ts";
import type { OdooInstance } from "../crd/mod.ts";
import type { CachedWorld, World } from "../model/world.ts";
import { AdminPasswordLookup } from "./lookups/admin_password.ts";
import { endingPodsLookup } from "./lookups/ending_pods.ts";
import { jobPodsLookup } from "./lookups/job_pods.ts";
import type { Answer } from "./lookups/lookup.ts";
import { PodProblemsLookup } from "./lookups/pod_problems.ts";
import { storageLookup } from "./lookups/storage.ts";
import { upstreamChildrenLookup } from "./lookups/upstream_children.ts";
import { chosenCluster, readCaches, type Sources } from "./read_caches.ts";

/** A complete world, and when it must be observed again. */
export interface Observation {
  readonly world: World;
  /** Milliseconds until an answer may be out of date that no watch event reports; absent if there is no such answer. */
  readonly recheckAfterMs?: number;
}

/** Observes instances; keeps what its lookups remember between observations. */
export class Observer {
  readonly #sources: () => Sources;
  readonly #adminPassword = new AdminPasswordLookup();
  readonly #podProblems = new PodProblemsLookup();

  /** `sources` is called for each observation. */
  constructor(sources: () => Sources) {
    this.#sources = sources;
  }

  /**
   * The world of an instance as it is now.
   *
   * @throws {ApiError} if the API server does not answer a question that the decision depends on.
   */
  async observe(instance: Stored<OdooInstance>, context: ReconcileContext): Promise<Observation> {
    const sources = this.#sources();
    const [upstream, jobPods] = await Promise.all([
      upstreamChildrenLookup.ask({ instance, cluster: chosenCluster(instance, sources).facts }, context),
      jobPodsLookup.ask(instance, context),
    ]);
    const supplements = { upstream: upstream.facts ?? {}, jobPods: jobPods.facts ?? new Map() };
    return await this.#complete(readCaches(instance, context, sources, supplements), context);
  }

  /** Drops what is remembered about an instance that no longer exists. */
  forget(key: ObjectKey): void {
    this.#adminPassword.forget(key);
    this.#podProblems.forget(key);
  }

  async #complete(cached: CachedWorld, context: ReconcileContext): Promise<Observation> {
    const [adminPassword, pods, ending, storage] = await Promise.all([
      this.#adminPassword.ask(cached, context),
      this.#podProblems.ask(cached, context),
      endingPodsLookup.ask(cached, context),
      storageLookup.ask(cached, context),
    ]);
    const observed = {
      ...cached.observed,
      adminPassword: adminPassword.facts,
      podTroubles: pods.facts?.troubles,
      stuckPods: pods.facts?.stuckPods,
      endingPods: ending.facts,
      storageFacts: storage.facts,
    };
    return { world: { ...cached, observed }, ...earliest([adminPassword, pods, ending, storage]) };
  }
}

function earliest(answers: readonly Answer<unknown>[]): Pick<Observation, "recheckAfterMs"> {
  const times = answers.flatMap(({ recheckAfterMs }) => recheckAfterMs ?? []);
  return times.length ? { recheckAfterMs: Math.min(...times) } : {};
}
