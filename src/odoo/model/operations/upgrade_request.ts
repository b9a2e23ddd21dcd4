/** What an OdooUpgradeJob asks for → why it cannot be carried out, or from when on it may be. */
import type { OdooUpgradeJob } from "../../crd/mod.ts";

/** Why a request is refused for good: nothing but another request can help. */
export interface RequestProblem {
  readonly reason: "NoModules" | "ModuleNameInvalid" | "ScheduledTimeInvalid";
  readonly message: string;
}

/** A request, judged. */
export type UpgradeRequest =
  | { readonly problem: RequestProblem }
  /** In milliseconds since the epoch; absent: at once. */
  | { readonly problem?: undefined; readonly notBefore?: number };

// A folder of Python: it goes between commas, behind a flag.
const MODULE_NAME = /^[a-z0-9_]+$/i;
const LONGEST_MODULE_NAME = 128;
const LONGEST_QUOTE = 80;

const RFC_3339 = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** Whether the request can be carried out, and from when on. */
export function upgradeProblem({ spec }: OdooUpgradeJob): UpgradeRequest {
  const fields = { modules: spec.modules ?? [], modulesInstall: spec.modulesInstall ?? [] };
  if (fields.modules.length + fields.modulesInstall.length === 0) {
    return refused("NoModules", "Nothing is asked for: name modules in spec.modules or spec.modulesInstall");
  }
  for (const [field, names] of Object.entries(fields)) {
    const bad = names.find((name) => !MODULE_NAME.test(name) || name.length > LONGEST_MODULE_NAME);
    if (bad !== undefined) {
      return refused(
        "ModuleNameInvalid",
        `spec.${field} has ${quoted(bad)}, which is no technical name of a module (letters, digits and _)`,
      );
    }
  }
  if (!spec.scheduledTime) return {};
  const notBefore = instantOf(spec.scheduledTime);
  if (notBefore !== undefined) return { notBefore };
  return refused(
    "ScheduledTimeInvalid",
    `spec.scheduledTime is ${quoted(spec.scheduledTime)}, which is no time in RFC 3339 such as 2026-11-21T02:00:00Z`,
  );
}

/** Milliseconds since the epoch; undefined for what is not RFC 3339, as a day that does not exist. */
function instantOf(text: string): number | undefined {
  const [, day, time, fraction = "", zone] = RFC_3339.exec(text) ?? [];
  if (!day || !time || !zone) return undefined;
  const wall = Date.parse(`${day}T${time}Z`);
  // Date.parse() takes the 31st of every month
  if (Number.isNaN(wall) || new Date(wall).toISOString() !== `${day}T${time}.000Z`) return undefined;
  const instant = Date.parse(`${day}T${time}${fraction.slice(0, 4)}${zone.toUpperCase()}`);
  return Number.isNaN(instant) ? undefined : instant;
}

function refused(reason: RequestProblem["reason"], message: string): UpgradeRequest {
  return { problem: { reason, message } };
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, LONGEST_QUOTE));
}
