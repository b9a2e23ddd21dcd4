/** The validating webhook of OdooInstances: whether it is served, its certificate and its validator. */
import {
  AdmissionServer,
  type Client,
  type KubeObject,
  type Logger,
  messageOf,
  type Part,
  type PartTools,
  readServingCertificate,
  type ResourceType,
} from "../../kit/mod.ts";
import type { AdmissionRequest } from "../../kit/mod.ts";
import { GROUP, VERSION } from "../api.ts";
import type { OdooInstance } from "../crd/mod.ts";
import { judgeInstance } from "../model/instance/admission.ts";
import type { WebhookConfig } from "./config.ts";

/** The path of operator 2.5.0, whose ValidatingWebhookConfiguration stays valid. */
export const WEBHOOK_PATH = `/validate-${GROUP.replaceAll(".", "-")}-${VERSION}-odooinstance`;

/** Returns the user name of the caller; every authenticated user may create it. */
const SelfSubjectReview: ResourceType<
  KubeObject & { readonly status?: { readonly userInfo?: { readonly username?: string } } }
> = { group: "authentication.k8s.io", version: "v1", kind: "SelfSubjectReview", plural: "selfsubjectreviews" };

/**
 * The part that serves the webhook, or `undefined` if no certificate is configured and none is at the default path.
 *
 * @throws {TerminalError} with a message of one line, if a certificate is configured or at the default path, and cannot be
 * used.
 */
export async function planWebhook(
  config: WebhookConfig,
  log: Logger,
): Promise<((tools: PartTools) => Part) | undefined> {
  const { required, certPath, keyPath, port } = config;
  if (!required && !(await exists(certPath) && await exists(keyPath))) {
    log.warn("Not serving the validating webhook: there is no certificate", { certPath, keyPath });
    return undefined;
  }
  await readServingCertificate(config);
  return (tools) => {
    let operatorUser: string | undefined;
    const { log, metrics, clock } = tools;
    const server = new AdmissionServer({
      certPath,
      keyPath,
      port,
      log,
      metrics,
      clock,
      validators: {
        [WEBHOOK_PATH]: (request) => judgeInstance(request as AdmissionRequest<OdooInstance>, { operatorUser }),
      },
    });
    return {
      name: "validating webhook",
      problem: () => server.problem(),
      ready: () => server.ready(),
      async run(signal) {
        operatorUser = await tryReadOwnName(tools.client, log);
        await server.run(signal);
      },
    };
  };
}

/** The user name of the operator, whose writes are always allowed; `undefined`, if it cannot be read. */
async function tryReadOwnName(client: Client, log: Logger): Promise<string | undefined> {
  try {
    return (await client.create(SelfSubjectReview, {})).status?.userInfo?.username;
  } catch (error) {
    log.warn("Cannot read the user name of the operator; its writes are validated like those of other clients", {
      error: messageOf(error),
    });
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
