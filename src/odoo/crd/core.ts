/**
 * The parts of core/v1 that the custom resources embed: schemas for the API server, typed with client-node's types.
 *
 * Optional fields are not nullable here, as in Kubernetes itself. Quantities may be numbers: the API server stores what
 * the user wrote, so a value in `limits` or `requests` may be a number although its TypeScript type is string.
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

/** An optional string. */
function text(description: string): z.ZodOptional<z.ZodString> {
  return z.string().optional().describe(description);
}

/** An optional list of strings. */
function texts(description: string): z.ZodOptional<z.ZodArray<z.ZodString>> {
  return z.array(z.string()).optional().describe(description);
}

/** An optional map of resource names to quantities. */
function quantities(description: string): z.ZodOptional<z.ZodRecord<z.ZodString, ReturnType<typeof intOrString>>> {
  return z.record(z.string(), intOrString()).optional().describe(description);
}

export const resourceRequirements = embeddedType<V1ResourceRequirements>(z.object({
  claims: z.array(z.object({
    name: z.string().describe("Name of an entry of the pod's resourceClaims."),
    request: text("Name of one request of that claim. Default: all requests of the claim."),
  })).optional().describe("Claims for dynamic resource allocation that the container uses."),
  limits: quantities(
    "Upper limit for each resource, such as cpu: 2 and memory: 4Gi. A container that exceeds its memory limit is killed.",
  ),
  requests: quantities(
    "Amount of each resource that the scheduler reserves for the container, such as cpu: 500m. Default: the limits.",
  ),
}));

const nodeRequirement = z.object({
  key: z.string().describe("Label or field of the node that is compared."),
  operator: z.string().describe("Comparison: In, NotIn, Exists, DoesNotExist, Gt or Lt."),
  values: texts("Values to compare with: at least one for In and NotIn, one integer for Gt and Lt, none otherwise."),
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
      key: z.string().describe("Label key that is compared."),
      operator: z.string().describe("Comparison: In, NotIn, Exists or DoesNotExist."),
      values: texts("Values to compare with: at least one for In and NotIn, none otherwise."),
    })).optional().describe("Requirements on labels; all must hold."),
    matchLabels: z.record(z.string(), z.string()).optional().describe("Labels that must have exactly these values."),
  }).optional().describe(description);
}

const podAffinityTerm = z.object({
  labelSelector: labelSelector("Labels of the pods that the term is about. Absent: no pods."),
  matchLabelKeys: texts("Label keys whose values must be the same in the scheduled pod and in the selected pods."),
  mismatchLabelKeys: texts("Label keys whose values must differ between the scheduled pod and the selected pods."),
  namespaceSelector: labelSelector(
    "Labels of further namespaces whose pods are selected, beside those in namespaces. Empty: all namespaces.",
  ),
  namespaces: texts(
    "Names of namespaces whose pods are selected. Default, without namespaceSelector: the namespace of the pod.",
  ),
  topologyKey: z.string().describe(
    "Node label that defines the topology domain, such as kubernetes.io/hostname: nodes with the same value form one domain.",
  ),
});

function weight(of: string) {
  return z.int32().describe(`Points that a node gets for ${of}, from 1 to 100.`);
}

function podAffinity(description: string) {
  return z.object({
    preferredDuringSchedulingIgnoredDuringExecution: z.array(z.object({
      podAffinityTerm: podAffinityTerm.describe("The pods that are selected, and the topology domain."),
      weight: weight("this term"),
    })).optional().describe("Preferences: the node with the highest sum of weights is chosen."),
    requiredDuringSchedulingIgnoredDuringExecution: z.array(podAffinityTerm).optional()
      .describe("Requirements: the pod stays pending while no node meets all of them."),
  }).optional().describe(description);
}

