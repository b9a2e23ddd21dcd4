/**
 * A kubeconfig's current context as {@linkcode ClusterAccess}. The only run-time importer of @kubernetes/client-node,
 * which knows every way to log in (client certificates, tokens, exec plugins, OIDC); loaded on demand, it is large.
 */
import { KubeConfig } from "@kubernetes/client-node";
import { Buffer } from "node:buffer";
import type { RequestOptions } from "node:https";
import type { ClusterAccess, Credentials } from "./credentials.ts";
import { messageOf, TerminalError } from "./errors.ts";

/**
 * The current context of `$KUBECONFIG`, else of `~/.kube/config`. Exec plugins and OIDC are asked again when their
 * token ends; the library keeps it until then.
 *
 * @throws {TerminalError} if there is no usable context.
 */
export async function kubeconfigAccess(): Promise<ClusterAccess> {
  const config = new KubeConfig();
  try {
    config.loadFromDefault();
  } catch (cause) {
    throw new TerminalError(`Cannot read the kubeconfig: ${messageOf(cause)}`, { cause });
  }
  const cluster = config.getCurrentCluster();
  // Where it finds nothing, the library makes up a context of this name that points at localhost:8080.
  if (!cluster || config.getCurrentContext() === "loaded-context") {
    throw new TerminalError(
      "Cannot find a cluster: KUBECONFIG is not set, ~/.kube/config has no current context, and this is not a pod",
    );
  }
  if (cluster.skipTLSVerify) {
    throw new TerminalError(
      "Cannot use the kubeconfig: insecure-skip-tls-verify is not supported, set certificate-authority-data",
    );
  }
  if (cluster.tlsServerName || cluster.proxyUrl) {
    throw new TerminalError("Cannot use the kubeconfig: tls-server-name and proxy-url are not supported");
  }
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace;
  const access = {
    baseUrl: cluster.server.replace(/\/+$/, ""),
    credentials: () => currentCredentials(config),
    ...(namespace ? { namespace } : {}),
  };
  await access.credentials();
  return access;
}

async function currentCredentials(config: KubeConfig): Promise<Credentials> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const [ca, cert, key] = [options.ca, options.cert, options.key].map(pemOf);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value);
  if (typeof options.auth === "string") headers.authorization = `Basic ${btoa(options.auth)}`;
  return { headers, ...(ca ? { caCerts: [ca] } : {}), ...(cert && key ? { cert, key } : {}) };
}

function pemOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return Buffer.isBuffer(value) ? value.toString("utf8") : String(value);
}
