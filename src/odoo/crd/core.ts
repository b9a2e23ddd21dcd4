/**
 * The parts of core/v1 that an Odoo resource embeds: schemas for the API server, client-node's types for us.
 *
 * Optional fields are not nullable here, as in Kubernetes itself. Quantities may be numbers: the API server stores what
 * the user wrote, so a value in `limits` or `requests` may be a number although its TypeScript type says string.
 */
import type {
  V1Affinity,
  V1EnvFromSource,
  V1EnvVar,
  V1ResourceRequirements,
  V1Toleration,
} from "@kubernetes/client-node";
import { z } from "zod";
import { embeddedType, intOrString, kubernetes } from "../../kit/crd.ts";
import type { Condition } from "../../kit/types.ts";

/** A text, absent unless given. */
function text(description: string): z.ZodOptional<z.ZodString> {
  return z.string().optional().describe(description);
}

function texts(description: string): z.ZodOptional<z.ZodArray<z.ZodString>> {
  return z.array(z.string()).optional().describe(description);
}

function quantities(description: string): z.ZodOptional<z.ZodRecord<z.ZodString, ReturnType<typeof intOrString>>> {
  return z.record(z.string(), intOrString()).optional().describe(description);
}

export const resourceRequirements = embeddedType<V1ResourceRequirements>(z.object({
  claims: z.array(z.object({
    name: z.string().describe("Name of an entry of the pod's resourceClaims."),
    request: text("Name of one request of that claim. Empty: all of them."),
  })).optional().describe("Claims of dynamic resource allocation that the container uses."),
  limits: quantities(
    "Most that the container may use, by resource: cpu: 2, memory: 4Gi. More memory than this ends it.",
  ),
  requests: quantities("What the scheduler sets aside for the container, by resource. Defaults to the limits."),
}));

const nodeRequirement = z.object({
  key: z.string().describe("Label of the node that is compared."),
  operator: z.string().describe("In, NotIn, Exists, DoesNotExist, Gt or Lt."),
  values: texts("Values to compare with: some for In and NotIn, one integer for Gt and Lt, none for the others."),
});

const nodeSelectorTerm = z.object({
  matchExpressions: z.array(nodeRequirement).optional().describe("Requirements on the node's labels; all must hold."),
  matchFields: z.array(nodeRequirement).optional().describe(
    "Requirements on the node's fields, such as metadata.name; all must hold.",
  ),
});

function labelSelector(description: string) {
  return z.object({
    matchExpressions: z.array(z.object({
      key: z.string().describe("Label that is compared."),
      operator: z.string().describe("In, NotIn, Exists or DoesNotExist."),
      values: texts("Values to compare with: some for In and NotIn, none for the others."),
    })).optional().describe("Requirements on labels; all must hold."),
    matchLabels: z.record(z.string(), z.string()).optional().describe("Labels that must have exactly these values."),
  }).optional().describe(description);
}

const podAffinityTerm = z.object({
  labelSelector: labelSelector("Which pods are meant. Absent: none."),
  matchLabelKeys: texts("Labels whose value is taken from the pod being placed and must be equal in the pods meant."),
  mismatchLabelKeys: texts("Labels whose value is taken from the pod being placed and must differ in the pods meant."),
  namespaceSelector: labelSelector(
    "Namespaces, by label, in which pods are looked for; added to namespaces. Empty: all.",
  ),
  namespaces: texts(
    "Names of namespaces in which pods are looked for. Without it and namespaceSelector: the pod's own.",
  ),
  topologyKey: z.string().describe(
    "Label of nodes; nodes with the same value are one place, e.g. kubernetes.io/hostname.",
  ),
});

function weight(of: string) {
  return z.int32().describe(`Points that a node gets for ${of}, 1 to 100.`);
}

function podAffinity(description: string) {
  return z.object({
    preferredDuringSchedulingIgnoredDuringExecution: z.array(z.object({
      podAffinityTerm: podAffinityTerm.describe("The pods meant, and what counts as one place."),
      weight: weight("this term"),
    })).optional().describe("Wishes: the node with the most points wins."),
    requiredDuringSchedulingIgnoredDuringExecution: z.array(podAffinityTerm).optional()
      .describe("Requirements: without a node that meets all of them the pod stays pending."),
  }).optional().describe(description);
}