export const affinity = embeddedType<V1Affinity>(z.object({
  nodeAffinity: z.object({
    preferredDuringSchedulingIgnoredDuringExecution: z.array(z.object({
      preference: nodeSelectorTerm.describe("Labels or fields of the preferred nodes."),
      weight: weight("matching the preference"),
    })).optional().describe("Preferences: the node with the highest sum of weights is chosen."),
    requiredDuringSchedulingIgnoredDuringExecution: z.object({
      nodeSelectorTerms: z.array(nodeSelectorTerm).describe("Terms of which a node must match at least one."),
    }).optional().describe("Requirement: the pod stays pending while no node matches."),
  }).optional().describe("Nodes that the pods prefer or require."),
  podAffinity: podAffinity("Pods in whose topology domain the pods prefer or have to run."),
  podAntiAffinity: podAffinity("Pods in whose topology domain the pods prefer not to run or must not run."),
}));

export const toleration = embeddedType<V1Toleration>(z.object({
  effect: text("Effect of the tolerated taint: NoSchedule, PreferNoSchedule or NoExecute. Default: all effects."),
  key: text("Key of the tolerated taint. Empty, with operator Exists: all taints."),
  operator: text("Comparison with the value of the taint: Exists or Equal. Default: Equal."),
  tolerationSeconds: z.int().optional().describe(
    "Seconds that a pod stays on the node after a NoExecute taint was added. Default: without limit.",
  ),
  value: text("Value of the tolerated taint, for operator Equal."),
}));

function keyReference(kind: string) {
  return z.object({
    key: z.string().describe(`Key in the ${kind}.`),
    name: z.string().describe(`Name of a ${kind} in the instance's namespace.`),
    optional: z.boolean().optional().describe(
      `True: the container starts even if the ${kind} or its key is missing. Default: false.`,
    ),
  });
}

export const envVar = embeddedType<V1EnvVar>(z.object({
  name: z.string().describe("Name of the environment variable."),
  value: text("Value in plain text; $(NAME) refers to a variable defined before. For passwords use valueFrom."),
  valueFrom: z.object({
    configMapKeyRef: keyReference("ConfigMap").optional().describe("Takes the value from a key of a ConfigMap."),
    fieldRef: z.object({
      apiVersion: text("API version of fieldPath. Default: v1."),
      fieldPath: z.string().describe("Path of the field in the pod, such as metadata.name or status.podIP."),
    }).optional().describe("Takes the value from a field of the pod."),
    resourceFieldRef: z.object({
      containerName: text("Name of the container. Default: this container."),
      divisor: intOrString().optional().describe("Unit of the value, such as 1Mi. Default: 1."),
      resource: z.string().describe("Name of the resource, such as limits.memory."),
    }).optional().describe("Takes the value from a resource request or limit of a container."),
    secretKeyRef: keyReference("Secret").optional().describe("Takes the value from a key of a Secret."),
  }).optional().describe("Source of the value, instead of value."),
}));

function source(kind: string) {
  return z.object({
    name: z.string().describe(`Name of a ${kind} in the instance's namespace.`),
    optional: z.boolean().optional().describe(
      `True: the container starts even if the ${kind} is missing. Default: false.`,
    ),
  }).optional().describe(`Defines an environment variable for each key of a ${kind}.`);
}

export const envFromSource = embeddedType<V1EnvFromSource>(z.object({
  configMapRef: source("ConfigMap"),
  prefix: text("Prefix of the names of the variables."),
  secretRef: source("Secret"),
}));

export const topologySpreadConstraint = embeddedType<V1TopologySpreadConstraint>(z.object({
  labelSelector: labelSelector("Labels of the pods that are counted. Absent: no pods."),
  matchLabelKeys: texts("Label keys: only pods with the same values as the scheduled pod are counted."),
  maxSkew: z.int32().describe(
    "Largest allowed difference in the number of pods between two topology domains, at least 1.",
  ),
  minDomains: z.int32().optional().describe(
    "Least number of topology domains. While there are fewer, the smallest number of pods in a domain counts as 0.",
  ),
  nodeAffinityPolicy: text(
    "Honor or Ignore: whether only nodes that match the pod's node affinity are counted. Default: Honor.",
  ),
  nodeTaintsPolicy: text(
    "Honor or Ignore: whether nodes whose taints the pod does not tolerate are left out. Default: Ignore.",
  ),
  topologyKey: z.string().describe(
    "Node label that defines the topology domain: nodes with the same value form one domain.",
  ),
  whenUnsatisfiable: z.string().describe(
    "What happens when the constraint cannot be met. DoNotSchedule: the pod stays pending. ScheduleAnyway: it is scheduled nevertheless.",
  ),
}));

