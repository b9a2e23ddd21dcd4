/** How fast a backup is streamed to S3, beside what others make of the same database from the same kind of pod. */
import { ConfigMap, Pod } from "../../src/kit/mod.ts";
import { INSTANCE_LABEL, objectNames } from "../../src/odoo/model/names.ts";
import { runScript } from "./scripted_pod.ts";
import type { Site } from "./site.ts";

/** Of the kubelet's summary, as much as is read. */
interface NodeSummary {
  readonly pods: readonly {
    readonly podRef: { readonly namespace: string };
    readonly containers?: readonly { readonly name: string; readonly memory?: { readonly rssBytes?: number } }[];
  }[];
}

/** Fills the database of an instance with so many MiB that neither PostgreSQL nor we compress. */
export async function makeNoise(site: Site, name: string, mib: number): Promise<void> {
  const script = `
    psql -qv ON_ERROR_STOP=1 -c "create table e2e_noise (content text)" \\
      -c "alter table e2e_noise alter content set storage external" \\
      -c "insert into e2e_noise select repeat(md5(i::text), 32768) from generate_series(1, $MIB) i"`;
  await runScript(site, { name: "noise", script, env: { ...await databaseEnv(site, name), MIB: String(mib) } });
}

/** Seconds that pg_dump into `mc pipe` and into `rclone rcat` take, by name. */
export async function streamByOthers(site: Site, name: string): Promise<Readonly<Record<string, number>>> {
  const { endpoint, region, bucket, accessKey, secretKey } = site.settings.s3;
  const script = `
    target=$BUCKET/$KEY
    time_of() {
      began=$(date +%s%N)
      pg_dump --no-owner | "$@" >/dev/null
      printf '%s %s\\n' "$1" "$(( ($(date +%s%N) - began) / 1000000 ))"
    }
    time_of mc pipe "lab/$target.mc"
    time_of rclone rcat "lab:$target.rclone"`;
  const log = await runScript(site, {
    name: "others",
    script,
    env: {
      ...await databaseEnv(site, name),
      BUCKET: bucket,
      KEY: site.key("noise"),
      MC_HOST_lab: endpoint.replace("://", `://${accessKey}:${secretKey}@`),
      RCLONE_CONFIG_LAB_TYPE: "s3",
      RCLONE_CONFIG_LAB_PROVIDER: "Other",
      RCLONE_CONFIG_LAB_ENDPOINT: endpoint,
      RCLONE_CONFIG_LAB_REGION: region,
      RCLONE_CONFIG_LAB_ACCESS_KEY_ID: accessKey,
      RCLONE_CONFIG_LAB_SECRET_ACCESS_KEY: secretKey,
    },
  });
  const found = [...log.matchAll(/^(mc|rclone) (\d+)$/gm)];
  return Object.fromEntries(found.map(([, program = "", ms]) => [program, Number(ms) / 1000]));
}

/** Watches the memory of the container `backup`; the most that the kubelet saw, in MiB, when it is told to stop. */
export function watchMemory(site: Site, name: string): { stop(): Promise<number> } {
  let [peak, over] = [0, false];
  const watching = (async () => {
    while (!over) {
      peak = Math.max(peak, await rssOf(site, name));
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  })();
  return {
    async stop() {
      over = true;
      await watching;
      return Math.round(peak / 2 ** 20);
    },
  };
}

async function rssOf(site: Site, name: string): Promise<number> {
  const { namespace, client } = site;
  const { items } = await client.list(Pod, { namespace, labelSelector: `${INSTANCE_LABEL}=${name}` });
  const node = items.find(({ spec }) => spec?.containers[0]?.name === "backup")?.spec?.nodeName;
  if (!node) return 0;
  const summary = await site.raw(`/api/v1/nodes/${node}/proxy/stats/summary`) as NodeSummary;
  const ours = summary.pods.filter(({ podRef }) => podRef.namespace === namespace);
  const found = ours.flatMap(({ containers = [] }) => containers).filter((container) => container.name === "backup");
  return Math.max(0, ...found.map(({ memory }) => memory?.rssBytes ?? 0));
}

async function databaseEnv(site: Site, name: string): Promise<Readonly<Record<string, string>>> {
  const { data = {} } = await site.client.get(ConfigMap, { namespace: site.namespace, name: objectNames.config(name) });
  const { db_host: PGHOST = "", db_port: PGPORT = "", db_name: PGDATABASE = "", db_user: PGUSER = "" } = data;
  const PGPASSWORD = await site.secret(objectNames.userSecret(name), "password");
  return { PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD };
}
