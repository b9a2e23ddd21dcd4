/**
 * Everything that an instance has come to, in words that two runs of the same story share: without uids, namespaces,
 * times, versions and passwords.
 */
import {
  type Client,
  ConfigMap,
  Deployment,
  Ingress,
  Job,
  type KubeObject,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  type ResourceType,
  Secret,
  Service,
  type Stored,
} from "../../src/kit/mod.ts";
import { INSTANCE_LABEL } from "../../src/odoo/model/names.ts";
import { OdooInitJobKind, OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";

/** What the operator makes, or has made, for an instance. */
export const CHILD_KINDS: readonly ResourceType[] = [
  Deployment,
  Service,
  Ingress,
  ConfigMap,
  PersistentVolumeClaim,
  PodDisruptionBudget,
  Secret,
  Job,
  OdooInitJobKind,
  Pod,
];

/** The namespace's instance and its children, by kind and name; pods, whose names are accidents, by how many there are. */
export async function endState(client: Client, namespace: string): Promise<Record<string, unknown>> {
  const kinds = [OdooInstanceKind as ResourceType, ...CHILD_KINDS];
  const lists = await Promise.all(kinds.map(async (type) => {
    const selection = type === OdooInstanceKind ? {} : { labelSelector: INSTANCE_LABEL };
    return (await client.list(type, { namespace, ...selection })).items;
  }));
  const objects = lists.flat().filter(({ metadata }) => !metadata.deletionTimestamp);
  const words = new Map([
    [namespace, "{namespace}"],
    ...objects.map(({ metadata: { uid } }) => [uid.slice(0, 8), "{uid}"] as const),
  ]);
  const entries = objects.filter(({ kind }) => kind !== Pod.kind).map((object) => {
    const text = inWords(JSON.stringify(essence(object), withoutAccidents), words);
    return [inWords(`${object.kind} ${object.metadata.name}`, words), JSON.parse(text)] as const;
  });
  const pods = objects.filter((object): object is Stored<Pod> => object.kind === Pod.kind);
  const running = pods.filter(({ status }) => status?.phase === "Running");
  return Object.fromEntries([...entries.sort(([a], [b]) => a.localeCompare(b)), ["Running pods", running.length]]);
}

function essence(object: Stored<KubeObject & { spec?: unknown; status?: unknown; data?: object }>): unknown {
  const { kind, metadata: { labels, annotations = {}, finalizers, ownerReferences }, spec, status, data = {} } = object;
  const isOurs = kind === OdooInstanceKind.kind || kind === OdooInitJobKind.kind;
  return {
    labels,
    finalizers,
    annotations: Object.keys(annotations).filter((name) => name.startsWith("bemade.org/")).sort(), // others come and go
    owners: ownerReferences?.map(({ kind, name, controller }) => ({ kind, name, controller })),
    spec,
    status: isOurs ? status : undefined,
    data: kind === Secret.kind ? Object.keys(data).sort() : data,
  };
}

/** Fields that tell when, in which order or where something happened, and not what; annotations bear hashes of uids. */
const ACCIDENTS: ReadonlySet<string> = new Set([
  "annotations",
  "clusterIP",
  "clusterIPs",
  "completionTime",
  "lastTransitionTime",
  "observedGeneration",
  "startTime",
  "volumeName",
]);

function withoutAccidents(key: string, value: unknown): unknown {
  return ACCIDENTS.has(key) && !Array.isArray(value) || key === "clusterIPs" ? undefined : value;
}

function inWords(text: string, words: ReadonlyMap<string, string>): string {
  const withoutUids = text.replaceAll(/[0-9a-f]{8}([-_])[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}/g, "{uid}");
  return [...words].reduce((all, [accident, word]) => all.replaceAll(accident, word), withoutUids);
}
