/** What is true of every plan for a living instance, by subject; exhaustive_test.ts checks it in every world. */
import { DATABASE_LAWS } from "./database_laws.ts";
import { EFFECT_LAWS } from "./effect_laws.ts";
import { OPERATION_LAWS } from "./operation_laws.ts";
import type { Law } from "./plan_facts.ts";
import { POD_LAWS } from "./pod_laws.ts";
import { STATUS_LAWS } from "./status_laws.ts";

export const LAWS: Readonly<Record<string, Law>> = {
  ...EFFECT_LAWS,
  ...DATABASE_LAWS,
  ...POD_LAWS,
  ...OPERATION_LAWS,
  ...STATUS_LAWS,
};
