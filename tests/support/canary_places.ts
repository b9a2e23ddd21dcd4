/** Where a secret might show: all that the cluster and the operator tell, beside Secrets themselves. */
import { assert } from "@std/assert";
import { OPERATOR_USER } from "../../dev/operator.ts";
import { type KubeObject, Pod, type ResourceType, Secret, type Stored } from "../../src/kit/mod.ts";
import { OdooInstanceKind, REQUEST_KINDS } from "../../src/odoo/shell/kinds.ts";
import type { Place } from "./canaries.ts";
import type { Rig } from "./rig.ts";

const CORE: readonly string[] = [
  "configmaps",
  "events",
  "persistentvolumeclaims",
  "persistentvolumes",
  "serviceaccounts",
  "services",
];
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  "apps/v1": ["deployments", "replicasets"],
  "batch/v1": ["jobs"],
  "coordination.k8s.io/v1": ["leases"],
  "discovery.k8s.io/v1": ["endpointslices"],
  "events.k8s.io/v1": ["events"],
  "networking.k8s.io/v1": ["ingresses"],
  "policy/v1": ["poddisruptionbudgets"],
};

/** Every kind that may be looked at by whoever may not look at Secrets; pods and the operator's own are looked at apart. */
const KINDS: readonly ResourceType[] = [
  ...CORE.map((plural) => ({ group: "", version: "v1", kind: plural, plural })),
  ...Object.entries(OTHERS).flatMap(([apiVersion, plurals]) => {
    const [group = "", version = ""] = apiVersion.split("/");
    return plurals.map((plural) => ({ group, version, kind: plural, plural }));
  }),
];

const OWN_KINDS: readonly ResourceType[] = [OdooInstanceKind, ...REQUEST_KINDS];

interface OwnObject extends KubeObject {
  readonly status?: unknown;
}

/** What a container left behind is its own, and for whoever may read its log: what the operator makes of it counts. */
function withoutLastWords({ status, ...pod }: Stored<Pod>): unknown {
  const containerStatuses = status?.containerStatuses?.map(({ state, ...rest }) => {
    const { message: _, ...terminated } = state?.terminated ?? {};
    return { ...rest, state: state?.terminated ? { ...state, terminated } : state };
  });
  return { ...pod, status: { ...status, containerStatuses } };
}

/** What the cluster and the operator's process show at this moment. */
export async function visible(rig: Rig): Promise<Place[]> {
  const pid = rig.operator?.process.pid;
  const [{ items: pods }, { items: secrets }, metrics, own, ...lists] = await Promise.all([
    rig.client.list(Pod),
    rig.client.list(Secret),
    fetch(`${rig.operator?.healthUrl}/metrics`).then((response) => response.text()),
    Promise.all(OWN_KINDS.map((type) => rig.client.list<OwnObject>(type))),
    ...KINDS.map((type) => rig.client.list(type)),
  ]);
  return [
    ...lists.flatMap(({ items }, index) =>
      items.map((item) => ({ what: `${KINDS[index]?.plural} ${item.metadata.name}`, text: JSON.stringify(item) }))
    ),
    // the user's own words, some plain by their nature, are in the spec: what the operator adds to an object is not
    ...own.flatMap(({ items }) =>
      items.map(({ kind, metadata, status }) => ({
        what: `${kind} ${metadata.name}`,
        text: JSON.stringify([metadata, status]),
      }))
    ),
    ...pods.map((pod) => ({ what: `pod ${pod.metadata.name}`, text: JSON.stringify(withoutLastWords(pod)) })),
    ...secrets.map(({ metadata }) => ({ what: `metadata of Secret ${metadata.name}`, text: JSON.stringify(metadata) })),
    { what: "/metrics", text: metrics },
    { what: "argv", text: await Deno.readTextFile(`/proc/${pid}/cmdline`) },
    { what: "environment", text: await Deno.readTextFile(`/proc/${pid}/environ`) },
  ];
}

/** What was written down from the start: by the operator, by PostgreSQL (every statement), and of the operator's requests. */
export async function recorded(rig: Rig): Promise<Place[]> {
  const audit = (await Deno.readTextFile(rig.cluster.auditLog)).split("\n").filter((line) =>
    line.includes(`"username":"${OPERATOR_USER}"`)
  );
  assert(audit.some((line) => line.includes('"requestObject"')), "the audit log has what was sent");
  const log = await Deno.readTextFile(rig.operator?.process.logPath ?? "");
  assert(/\bdebug\b/.test(log), "the operator's log has its debug lines");
  const statements = await Deno.readTextFile(rig.cluster.postgres.logPath);
  assert(/statement: .*SCRAM-SHA-256/i.test(statements), "PostgreSQL's log has the statements");
  return [
    { what: "the operator's log", text: log },
    { what: "the audit log", text: audit.join("\n") },
    // A test's own statements have the keeper's passwords in them, and those of the double that plays a restore the one it was given.
    {
      what: "PostgreSQL's log",
      text: statements.split("\n").filter((line) => !/role keeper|odoo with /.test(line)).join("\n"),
    },
  ];
}
