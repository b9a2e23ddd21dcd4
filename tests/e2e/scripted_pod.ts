/** A shell script in a pod of its own, in Odoo's image, which has the clients of PostgreSQL; its log when it has ended. */
import { literalEnv, Pod, restrictedContainer, restrictedPod } from "../../src/kit/mod.ts";
import { eventually } from "../support/eventually.ts";
import type { Site } from "./site.ts";

const ODOO = { user: 100, group: 101 };
const TIMEOUT_MS = 900_000;

/** What a pod runs. */
export interface Script {
  readonly name: string;
  readonly script: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the script to its end. Throws with the end of its log if it fails. */
export async function runScript(site: Site, { name, script, env = {} }: Script): Promise<string> {
  const { namespace, client } = site;
  await client.create(Pod, {
    metadata: { name, namespace },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: restrictedPod(ODOO),
      containers: [{
        name: "script",
        image: site.settings.odooImage,
        command: ["/bin/bash", "-euo", "pipefail", "-c", script],
        env: literalEnv({ HOME: "/tmp", ...env }),
        securityContext: restrictedContainer(),
        volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
      }],
      volumes: [{ name: "tmp", emptyDir: {} }],
    },
  });
  const phase = await eventually(`pod ${name} has ended`, async () => {
    const { status } = await client.get(Pod, { namespace, name });
    if (status?.phase !== "Succeeded" && status?.phase !== "Failed") throw new Error(`it is ${status?.phase}`);
    return status.phase;
  }, { timeoutMs: TIMEOUT_MS, intervalMs: 200 });
  const log = await site.log(name);
  if (phase === "Failed") throw new Error(`Pod ${name} failed: ${log.slice(-2000)}`);
  await client.delete(Pod, { namespace, name });
  return log;
}
