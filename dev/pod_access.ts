/**
 * Lets a program on this machine find the API server as it would in a pod: a service account's files in their place and
 * KUBERNETES_SERVICE_*. The files lie in a mount namespace of the program's own, so this needs root on Linux.
 */
import { SERVICE_ACCOUNT_DIRECTORY } from "../src/kit/access.ts";
import { openClusterApi } from "./cluster_api.ts";
import type { LocalCluster } from "./control_plane.ts";

/** How to start a program like that. */
export interface PodAccess {
  /** The user that the API server sees. */
  readonly user: string;
  readonly token: string;
  readonly env: Readonly<Record<string, string>>;
  /** The command that starts `command` so. */
  wrap(command: readonly string[]): string[];
}

/** `$0`: where the files are, `$1`: where a pod has them; the rest is the program. */
const SCRIPT = 'mount -t tmpfs tmpfs /run && mkdir -p "$1" && cp "$0"/* "$1" && shift && exec "$@"';

const TOKEN_SECONDS = 7200;

/** Access as the service account `name`, which is made if need be; `undefined` where this machine cannot do that. */
export async function podAccess(
  cluster: LocalCluster,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<PodAccess | undefined> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return undefined;
  using api = await openClusterApi(cluster.access);
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await api.create(accounts, { metadata: { name } });
  const request = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { expirationSeconds: TOKEN_SECONDS },
  };
  const answer = await api.request(`${accounts}/${name}/token`, { method: "POST", body: request });
  const { token } = (answer.body as { readonly status: { readonly token: string } }).status;
  const directory = `${cluster.directory}/service-account-${name}`;
  await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  for (const [file, text] of Object.entries({ token, namespace, "ca.crt": cluster.caPem })) {
    await Deno.writeTextFile(`${directory}/${file}`, text);
  }
  const { hostname, port } = new URL(cluster.baseUrl);
  return {
    user: `system:serviceaccount:${namespace}:${name}`,
    token,
    env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port, KUBECONFIG: "" },
    wrap: (command) => ["unshare", "--mount", "sh", "-c", SCRIPT, directory, SERVICE_ACCOUNT_DIRECTORY, ...command],
  };
}
