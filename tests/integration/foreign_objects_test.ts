/** An object of somebody else under the name that a child wants: named in a condition, left byte for byte, and no loss. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  conditionOf,
  ConfigMap,
  container,
  Deployment,
  deployment,
  Ingress,
  type KubeObject,
  PersistentVolumeClaim,
  PodDisruptionBudget,
  type ResourceType,
  Secret,
  Service,
} from "../../src/kit/mod.ts";
import { OdooInstanceKind } from "../../src/odoo/shell/kinds.ts";
import { eventually } from "../support/eventually.ts";
import { type Rig, startRig } from "../support/rig.ts";

let rig: Rig;

Deno.test.beforeAll(async () => {
  rig = await startRig();
});
Deno.test.afterAll(() => rig?.stop());

/** The kind and what its name adds to the instance's; the content is nothing that the operator would write. */
interface Foreign {
  readonly type: ResourceType;
  readonly suffix?: string;
  readonly content: Readonly<Record<string, unknown>>;
}

const { spec: somebodysPods } = deployment({ name: "any", namespace: "any" }, {
  replicas: 1,
  selector: { app: "other" },
  pod: { containers: [container("web", "other:1")] },
});
const backend = { service: { name: "other", port: { number: 80 } } };

const FOREIGN: Record<string, Foreign> = {
  "a volume": {
    type: PersistentVolumeClaim,
    suffix: "-filestore-pvc",
    content: { // of no class, so that nobody binds it
      spec: { accessModes: ["ReadWriteOnce"], storageClassName: "", resources: { requests: { storage: "1Gi" } } },
    },
  },
  "the Secret of the role": {
    type: Secret,
    suffix: "-odoo-user",
    content: { stringData: { username: "postgres", password: "somebody-elses" } },
  },
  "the Secret of the login": {
    type: Secret,
    suffix: "-admin",
    content: { stringData: { password: "somebody-elses" } },
  },
  "the Secret with odoo.conf": { type: Secret, suffix: "-odoo-conf", content: { stringData: { "odoo.conf": "mine" } } },
  "the ConfigMap": { type: ConfigMap, suffix: "-odoo-conf", content: { data: { mine: "1" } } },
  "the Service": { type: Service, content: { spec: { selector: { app: "other" }, ports: [{ port: 80 }] } } },
  "the Service that blocks": {
    type: Service,
    suffix: "-blocked",
    content: { spec: { selector: { app: "other" }, ports: [{ port: 80 }] } },
  },
  "the Ingress": { type: Ingress, content: { spec: { defaultBackend: backend } } },
  "the budget": {
    type: PodDisruptionBudget,
    content: { spec: { minAvailable: 1, selector: { matchLabels: { app: "other" } } } },
  },
  "the web Deployment": { type: Deployment, content: { spec: somebodysPods } },
  "the cron Deployment": { type: Deployment, suffix: "-cron", content: { spec: somebodysPods } },
};

/** Without what other controllers write into it. */
function owned({ metadata, ...content }: KubeObject): unknown {
  const { resourceVersion: _version, managedFields: _fields, annotations = {}, ...rest } = metadata ?? {};
  const { "deployment.kubernetes.io/revision": _revision, ...others } = annotations;
  return { ...content, status: undefined, metadata: { ...rest, annotations: others } };
}

Deno.test("a foreign object of a child's name is left byte for byte and named in NameConflict, whatever its kind", async () => {
  const cases = await Promise.all(
    Object.entries(FOREIGN).map(async ([what, { type, suffix = "", content }]) => {
      const namespace = await rig.namespace();
      const name = `taken${suffix}`;
      const foreign = await rig.client.create(type, { metadata: { name, namespace }, ...content });
      await rig.create(namespace, "taken", { replicas: 2 });
      return { what, type, namespace, name, foreign };
    }),
  );
  await Promise.all(cases.map(({ what, type, namespace, name }) =>
    eventually(`${what} is named`, async () => {
      const { status } = await rig.client.get(OdooInstanceKind, { namespace, name: "taken" });
      const [applied, conflict] = ["ChildrenApplied", "NameConflict"].map((type) =>
        conditionOf(status?.conditions, type)
      );
      assertEquals([applied?.reason, conflict?.reason], ["NameConflict", "NameTaken"], `${status?.phase}`);
      assertStringIncludes(conflict?.message ?? "", `${type.kind} ${namespace}/${name}`);
      return true;
    }, { timeoutMs: 30_000 })
  ));
  for (const { what, type, namespace, name, foreign } of cases) {
    assertEquals(owned(await rig.client.get(type, { namespace, name })), owned(foreign), what);
  }
  for (const { type, foreign } of cases) await rig.client.delete(type, foreign.metadata);
  await Promise.all(cases.map(async ({ what, namespace }) => {
    const { status } = await rig.inPhase(namespace, "taken", "Running", { timeoutMs: 90_000 });
    assert(conditionOf(status?.conditions, "NameConflict")?.status !== "True", what);
  }));
});
