/** The watch of the clusters Secret: the PostgreSQL clusters that it lists, and the connections to them. */
import { parse } from "yaml";
import { Informer, messageOf, type Part, type PartTools, Secret, type Stored } from "../../kit/mod.ts";
import { type Clusters, readClusters, unknownClusters } from "../model/postgres/clusters.ts";
import type { FactsChange } from "../model/postgres/database.ts";
import type { PostgresClusters } from "../ports/postgres_clusters.ts";
import type { Config } from "./config.ts";
import { secretText } from "./secrets.ts";

/** Name of the key in the Secret. */
const KEY = "clusters.yaml";

/** The PostgreSQL clusters as the Secret lists them now. */
export class ClustersSecret implements Part {
  readonly name = "clusters Secret";
  readonly #informer: Informer<Secret>;
  readonly #postgres: PostgresClusters;
  readonly #config: Config;
  #clusters: Clusters;

  /** `onFacts` is called when the facts about a PostgreSQL cluster changed. */
  constructor(tools: PartTools, postgres: PostgresClusters, config: Config, onFacts: (change: FactsChange) => void) {
    const { operatorNamespace: namespace, clustersSecret } = config;
    this.#postgres = postgres;
    this.#config = config;
    this.#clusters = this.#read(undefined);
    postgres.onChange((_cluster, change) => onFacts(change));
    this.#informer = new Informer<Secret>(tools.client, Secret, {
      namespace,
      fieldSelector: `metadata.name=${clustersSecret}`,
      metrics: tools.metrics,
      onFailure: (failure) =>
        tools.log.warn("Watch failed, trying again", {
          kind: "Secret",
          name: clustersSecret,
          error: messageOf(failure),
        }),
    });
    this.#informer.store.onChange(({ object, deleted }) => {
      this.#clusters = this.#read(deleted ? undefined : object);
      this.#connect();
      tools.enqueueAll();
    });
  }

  /** The content of the Secret. */
  get clusters(): Clusters {
    return this.#clusters;
  }

  problem(): string | undefined {
    return this.#informer.problem;
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#postgres.start(signal);
    await this.#informer.run(signal);
  }

  ready(signal: AbortSignal): Promise<void> {
    return this.#informer.whenSynced(signal);
  }

  #connect(): void {
    const { clusters } = this;
    const addresses = clusters.known ? [...clusters.entries.values()].flatMap(({ address }) => address ?? []) : [];
    this.#postgres.update(addresses);
  }

  #read(secret: Stored<Secret> | undefined): Clusters {
    const { operatorNamespace, clustersSecret } = this.#config;
    const name = `${operatorNamespace}/${clustersSecret}`;
    if (!secret) {
      return unknownClusters("ClustersSecretMissing", `Secret ${name} does not exist: create it with a key ${KEY}`);
    }
    const text = secretText(secret, KEY);
    if (text === undefined) {
      return unknownClusters("ClustersSecretInvalid", `Secret ${name} has no key ${KEY}: add it`);
    }
    try {
      return readClusters(parse(text), name);
    } catch {
      // The message of the parser quotes the text, and with it passwords.
      return unknownClusters("ClustersSecretInvalid", `Secret ${name}: ${KEY} is not YAML: correct it`);
    }
  }
}
