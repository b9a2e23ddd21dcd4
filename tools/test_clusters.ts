/**
 * The local clusters that test files share: each lane of files has one, which starts when the first file of the lane asks
 * for it. The processes of the files ask over a loopback port, at a path that no other process can guess.
 */
import { type LocalCluster, startLocalCluster } from "../dev/control_plane.ts";
import { prepareCrds } from "../dev/operator.ts";
import {
  type ClusterAnswer,
  type ClusterDescription,
  describeCluster,
  SHARED_CLUSTER_URL,
} from "../dev/shared_cluster.ts";
import { messageOf } from "../src/kit/errors.ts";

/** Starts a cluster with the CRDs of the operator. Files with other needs start their own. */
function startSharedCluster(): Promise<LocalCluster> {
  const controllers = ["horizontal-pod-autoscaler-controller"]; // without autoscalers it has nothing to do
  return startLocalCluster({ prepare: prepareCrds, controllers });
}

/** What is needed of a {@linkcode LocalCluster}. */
export type SharedCluster = ClusterDescription & Pick<LocalCluster, "keepLogs" | "stop">;

/** The clusters of one run of the tests. */
export class TestClusters implements AsyncDisposable {
  readonly #start: () => Promise<SharedCluster>;
  readonly #token = crypto.randomUUID();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #clusters = new Map<string, Promise<SharedCluster>>();
  #files = 0;

  /** `start` replaces what starts a cluster, for tests. */
  constructor(start: () => Promise<SharedCluster> = startSharedCluster) {
    this.#start = start;
    const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    this.#server = Deno.serve(options, (request) => this.#answer(new URL(request.url).pathname));
  }

  /** What the process of a file needs to find the cluster of its lane. */
  environmentOf(lane: number): Readonly<Record<string, string>> {
    return { [SHARED_CLUSTER_URL]: `http://127.0.0.1:${this.#server.addr.port}/${this.#token}/${lane}` };
  }

  /** Ends the cluster of a lane; the next file that asks gets another one. Returns where its logs were saved, if there was one. */
  async discard(lane: number): Promise<string | undefined> {
    const cluster = await this.#forget(String(lane));
    const logs = await cluster?.keepLogs();
    await cluster?.stop();
    return logs;
  }

  /** Ends all clusters but those of lanes below `lanes`. */
  async keepOnly(lanes: number): Promise<void> {
    const others = [...this.#clusters.keys()].filter((lane) => Number(lane) >= lanes);
    await Promise.all(others.map(async (lane) => (await this.#forget(lane))?.stop()));
  }

  /** Ends all of them. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.keepOnly(0);
    await this.#server.shutdown();
  }

  async #forget(lane: string): Promise<SharedCluster | undefined> {
    const starting = this.#clusters.get(lane);
    this.#clusters.delete(lane);
    return await starting?.catch(() => undefined); // the file that asked for it has the message
  }

  async #answer(path: string): Promise<Response> {
    const [, token, lane = ""] = path.split("/");
    if (token !== this.#token) return new Response("", { status: 404 });
    try {
      const starting = this.#clusters.get(lane) ?? this.#start();
      this.#clusters.set(lane, starting);
      const answer: ClusterAnswer = { cluster: describeCluster(await starting), file: ++this.#files };
      return Response.json(answer);
    } catch (error) {
      this.#clusters.delete(lane);
      return new Response(messageOf(error), { status: 500 });
    }
  }
}
