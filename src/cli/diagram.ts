/** `odoo-operator diagram`: the state machine as Mermaid text, printed from the table. */
import { diagram } from "../odoo/machine/diagram.ts";

/** Prints the diagram. */
export function command(): Promise<number> {
  Deno.stdout.writeSync(new TextEncoder().encode(diagram()));
  return Promise.resolve(0);
}
