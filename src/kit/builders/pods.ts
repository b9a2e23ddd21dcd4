/** Parts of a pod: containers, their environment, and the security settings that the restricted Pod Security level asks for. */
import type { V1Container, V1EnvVar, V1PodSecurityContext, V1SecurityContext } from "@kubernetes/client-node";
import type { Wire } from "./kinds.ts";

export type Container = Wire<V1Container>;
export type EnvVar = Wire<V1EnvVar>;

/** A container; every field of `core/v1 Container` may be given. */
export function container(
  name: string,
  image: string,
  fields: Partial<Omit<Container, "name" | "image">> = {},
): Container {
  return { name, image, ...fields };
}

/** Plain environment variables, in the order given. Not for secrets: {@linkcode envFromSecret}. */
export function env(values: Readonly<Record<string, string>>): EnvVar[] {
  return Object.entries(values).map(([name, value]) => ({ name, value }));
}

/** Plain environment variables whose values Kubernetes leaves as they are: it would take `$(NAME)` for another variable. */
export function literalEnv(values: Readonly<Record<string, string>>): EnvVar[] {
  return Object.entries(values).map(([name, value]) => ({ name, value: value.replaceAll("$", "$$$$") })); // each $ twice
}

/** An environment variable whose value stays in a Secret. */
export function envFromSecret(name: string, secret: { readonly name: string; readonly key: string }): EnvVar {
  return { name, valueFrom: { secretKeyRef: { name: secret.name, key: secret.key } } };
}

/** Container settings of the restricted Pod Security level. */
export function restrictedContainer(): Wire<V1SecurityContext> {
  return { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } };
}

/** Pod settings of the restricted Pod Security level, for a fixed user and group; volumes belong to the group. */
export function restrictedPod(ids: { readonly user: number; readonly group: number }): Wire<V1PodSecurityContext> {
  return {
    runAsNonRoot: true,
    runAsUser: ids.user,
    runAsGroup: ids.group,
    fsGroup: ids.group,
    seccompProfile: { type: "RuntimeDefault" },
  };
}
