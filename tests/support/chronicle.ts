/** What a cluster went through: every phase of every instance in order, and every Job and request that ever was. */
import {
  type Client,
  Job,
  keyOf,
  type KubeObject,
  type ObjectKey,
  type ResourceType,
  type Stored,
  watchObjects,
} from "../../src/kit/mod.ts";
import { TRANSITIONS } from "../../src/odoo/machine/transitions.ts";
import { OdooInitJobKind, OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";

/** Starts writing it down, beside whatever is under test. */
export function startChronicle(client: Client): Chronicle {
  return new Chronicle(client);
}

/** What {@linkcode startChronicle} starts. */
export class Chronicle implements AsyncDisposable {
  readonly #phases = new Map<ObjectKey, string[]>();
  readonly #uids = new Map<string, Set<string>>();
  readonly #ending = new AbortController();
  readonly #watches: Promise<void>[];

  constructor(client: Client) {
    this.#watches = [
      this.#follow(client, OdooInstanceKind, (instance) => this.#addPhase(instance)),
      this.#follow(client, Job, (job) => this.#addUid("Job", job)),
      this.#follow(client, OdooInitJobKind, (request) => this.#addUid("OdooInitJob", request)),
    ];
  }

  /** The phases of an instance, each time it changed. */
  phases(instance: ObjectKey): readonly string[] {
    return this.#phases.get(instance) ?? [];
  }

  /** Steps of {@linkcode phases} that the table of transitions does not have. */
  strangeSteps(instance: ObjectKey): string[] {
    return this.phases(instance).flatMap((to, index, phases) => {
      const from = phases[index - 1];
      const isInTable = from === undefined
        ? to === "Provisioning"
        : TRANSITIONS.some((row) => row.from === from && row.to === to);
      return isInTable ? [] : [`${from} → ${to}`];
    });
  }

  /** How many different objects of a kind there have been in a namespace. */
  count(kind: "Job" | "OdooInitJob", namespace: string): number {
    return this.#uids.get(`${kind} ${namespace}`)?.size ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#watches);
  }

  async #follow<T extends KubeObject>(
    client: Client,
    type: ResourceType<T>,
    add: (object: Stored<T>) => void,
  ): Promise<void> {
    for await (const event of watchObjects(client, type, { signal: this.#ending.signal })) {
      if (event.type === "restarted") { for (const object of event.objects) add(object); }
      if (event.type === "applied") add(event.object);
    }
  }

  #addPhase(instance: Stored<KubeObject & { readonly status?: { readonly phase?: string | null } | null }>): void {
    const phase = instance.status?.phase;
    const phases = this.#phases.get(keyOf(instance)) ?? [];
    if (phase && phases.at(-1) !== phase) phases.push(phase);
    this.#phases.set(keyOf(instance), phases);
  }

  #addUid(kind: string, { metadata: { namespace, uid } }: Stored<KubeObject>): void {
    const key = `${kind} ${namespace}`;
    this.#uids.set(key, (this.#uids.get(key) ?? new Set()).add(uid));
  }
}
