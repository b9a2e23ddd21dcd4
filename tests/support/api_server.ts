/** An API server with its etcd and nothing else, for what the server itself does: it is there within seconds. */
import { ADMIN, startApiServer } from "../../dev/api_server.ts";
import { findBinaries } from "../../dev/binaries.ts";
import { startProcessGroup } from "../../dev/processes.ts";
import { stderrProgress } from "../../dev/progress.ts";
import type { ClusterAccess } from "../../src/kit/credentials.ts";

/** A running API server; dispose of it. */
export interface BareApiServer extends AsyncDisposable {
  /** The way in for an administrator. */
  readonly access: ClusterAccess;
}

/** Starts etcd and an API server. No controller runs: no garbage collection, no Pods. */
export async function startBareApiServer(): Promise<BareApiServer> {
  const paths = await findBinaries(["etcd", "kube-apiserver"] as const, { progress: stderrProgress() });
  const group = await startProcessGroup();
  try {
    const server = await startApiServer({ group, paths });
    return { access: await server.accessFor(ADMIN), [Symbol.asyncDispose]: () => group.stop() };
  } catch (error) {
    await group.stop();
    throw error;
  }
}
