/** The fixtures of odoo-operator 2.5.0 as a World: what a fresh operator finds, once the caches have it. */
import { parseAllDocuments } from "yaml";
import type { ConfigMap, Deployment } from "../../../src/kit/builders/kinds.ts";
import type { Stored } from "../../../src/kit/types.ts";
import type { OdooInstance } from "../../../src/odoo/crd/mod.ts";
import { databaseName, roleName } from "../../../src/odoo/model/names.ts";
import type { World } from "../../../src/odoo/model/world.ts";
import { type Manifest, upstreamObjects } from "../../support/crds.ts";
import { anAddress, aWorld, emptyFacts, type Overrides, type WorldOverrides } from "../../support/builders.ts";

const CHILDREN = new URL("../../fixtures/upstream-2.5.0/children.yaml", import.meta.url);
const children: readonly Manifest[] = parseAllDocuments(await Deno.readTextFile(CHILDREN)).map((document) =>
  document.toJS()
);
const instances = await upstreamObjects();

/** Where the fixtures' databases are. */
export const UPSTREAM_CLUSTER = anAddress({ host: "127.0.0.1", port: 21010 });

function child<T>(kind: string, name: string): Stored<T & Manifest> {
  const found = children.find((object) => object.kind === kind && object.metadata?.name === name);
  if (!found) throw new TypeError(`Cannot find ${kind} ${name}: the fixtures lack it`);
  return { ...found, metadata: { name, ...found.metadata, uid: `uid-of-${name}`, resourceVersion: "1" } } as Stored<
    T & Manifest
  >;
}

/** The fixtures' uid of an instance: its database is named after it. */
function uidOf(name: string): string {
  const [, uid = ""] = /odoo_([0-9a-f_]{36})/.exec(JSON.stringify(child("Deployment", name))) ?? [];
  return uid.replaceAll("_", "-");
}

/** Running instance `shape` of 2.5.0: ConfigMap and Deployments are its own, role and database bear no comment. */
export function upstreamWorld(shape: "plain" | "full", overrides: WorldOverrides = {}): World {
  const model = instances.find(({ kind, metadata }) => kind === "OdooInstance" && metadata?.name === shape);
  const instance = {
    metadata: { name: shape, namespace: "shop", uid: uidOf(shape), ...overrides.instance?.metadata },
    spec: { ...model?.spec, ...overrides.instance?.spec },
  } as Overrides<Stored<OdooInstance>>;
  const role = roleName({ name: shape, namespace: "shop" });
  const database = databaseName(instance as OdooInstance, uidOf(shape));
  const facts = emptyFacts({
    roles: new Map([[role, { name: role, createsDatabases: true }]]),
    databases: new Map([[database, { name: database, owner: role }]]),
  });
  return aWorld({
    cluster: { address: UPSTREAM_CLUSTER, facts },
    ...overrides,
    instance,
    observed: {
      web: child<Deployment>("Deployment", shape),
      cron: child<Deployment>("Deployment", `${shape}-cron`),
      configMap: child<ConfigMap>("ConfigMap", `${shape}-odoo-conf`),
      ...overrides.observed,
    },
  });
}
