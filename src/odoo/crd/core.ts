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
  V1TopologySpreadConstraint,
  V1Volume,
  V1VolumeMount,
} from "@kubernetes/client-node";
import { z } from "zod";
import { embeddedType, intOrString, kubernetes } from "../../kit/crd.ts";
import { ratcheting } from "./shared.ts";

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

export const topologySpreadConstraint = embeddedType<V1TopologySpreadConstraint>(z.object({
  labelSelector: labelSelector("Which pods are counted. Absent: none."),
  matchLabelKeys: texts("Labels whose value is taken from the pod being placed, to count only its like."),
  maxSkew: z.int32().describe("By how many pods the fullest place may exceed the emptiest, from 1."),
  minDomains: z.int32().optional().describe("How many places there must be; with fewer, the emptiest counts as 0."),
  nodeAffinityPolicy: text("Honor (default) or Ignore the pod's node affinity when places are counted."),
  nodeTaintsPolicy: text("Honor or Ignore (default) taints when places are counted."),
  topologyKey: z.string().describe("Label of nodes; nodes with the same value are one place."),
  whenUnsatisfiable: z.string().describe(
    "DoNotSchedule leaves the pod pending, ScheduleAnyway places it all the same.",
  ),
}));

const keyToPath = z.array(z.object({
  key: z.string().describe("Key that becomes a file."),
  mode: z.int32().optional().describe("Permission bits of the file, as a decimal number. Default: defaultMode."),
  path: z.string().describe("Path of the file, below the volume."),
})).optional().describe("Keys to take, and where to. Absent: all, each under its own name.");

const defaultMode = z.int32().optional().describe(
  "Permission bits of the files, as a decimal number. Default 420 (0644).",
);

const configMapFiles = {
  items: keyToPath,
  name: z.string().describe("Name of a ConfigMap in the instance's namespace."),
  optional: z.boolean().optional().describe("True: the pod starts even if the ConfigMap or a key is missing."),
};

/**
 * Sources that a tenant may mount: objects of their own namespace and empty space. None of the node's own directories and
 * devices, which the operator would otherwise open for somebody who may not create such pods.
 */
const VOLUME_SOURCES = ["configMap", "secret", "emptyDir", "persistentVolumeClaim", "projected"] as const;

export const volume = embeddedType<V1Volume>(
  z.object({
    name: z.string().describe("Name that extraVolumeMounts refer to; not filestore, odoo-conf or tmp."),
    configMap: z.object({ ...configMapFiles, defaultMode }).optional().describe("Files from a ConfigMap."),
    secret: z.object({
      defaultMode,
      items: keyToPath,
      optional: z.boolean().optional().describe("True: the pod starts even if the Secret or a key is missing."),
      secretName: z.string().describe("Name of a Secret in the instance's namespace."),
    }).optional().describe("Files from a Secret."),
    emptyDir: z.object({
      medium: text("Empty for the node's disk, Memory for a tmpfs."),
      sizeLimit: intOrString().optional().describe("Most that it may hold, such as 1Gi."),
    }).optional().describe("Empty space that lives as long as the pod."),
    persistentVolumeClaim: z.object({
      claimName: z.string().describe("Name of a claim in the instance's namespace."),
      readOnly: z.boolean().optional().describe("True: mounted read-only."),
    }).optional().describe("Another volume."),
    projected: z.object({
      defaultMode,
      sources: z.array(z.object({
        configMap: z.object(configMapFiles).optional().describe("Files from a ConfigMap."),
        secret: z.object({
          ...configMapFiles,
          name: z.string().describe("Name of a Secret in the instance's namespace."),
        })
          .optional().describe("Files from a Secret."),
      })).optional().describe("What is put together."),
    }).optional().describe("Files from several ConfigMaps and Secrets in one directory."),
  }).meta(kubernetes({
    rules: [
      ratcheting(
        `[${VOLUME_SOURCES.map((source) => `has(self.${source})`).join(", ")}].filter(x, x).size() == 1`,
        `a volume needs exactly one source out of ${VOLUME_SOURCES.join(", ")}; others are not open to instances`,
      ),
    ],
  })),
);

export const volumeMount = embeddedType<V1VolumeMount>(z.object({
  mountPath: z.string().describe("Where the container finds the volume."),
  name: z.string().describe("Name of an entry of extraVolumes."),
  readOnly: z.boolean().optional().describe("True: mounted read-only."),
  subPath: text("Directory or file of the volume that is mounted instead of its root."),
}));
