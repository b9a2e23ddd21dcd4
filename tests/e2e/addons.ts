/** Modules of our own, mounted into Odoo from a ConfigMap: one that installs, and one that fails half-way through its data. */
import type { ConfigMap } from "../../src/kit/mod.ts";
import type { OdooInstanceSpec } from "../../src/odoo/crd/mod.ts";

const CONFIG_MAP = "e2e-addons";

/** Leaves the system parameter `e2e.note`. */
export const GOOD_MODULE = "e2e_note";
/** Leaves nothing: its second record refers to one that is not there. */
export const BROKEN_MODULE = "e2e_broken";

const manifest = (name: string) =>
  `{"name": "${name}", "version": "1.0", "license": "LGPL-3", "depends": ["base"], "data": ["data.xml"]}\n`;
const parameter = (key: string) =>
  `<record id="${key.replace(".", "_")}" model="ir.config_parameter">` +
  `<field name="key">${key}</field><field name="value">here</field></record>`;
const BROKEN = `<record id="broken" model="res.partner"><field name="parent_id" ref="no_such_record"/></record>`;

const FILES: Readonly<Record<string, string>> = {
  [`${GOOD_MODULE}/__init__.py`]: "",
  [`${GOOD_MODULE}/__manifest__.py`]: manifest(GOOD_MODULE),
  [`${GOOD_MODULE}/data.xml`]: `<odoo>${parameter("e2e.note")}</odoo>`,
  [`${BROKEN_MODULE}/__init__.py`]: "",
  [`${BROKEN_MODULE}/__manifest__.py`]: manifest(BROKEN_MODULE),
  [`${BROKEN_MODULE}/data.xml`]: `<odoo>${parameter("e2e.broken")}${BROKEN}</odoo>`,
};

/** The ConfigMap with all files. */
export function addonsConfigMap(namespace: string): ConfigMap {
  const data = Object.fromEntries(Object.entries(FILES).map(([path, text]) => [keyOf(path), text]));
  return { metadata: { name: CONFIG_MAP, namespace }, data };
}

/** What an instance needs to have the modules on its addons path. */
export const WITH_ADDONS: Pick<OdooInstanceSpec, "extraVolumes" | "extraVolumeMounts"> = {
  extraVolumes: [{
    name: "addons",
    configMap: { name: CONFIG_MAP, items: Object.keys(FILES).map((path) => ({ key: keyOf(path), path })) },
  }],
  extraVolumeMounts: [{ name: "addons", mountPath: "/mnt/extra-addons", readOnly: true }],
};

/** A key of a ConfigMap has no slashes. */
function keyOf(path: string): string {
  return path.replace("/", "-");
}