const keyToPath = z.array(z.object({
  key: z.string().describe("Key whose value is the content of the file."),
  mode: z.int32().optional().describe("Permission bits of the file as a decimal number. Default: defaultMode."),
  path: z.string().describe("Path of the file, relative to the root of the volume."),
})).optional().describe("Keys that become files, with their paths. Default: all keys, each as a file of that name.");

const defaultMode = z.int32().optional().describe(
  "Permission bits of the files as a decimal number. Default: 420 (octal 0644).",
);

const configMapFiles = {
  items: keyToPath,
  name: z.string().describe("Name of a ConfigMap in the instance's namespace."),
  optional: z.boolean().optional().describe(
    "True: the pod starts even if the ConfigMap or a key is missing. Default: false.",
  ),
};

/**
 * Volume sources that an instance may use: objects of its own namespace, and emptyDir. Directories and devices of the node
 * are excluded: the operator would otherwise mount them for users who may not create such pods themselves.
 */
const VOLUME_SOURCES = ["configMap", "secret", "emptyDir", "persistentVolumeClaim", "projected"] as const;

export const volume = embeddedType<V1Volume>(
  z.object({
    name: z.string().describe(
      "Name of the volume, which extraVolumeMounts refer to. Must not be filestore, odoo-conf or tmp.",
    ),
    configMap: z.object({ ...configMapFiles, defaultMode }).optional().describe("Files from a ConfigMap."),
    secret: z.object({
      defaultMode,
      items: keyToPath,
      optional: z.boolean().optional().describe(
        "True: the pod starts even if the Secret or a key is missing. Default: false.",
      ),
      secretName: z.string().describe("Name of a Secret in the instance's namespace."),
    }).optional().describe("Files from a Secret."),
    emptyDir: z.object({
      medium: text("Storage medium: empty for the disk of the node, Memory for a tmpfs. Default: empty."),
      sizeLimit: intOrString().optional().describe("Largest size of the volume, such as 1Gi. Default: no limit."),
    }).optional().describe("Empty directory that is deleted with the pod."),
    persistentVolumeClaim: z.object({
      claimName: z.string().describe("Name of a PersistentVolumeClaim in the instance's namespace."),
      readOnly: z.boolean().optional().describe("True: the volume is mounted read-only. Default: false."),
    }).optional().describe("Volume of a PersistentVolumeClaim."),
    projected: z.object({
      defaultMode,
      sources: z.array(z.object({
        configMap: z.object(configMapFiles).optional().describe("Files from a ConfigMap."),
        secret: z.object({
          ...configMapFiles,
          name: z.string().describe("Name of a Secret in the instance's namespace."),
        })
          .optional().describe("Files from a Secret."),
      })).optional().describe("ConfigMaps and Secrets whose files the directory contains."),
    }).optional().describe("Files from several ConfigMaps and Secrets in one directory."),
  }).meta(kubernetes({
    rules: [
      ratcheting(
        `[${VOLUME_SOURCES.map((source) => `has(self.${source})`).join(", ")}].filter(x, x).size() == 1`,
        `extraVolumes[] must have exactly one source out of ${
          VOLUME_SOURCES.join(", ")
        }: other sources are not allowed`,
      ),
    ],
  })),
);

export const volumeMount = embeddedType<V1VolumeMount>(z.object({
  mountPath: z.string().describe("Path in the container at which the volume is mounted."),
  name: z.string().describe("Name of the volume in extraVolumes."),
  readOnly: z.boolean().optional().describe("True: the volume is mounted read-only. Default: false."),
  subPath: text("Directory or file of the volume that is mounted. Default: the root of the volume."),
}));
