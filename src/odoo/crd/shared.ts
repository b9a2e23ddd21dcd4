/**
 * Parts that all kinds of the group share: versions, columns, webhooks, ratcheting rules.
 *
 * The schemas accept every object that operator 2.5.0 stored and every manifest that worked with it. Hence `.nullish()`:
 * stored objects contain explicit nulls. Rules that 2.5.0 did not have apply to new and changed values only.
 */
import { z } from "zod";
import type { CelRule, CrdVersion, PrinterColumn } from "../../kit/crd.ts";
import { API_VERSION, GROUP } from "../api.ts";

/** Helm must never delete a CRD: all objects of the kind, and with them the databases, would be deleted too. */
export const KEEP_ON_UNINSTALL = { "helm.sh/resource-policy": "keep" } as const;

/** The last entry of `additionalPrinterColumns` of every kind. */
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

/** A rule that an unchanged value passes, so that objects older than the rule can still be updated and deleted. */
export function ratcheting(rule: string, message: string): CelRule {
  return { rule: `(${rule}) || (oldSelf.hasValue() && oldSelf.value() == self)`, message, optionalOldSelf: true };
}

export const webhookConfig = z.object({
  url: z.string().describe("URL that receives a POST with the outcome as JSON."),
  token: z.string().nullish()
    .describe(
      "Bearer token in plain text. Every user who may read this object can read it: prefer secretTokenSecretRef.",
    ),
  secretTokenSecretRef: z.object({
    name: z.string().describe("Name of a Secret in this namespace."),
    key: z.string().describe("Key in that Secret."),
  }).nullish().describe("Secret with the bearer token. It is used if token is empty."),
});
