/**
 * What all kinds of the group have in common: names, versions, columns, webhooks, the manner of our rules.
 *
 * Compatibility decides the details: every object that was stored for odoo-operator 2.5.0 stays acceptable, and every
 * manifest that worked with it. Hence `.nullish()`: explicit nulls are stored. Our rules judge new and changed values.
 */
import { z } from "zod";
import type { CelRule, CrdVersion, PrinterColumn } from "../../kit/crd.ts";
import { API_VERSION, GROUP } from "../api.ts";

/** Helm must never delete a CRD: all objects of the kind, and with them the databases, would go too. */
export const KEEP_ON_UNINSTALL = { "helm.sh/resource-policy": "keep" } as const;

/** Ends `additionalPrinterColumns` of every kind. */
export const AGE_COLUMN: PrinterColumn = { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" };

export const PHASE_COLUMN: PrinterColumn = { name: "Phase", jsonPath: ".status.phase" };

/**
 * The version `v1` of former operators, neither served nor stored: a cluster that once stored objects with it keeps it
 * in `status.storedVersions`, and the API server refuses a CRD that lacks a stored version.
 */
export function legacyVersion(current: Pick<CrdVersion, "printerColumns" | "scale">): CrdVersion {
  return {
    name: "v1",
    served: false,
    storage: false,
    deprecationWarning: `${GROUP}/v1 is deprecated; migrate to ${API_VERSION}`,
    ...current,
  };
}

/** A rule that an unchanged value passes: objects older than the rule get their finalizer, status and deletion. */
export function ratcheting(rule: string, message: string): CelRule {
  return { rule: `(${rule}) || (oldSelf.hasValue() && oldSelf.value() == self)`, message, optionalOldSelf: true };
}

export const webhookConfig = z.object({
  url: z.string().describe("Address that gets a POST with the outcome as JSON."),
  token: z.string().nullish()
    .describe("Bearer token in plain text. Anyone who may read this object reads it: prefer secretTokenSecretRef."),
  secretTokenSecretRef: z.object({
    name: z.string().describe("Name of a Secret in this namespace."),
    key: z.string().describe("Key in that Secret."),
  }).nullish().describe("Where the bearer token is read from; used if token is empty."),
});
