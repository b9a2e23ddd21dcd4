/**
 * Where the API server is and who we are: a service account's files inside a pod, else a kubeconfig. The kubeconfig
 * reader (and the library behind it) is loaded only when it is needed.
 */
import type { ClusterAccess, Credentials } from "./credentials.ts";
import { TerminalError } from "./errors.ts";

/** Where a pod finds its service account. */
export const SERVICE_ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount";

/** How long the files of a service account are used before they are read again. */
const FILES_MAX_AGE_MS = 60_000;

/**
 * The access that the environment gives: `$KUBECONFIG` if set, else the pod's service account, else `~/.kube/config`.
 *
 * @throws {TerminalError} if there is none, or it cannot be used.
 */
export async function loadAccess(): Promise<ClusterAccess> {
  const host = Deno.env.get("KUBERNETES_SERVICE_HOST");
  if (!Deno.env.get("KUBECONFIG") && host) {
    return await inClusterAccess({ host, port: Deno.env.get("KUBERNETES_SERVICE_PORT") ?? "443" });
  }
  const { kubeconfigAccess } = await import("./kubeconfig.ts");
  return await kubeconfigAccess();
}

/** Options of {@linkcode inClusterAccess}. */
export interface InClusterOptions {
  readonly host: string;
  readonly port: string;
  /** @default {SERVICE_ACCOUNT_DIRECTORY} */
  readonly directory?: string;
  /** Milliseconds since some moment. @default {performance.now} */
  readonly now?: () => number;
}

/** The access of a pod; token and CA are read again at most once a minute, as the kubelet rotates them. */
export async function inClusterAccess(options: InClusterOptions): Promise<ClusterAccess> {
  const { host, port, directory = SERVICE_ACCOUNT_DIRECTORY, now = () => performance.now() } = options;
  const read = async (file: string) => {
    try {
      return (await Deno.readTextFile(`${directory}/${file}`)).trim();
    } catch (cause) {
      throw new TerminalError(`Cannot use the pod's service account: ${directory}/${file} is not readable`, { cause });
    }
  };
  const load = async (): Promise<Credentials> => ({
    headers: { authorization: `Bearer ${await read("token")}` },
    caCerts: [await read("ca.crt")],
  });
  let credentials = await load();
  let readAt = now();
  return {
    baseUrl: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    namespace: await read("namespace"),
    async credentials() {
      if (now() - readAt >= FILES_MAX_AGE_MS) {
        const formerReadAt = readAt;
        readAt = now();
        try {
          credentials = await load();
        } catch {
          readAt = formerReadAt; // a token outlives its rotation by minutes: the next request tries again
        }
      }
      return credentials;
    },
  };
}
