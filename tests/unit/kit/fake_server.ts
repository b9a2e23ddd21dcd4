/** An API server in memory for unit tests: it lists, watches, patches metadata and takes status by server-side apply. */
import type { Client, RawWatchEvent, WatchOptions } from "../../../src/kit/client.ts";
import { ApiError } from "../../../src/kit/errors.ts";
import {
  type JsonPatchOperation,
  keyOf,
  type KubeObject,
  type ObjectName,
  type ResourceType,
  type Stored,
} from "../../../src/kit/types.ts";
import { fakeClient } from "./fake_client.ts";

type Line = RawWatchEvent<KubeObject>;

/** The server and what tests do with it past the client. */
export function fakeServer() {
  const objects = new Map<string, Map<string, Stored<KubeObject>>>();
  const watchers = new Set<{ readonly plural: string; readonly send: (line: Line) => void }>();
  const watches: { readonly plural: string; readonly options: WatchOptions }[] = [];
  let version = 10;
  const kind = (plural: string) => objects.get(plural) ?? objects.set(plural, new Map()).get(plural) ?? new Map();
  const send = (plural: string, line: Line) => {
    for (const watcher of watchers) if (watcher.plural === plural) watcher.send(line);
  };
  function put<T extends KubeObject>(type: ResourceType<T>, object: T): Stored<T> {
    const metadata = { uid: `uid-${object.metadata?.name}`, ...object.metadata, resourceVersion: String(++version) };
    const stored = { ...object, metadata } as Stored<T>;
    const isNew = !kind(type.plural).has(keyOf(stored));
    kind(type.plural).set(keyOf(stored), stored);
    send(type.plural, { type: isNew ? "ADDED" : "MODIFIED", object: stored });
    return stored;
  }
  function get<T extends KubeObject>(type: ResourceType<T>, name: ObjectName): Stored<T> {
    const found = kind(type.plural).get(
      keyOf({ name: name.name, ...(name.namespace ? { namespace: name.namespace } : {}) }),
    );
    if (!found) throw new ApiError(404, "NotFound", `Cannot GET ${type.plural} ${name.name}: not found`);
    return found as Stored<T>;
  }
  function remove(type: ResourceType, object: Stored<KubeObject>): void {
    kind(type.plural).delete(keyOf(object));
    const gone = { ...object, metadata: { ...object.metadata, resourceVersion: String(++version) } };
    send(type.plural, { type: "DELETED", object: gone });
  }
  const client = fakeClient({
    serverVersion: () => Promise.resolve("v1.36.0"),
    get: ((type: ResourceType, name: ObjectName) => Promise.resolve().then(() => get(type, name))) as Client["get"],
    create: ((_type: ResourceType, object: KubeObject) => Promise.resolve(object)) as Client["create"],
    patch: ((type: ResourceType, name: ObjectName, operations: readonly JsonPatchOperation[]) => {
      const { metadata, ...rest } = get(type, name);
      let { finalizers = [] } = metadata;
      for (const operation of operations) {
        if (!operation.path.startsWith("/metadata/finalizers")) continue;
        if (operation.op === "add") finalizers = [...finalizers, ...[operation.value].flat() as string[]];
        if (operation.op === "remove") finalizers = finalizers.slice(0, -1);
      }
      const stored = { ...rest, metadata: { ...metadata, finalizers } };
      if (!metadata.deletionTimestamp || finalizers.length) return Promise.resolve(put(type, stored));
      remove(type, stored);
      return Promise.resolve({ ...stored, metadata: { ...stored.metadata, resourceVersion: String(version) } });
    }) as Client["patch"],
    apply: ((type: ResourceType, object: KubeObject & { readonly status?: unknown }) =>
      Promise.resolve().then(() => {
        const live = get(type, { ...object.metadata, name: object.metadata?.name ?? "" });
        const expected = object.metadata?.resourceVersion;
        if (expected !== undefined && expected !== live.metadata.resourceVersion) {
          throw new ApiError(
            409,
            "Conflict",
            `Cannot write ${live.metadata.name}: it is at ${live.metadata.resourceVersion}`,
          );
        }
        return put(type, { ...live, status: object.status } as KubeObject);
      })) as Client["apply"],
    watch: async function* (type: ResourceType, options: WatchOptions) {
      watches.push({ plural: type.plural, options });
      options.onOpen?.();
      const lines: Line[] = [...kind(type.plural).values()].map((object) => ({ type: "ADDED", object }));
      const annotations = { "k8s.io/initial-events-end": "true" };
      const metadata = { name: "", uid: "", resourceVersion: String(version), annotations };
      lines.push({ type: "BOOKMARK", object: { metadata } });
      let wake = () => {};
      const watcher = {
        plural: type.plural,
        send: (line: Line) => {
          lines.push(line);
          wake();
        },
      };
      watchers.add(watcher);
      options.signal.addEventListener("abort", () => wake(), { once: true });
      try {
        while (true) {
          for (let line = lines.shift(); line; line = lines.shift()) yield line;
          options.signal.throwIfAborted();
          await new Promise<void>((resolve) => wake = resolve);
        }
      } finally {
        watchers.delete(watcher);
      }
    } as Client["watch"],
  });
  return { client, put, get, remove, watches };
}
