/**
 * Image pull Secrets in all namespaces: a watch of their metadata, and the copies from the namespace of the operator. The
 * data of a Secret is read only when it is copied.
 */
import {
  type Client,
  Informer,
  isConflict,
  keyOf,
  messageOf,
  type ObjectKey,
  type Part,
  type PartTools,
  Secret,
} from "../../kit/mod.ts";
import type { OdooInstance } from "../crd/mod.ts";
import { COPIED_FROM_ANNOTATION } from "../model/names.ts";
import type { Effect } from "../model/plan.ts";
import type { PullSecretFacts } from "../model/world.ts";
import type { Config } from "./config.ts";
import { versionOf } from "./secrets.ts";

const TYPE = "kubernetes.io/dockerconfigjson";

/** Facts about pull Secrets, and the copies of them. */
export class PullSecrets implements Part {
  readonly name = "pull secrets";
  readonly #informer: Informer<Secret>;
  readonly #config: Config;
  readonly #client: Client;
  /** Keys of instances by the name of their pull Secret. */
  readonly #users = new Map<string, Set<ObjectKey>>();

  constructor(tools: PartTools, config: Config) {
    this.#config = config;
    this.#client = tools.client;
    this.#informer = new Informer<Secret>(tools.client, Secret, {
      fieldSelector: `type=${TYPE}`,
      metadataOnly: true,
      metrics: tools.metrics,
      onFailure: (failure) => tools.log.warn("Watch failed, trying again", { kind: TYPE, error: messageOf(failure) }),
    });
    this.#informer.store.onChange(({ object, initial }) => {
      if (initial) return; // no instance has been reconciled yet
      const { name, namespace = "" } = object.metadata;
      for (const key of this.#users.get(name) ?? []) {
        if (namespace === config.operatorNamespace || key.startsWith(`${namespace}/`)) tools.enqueue(key);
      }
    });
  }

  problem(): string | undefined {
    return this.#informer.problem;
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#informer.run(signal);
  }

  ready(signal: AbortSignal): Promise<void> {
    return this.#informer.whenSynced(signal);
  }

  /** The facts about the pull Secret of an instance, if it names one. From then on, its changes enqueue the instance. */
  facts(instance: OdooInstance): PullSecretFacts | undefined {
    const name = instance.spec.imagePullSecret;
    if (!name) return undefined;
    const users = this.#users.get(name) ?? new Set();
    this.#users.set(name, users.add(keyOf(instance)));
    const find = (namespace: string) => this.#informer.store.get(`${namespace}/${name}`);
    const { operatorNamespace, allowedPullSecrets } = this.#config;
    const local = find(instance.metadata?.namespace ?? "");
    const source = find(operatorNamespace);
    const copiedFrom = local?.metadata.annotations?.[COPIED_FROM_ANNOTATION];
    return {
      name,
      allowed: allowedPullSecrets.includes(name),
      ...(local ? { local: copiedFrom ? { copiedFrom } : {} } : {}),
      ...(source ? { source: { version: versionOf(source) } } : {}),
    };
  }

  /** Ends the enqueueing of an instance that is deleted. */
  forget(key: ObjectKey): void {
    for (const [name, users] of this.#users) if (users.delete(key) && !users.size) this.#users.delete(name);
  }

  /** Copies a Secret into `namespace`, or updates the copy there. A Secret that is not a copy by the operator is not changed. */
  async copy(effect: Effect & { type: "copyPullSecret" }, namespace: string, signal: AbortSignal): Promise<void> {
    const { name, labels } = effect;
    const source = await this.#client.get(Secret, { name, namespace: this.#config.operatorNamespace }, { signal });
    if (source.type !== TYPE) {
      throw new Error(`Cannot copy Secret ${name} from the namespace of the operator: it is not of type ${TYPE}`);
    }
    const data = source.data ?? {};
    const annotations = { [COPIED_FROM_ANNOTATION]: versionOf(source) };
    const copy = { type: TYPE, metadata: { name, namespace, labels, annotations }, data };
    try {
      this.#informer.store.observe(await this.#client.create(Secret, copy, { signal }));
      return;
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
    const present = await this.#client.get(Secret, { name, namespace }, { signal });
    const { resourceVersion, annotations: kept } = present.metadata;
    if (!kept?.[COPIED_FROM_ANNOTATION] || present.type !== TYPE) return;
    await this.#client.patch(Secret, { name, namespace }, [
      { op: "test", path: "/metadata/resourceVersion", value: resourceVersion },
      { op: "add", path: "/metadata/annotations", value: { ...kept, ...annotations } },
      { op: "add", path: "/data", value: data },
    ], { signal });
  }
}
