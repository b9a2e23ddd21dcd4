import { assert, assertEquals } from "@std/assert";
import { type ClusterAnswer, SHARED_CLUSTER_URL } from "../../../dev/shared_cluster.ts";
import { type SharedCluster, TestClusters } from "../../../tools/test_clusters.ts";

/** Clusters that are nothing but numbers: the port of each says how many were started before. */
class Starts {
  count = 0;
  readonly stopped: number[] = [];
  /** The next start fails with this. */
  failure: string | undefined;

  readonly start = (): Promise<SharedCluster> => {
    const port = ++this.count;
    if (this.failure) return Promise.reject(new Error(this.failure));
    return Promise.resolve({
      apiServer: { port, authority: { certPem: "the certificate", keyPem: "the key" } },
      auditLog: "audit.log",
      postgres: { port: 5432, adminPassword: "password", logPath: "postgres.log" },
      keepLogs: () => Promise.resolve(`logs of ${port}`),
      stop: () => Promise.resolve(void this.stopped.push(port)),
    });
  };
}

function addressOf(clusters: TestClusters, lane: number): string {
  return clusters.environmentOf(lane)[SHARED_CLUSTER_URL] ?? "";
}

/** The port of the cluster that a file of the lane gets, and which file it is. */
async function asked(clusters: TestClusters, lane: number): Promise<readonly [port: number, file: number]> {
  const { cluster, file } = await (await fetch(addressOf(clusters, lane))).json() as ClusterAnswer;
  return [cluster.apiServer.port, file];
}

Deno.test("TestClusters starts one cluster for each lane when a file asks, and gives each file a number of its own", async () => {
  const starts = new Starts();
  await using clusters = new TestClusters(starts.start);
  addressOf(clusters, 0);
  assertEquals(starts.count, 0);
  assertEquals([await asked(clusters, 0), await asked(clusters, 1), await asked(clusters, 0)], [[1, 1], [2, 2], [
    1,
    3,
  ]]);
});

Deno.test("TestClusters starts one cluster when two files of a lane ask at once", async () => {
  const starts = new Starts();
  await using clusters = new TestClusters(starts.start);
  const ports = (await Promise.all([asked(clusters, 0), asked(clusters, 0)])).map(([port]) => port);
  assertEquals([ports, starts.count], [[1, 1], 1]);
});

Deno.test("TestClusters sends what a file needs to join, and nothing to a path without the token", async () => {
  await using clusters = new TestClusters(new Starts().start);
  const address = addressOf(clusters, 0);
  const { cluster } = await (await fetch(address)).json() as ClusterAnswer;
  assertEquals(cluster, {
    apiServer: { port: 1, authority: { certPem: "the certificate", keyPem: "the key" } },
    auditLog: "audit.log",
    postgres: { port: 5432, adminPassword: "password", logPath: "postgres.log" },
  });
  const response = await fetch(new URL("/guess/0", address));
  assertEquals([response.status, await response.text()], [404, ""]);
});

Deno.test("TestClusters.discard() ends the cluster of one lane, saves its logs, and the next file gets another cluster", async () => {
  const starts = new Starts();
  await using clusters = new TestClusters(starts.start);
  await asked(clusters, 0);
  await asked(clusters, 1);
  assertEquals([await clusters.discard(0), await clusters.discard(7)], ["logs of 1", undefined]);
  assertEquals(starts.stopped, [1]);
  assertEquals([await asked(clusters, 0), await asked(clusters, 1)], [[3, 3], [2, 4]]);
});

Deno.test("TestClusters.keepOnly() ends the clusters of further lanes", async () => {
  const starts = new Starts();
  await using clusters = new TestClusters(starts.start);
  for (const lane of [0, 1, 2]) await asked(clusters, lane);
  await clusters.keepOnly(1);
  assertEquals([starts.stopped.toSorted(), await asked(clusters, 0)], [[2, 3], [1, 4]]);
});

Deno.test("TestClusters ends all clusters when it is disposed of", async () => {
  const starts = new Starts();
  const clusters = new TestClusters(starts.start);
  for (const lane of [0, 1]) await asked(clusters, lane);
  await clusters[Symbol.asyncDispose]();
  assertEquals(starts.stopped.toSorted(), [1, 2]);
});

Deno.test("TestClusters sends the message of a start that failed, and tries again for the next file", async () => {
  const starts = new Starts();
  await using clusters = new TestClusters(starts.start);
  starts.failure = "no etcd";
  const response = await fetch(addressOf(clusters, 0));
  assertEquals([response.status, await response.text()], [500, "no etcd"]);
  assertEquals(await clusters.discard(0), undefined);
  starts.failure = undefined;
  const [port] = await asked(clusters, 0);
  assert(port === 2, `the cluster was ${port}`);
});
