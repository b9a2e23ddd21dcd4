/** `odoo-operator crds`: the CustomResourceDefinitions, for `kubectl apply --server-side -f -`. */
import initJob from "../../crds/initjob-crd.yaml" with { type: "text" };
import instance from "../../crds/odoo-crd.yaml" with { type: "text" };

/** Prints all CRDs as one YAML stream. */
export function command(): Promise<number> {
  Deno.stdout.writeSync(new TextEncoder().encode([instance, initJob].join("---\n")));
  return Promise.resolve(0);
}
