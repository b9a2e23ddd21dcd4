/** Every version of some objects that there was, for questions about what was so at any moment between two states. */
import { type Client, type KubeObject, type ResourceType, type Stored, watchObjects } from "../../src/kit/mod.ts";

/** Follows objects of `types` in a namespace; those that are there when it resolves are the first versions. */
export async function followVersions(
  client: Client,
  namespace: string,
  types: readonly ResourceType[],
): Promise<ObjectVersions> {
  const versions = new ObjectVersions(client, namespace, types);
  await versions.begun;
  return versions;
}

/** What {@linkcode followVersions} resolves with. */
export class ObjectVersions implements AsyncDisposable {
  /** Resolves when what there is has been listed. */
  readonly begun: Promise<unknown>;
  readonly #seen: Stored<KubeObject>[] = [];
  readonly #ending = new AbortController();
  readonly #watches: readonly Promise<void>[];

  constructor(client: Client, namespace: string, types: readonly ResourceType[]) {
    const follows = types.map((type) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      return { promise, watch: this.#follow(client, type, { namespace, onListed: resolve }) };
    });
    this.begun = Promise.all(follows.map(({ promise }) => promise));
    this.#watches = follows.map(({ watch }) => watch);
  }

  /** The versions of a kind in their order; of one object, if it is named. */
  of<T extends KubeObject>({ kind }: ResourceType<T>, name?: string): Stored<T>[] {
    return this.#seen.filter((object): object is Stored<T> =>
      object.kind === kind && (name === undefined || object.metadata.name === name)
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#watches);
  }

  async #follow(
    client: Client,
    type: ResourceType,
    { namespace, onListed }: { readonly namespace: string; readonly onListed: () => void },
  ): Promise<void> {
    for await (const event of watchObjects(client, type, { namespace, signal: this.#ending.signal })) {
      if (event.type === "applied") this.#seen.push({ ...event.object, kind: type.kind });
      if (event.type !== "restarted") continue;
      this.#seen.push(...event.objects.map((object) => ({ ...object, kind: type.kind })));
      onListed();
    }
  }
}

/** What the one etcd of a test counts in all of its objects: of two versions, the later one has the higher number. */
export function revisionOf({ metadata }: Stored<KubeObject>): number {
  return Number(metadata.resourceVersion);
}
