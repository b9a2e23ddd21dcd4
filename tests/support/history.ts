/** What a namespace went through while faults came and went: phases of instances, and the pods that were wanted. */
import {
  type Client,
  Deployment,
  Job,
  type KubeObject,
  type ResourceType,
  type Stored,
  watchObjects,
} from "../../src/kit/mod.ts";
import type { OdooInstance } from "../../src/odoo/crd/mod.ts";
import { TRANSITIONS } from "../../src/odoo/machine/transitions.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";

/** Follows a namespace, past whatever stands between the operator and the API server, until it is disposed of. */
export function startHistory(client: Client, namespace: string): History {
  return new History(client, namespace);
}

/** What {@linkcode startHistory} starts. */
export class History implements AsyncDisposable {
  /** uids of all Jobs that ever were. */
  readonly jobs = new Set<string>();
  readonly #phases = new Map<string, string[]>();
  readonly #replicas = new Map<string, number[]>();
  readonly #ending = new AbortController();
  readonly #watches: Promise<void>[];

  constructor(client: Client, namespace: string) {
    const options = { namespace, signal: this.#ending.signal };
    this.#watches = [
      this.#follow(client, OdooInstanceKind, { ...options, add: (instance) => this.#addPhase(instance) }),
      this.#follow(client, Deployment, {
        ...options,
        add: ({ metadata, spec }) => addTo(this.#replicas, metadata.name, spec?.replicas ?? 1),
      }),
      this.#follow(client, Job, { ...options, add: ({ metadata }) => this.jobs.add(metadata.uid) }),
    ];
  }

  /** The phases of an instance, each time it had another one. */
  phases(name: string): readonly string[] {
    return this.#phases.get(name) ?? [];
  }

  /** The replicas that a Deployment was to have, each time it was another number. */
  replicas(name: string): readonly number[] {
    return this.#replicas.get(name) ?? [];
  }

  /** Steps of any instance that the table of transitions does not have. */
  strangeSteps(): string[] {
    return [...this.#phases].flatMap(([name, phases]) =>
      phases.slice(1).flatMap((to, index) => {
        const from = phases[index];
        return TRANSITIONS.some((row) => row.from === from && row.to === to) ? [] : [`${name}: ${from} → ${to}`];
      })
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#watches);
  }

  async #follow<T extends KubeObject>(
    client: Client,
    type: ResourceType<T>,
    options: { namespace: string; signal: AbortSignal; add: (object: Stored<T>) => void },
  ): Promise<void> {
    for await (const event of watchObjects(client, type, options)) {
      if (event.type === "restarted") { for (const object of event.objects) options.add(object); }
      if (event.type === "applied") options.add(event.object);
    }
  }

  #addPhase({ metadata, status }: Stored<OdooInstance>): void {
    if (status?.phase) addTo(this.#phases, metadata.name, status.phase);
  }
}

function addTo<T>(lists: Map<string, T[]>, name: string, value: T): void {
  const list = lists.get(name) ?? [];
  if (list.at(-1) !== value) list.push(value);
  lists.set(name, list);
}