export const affinity = embeddedType<V1Affinity>(z.object({
  nodeAffinity: z.object({
    preferredDuringSchedulingIgnoredDuringExecution: z.array(z.object({
      preference: nodeSelectorTerm.describe("The nodes that are liked."),
      weight: weight("matching the preference"),
    })).optional().describe("Wishes: the node with the most points wins."),
    requiredDuringSchedulingIgnoredDuringExecution: z.object({
      nodeSelectorTerms: z.array(nodeSelectorTerm).describe("Kinds of nodes; one of them must match."),
    }).optional().describe("Requirement: without such a node the pod stays pending."),
  }).optional().describe("Which nodes the pods want or need."),
  podAffinity: podAffinity("Which pods the pods want or need to be near to."),
  podAntiAffinity: podAffinity("Which pods the pods want or need to be away from."),
}));

export const toleration = embeddedType<V1Toleration>(z.object({
  effect: text("Effect of the taint that is tolerated: NoSchedule, PreferNoSchedule or NoExecute. Empty: all."),
  key: text("Key of the taint that is tolerated. Empty, with operator Exists: all."),
  operator: text("Exists or Equal (default)."),
  tolerationSeconds: z.int().optional().describe(
    "Seconds that a pod stays on a node after a NoExecute taint. Absent: for ever.",
  ),
  value: text("Value of the taint, for operator Equal."),
}));

function keyReference(kind: string) {
  return z.object({
    key: z.string().describe(`Key in the ${kind}.`),
    name: z.string().describe(`Name of a ${kind} in the instance's namespace.`),
    optional: z.boolean().optional().describe(`True: the container starts even if the ${kind} or its key is missing.`),
  });
}

export const envVar = embeddedType<V1EnvVar>(z.object({
  name: z.string().describe("Name of the variable."),
  value: text("The value in plain text; $(NAME) refers to earlier variables. For secrets use valueFrom."),
  valueFrom: z.object({
    configMapKeyRef: keyReference("ConfigMap").optional().describe("Takes the value from a ConfigMap."),
    fieldRef: z.object({
      apiVersion: text("Version of the schema that fieldPath is read with. Default v1."),
      fieldPath: z.string().describe("Path of the field, such as metadata.name or status.podIP."),
    }).optional().describe("Takes the value from a field of the pod."),
    resourceFieldRef: z.object({
      containerName: text("Container that is meant. Default: this one."),
      divisor: intOrString().optional().describe("Unit of the result, such as 1Mi. Default 1."),
      resource: z.string().describe("Resource, such as limits.memory."),
    }).optional().describe("Takes the value from a resource limit or request of a container."),
    secretKeyRef: keyReference("Secret").optional().describe("Takes the value from a Secret."),
  }).optional().describe("Where the value comes from, instead of value."),
}));

function source(kind: string) {
  return z.object({
    name: z.string().describe(`Name of a ${kind} in the instance's namespace.`),
    optional: z.boolean().optional().describe(`True: the container starts even if the ${kind} is missing.`),
  }).optional().describe(`Makes every key of a ${kind} a variable.`);
}

export const envFromSource = embeddedType<V1EnvFromSource>(z.object({
  configMapRef: source("ConfigMap"),
  prefix: text("Put before the name of each variable."),
  secretRef: source("Secret"),
}));

/** Typed as the kit's own Condition: what reads and writes conditions is in the kit. */
export const condition = embeddedType<Condition>(z.object({
  lastTransitionTime: z.string().meta(kubernetes({ format: "date-time" })).describe("When status last changed."),
  message: z.string().describe("What is the case and what to do about it, for people."),
  observedGeneration: z.int().optional().describe("metadata.generation that this condition was judged by."),
  reason: z.string().describe("Why, as one word for programs."),
  status: z.string().describe("True, False or Unknown."),
  type: z.string().describe("What is judged, such as Ready."),
}));
