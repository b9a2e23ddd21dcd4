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
import { eventually } from "./eventually.ts";

const KINDS = [OdooInstanceKind, Deployment, Job] as const;

/** Follows a namespace, past whatever stands between the operator and the API server, until it is disposed of. */
export async function startHistory(client: Client, namespace: string): Promise<History> {
  const history = new History(client, namespace);
  await history.upToDate();
  return history;
}

/** What {@linkcode startHistory} starts. */
export class History implements AsyncDisposable {
  /** uids of all Jobs that ever were. */
  readonly jobs = new Set<string>();
  readonly #phases = new Map<string, string[]>();
  /** Steps before which the watch began anew, as "name: number": others may have come between. */
  readonly #gaps = new Set<string>();
  readonly #replicas = new Map<string, number[]>();
  /** The version of each object that was seen last, by uid. */
  readonly #versions = new Map<string, string>();
  readonly #client: Client;
  readonly #namespace: string;
  readonly #ending = new AbortController();
  readonly #watches: Promise<void>[];

  constructor(client: Client, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
    this.#watches = [
      this.#follow(OdooInstanceKind, (instance, isListed) => this.#addPhase(instance, isListed)),
      this.#follow(Deployment, ({ metadata, spec }) => addTo(this.#replicas, metadata.name, spec?.replicas ?? 1)),
      this.#follow(Job, ({ metadata }) => this.jobs.add(metadata.uid)),
    ];
  }

  /** Waits until it has seen all that is there now: its watches come after what a test reads itself. */
  async upToDate(): Promise<void> {
    const namespace = this.#namespace;
    for (const kind of KINDS) {
      await eventually(`the history has seen each ${kind.kind} as it is`, async () => {
        const { items } = await this.#client.list<KubeObject>(kind, { namespace });
        return items.every(({ metadata: { uid, resourceVersion } }) => this.#versions.get(uid) === resourceVersion);
      });
    }
  }

  /** The phases of an instance, each time it had another one. */
  phases(name: string): readonly string[] {
    return this.#phases.get(name) ?? [];
  }

  /** The replicas that a Deployment was to have, each time it was another number. */
  replicas(name: string): readonly number[] {
    return this.#replicas.get(name) ?? [];
  }

  /** Steps of any instance that the table of transitions does not have; not those that may be several. */
  strangeSteps(): string[] {
    return [...this.#phases].flatMap(([name, phases]) =>
      phases.slice(1).flatMap((to, index) => {
        const from = phases[index];
        const isKnown = TRANSITIONS.some((row) => row.from === from && row.to === to);
        return isKnown || this.#gaps.has(`${name}: ${index + 1}`) ? [] : [`${name}: ${from} → ${to}`];
      })
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#watches);
  }

  async #follow<T extends KubeObject>(
    type: ResourceType<T>,
    add: (object: Stored<T>, isListed: boolean) => void,
  ): Promise<void> {
    const see = (object: Stored<T>, isListed: boolean) => {
      add(object, isListed);
      this.#versions.set(object.metadata.uid, object.metadata.resourceVersion);
    };
    const options = { namespace: this.#namespace, signal: this.#ending.signal };
    for await (const event of watchObjects(this.#client, type, options)) {
      if (event.type === "restarted") event.objects.forEach((object) => see(object, true));
      if (event.type === "applied") see(event.object, false);
    }
  }

  #addPhase({ metadata: { name }, status }: Stored<OdooInstance>, isListed: boolean): void {
    if (!status?.phase) return;
    const before = this.phases(name).length;
    addTo(this.#phases, name, status.phase);
    if (isListed && this.phases(name).length > before) this.#gaps.add(`${name}: ${before}`);
  }
}

function addTo<T>(lists: Map<string, T[]>, name: string, value: T): void {
  const list = lists.get(name) ?? [];
  if (list.at(-1) !== value) list.push(value);
  lists.set(name, list);
}
