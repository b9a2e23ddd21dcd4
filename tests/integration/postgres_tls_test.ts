/** From the text of clusters.yaml to a connection: whose certificate is believed, with an authority made by openssl. */
import { assert, assertEquals } from "@std/assert";
import { parse, stringify } from "yaml";
import { type PostgresServer, startPostgres } from "../../dev/postgres.ts";
import { readClusters } from "../../src/odoo/model/postgres/clusters.ts";
import { PostgresPool } from "../../src/odoo/ports/postgres.ts";
import { PostgresCluster } from "../../src/odoo/ports/postgres_clusters.ts";
import { query } from "../support/sql.ts";

const NAME = "localhost";
let folder: string;
let server: PostgresServer;

Deno.test.beforeAll(async () => {
  folder = await Deno.makeTempDir();
  await Deno.chmod(folder, 0o755);
  await openssl(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=private authority"], {
    key: "ca.key",
    out: "ca.crt",
  });
  await openssl(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=stranger"], {
    key: "stranger.key",
    out: "stranger.crt",
  });
  await openssl(["req", "-newkey", "rsa:2048", "-nodes", "-subj", `/CN=${NAME}`], {
    key: "server.key",
    out: "server.csr",
  });
  await Deno.writeTextFile(`${folder}/san`, `subjectAltName=DNS:${NAME}`);
  const authority = ["-CA", `${folder}/ca.crt`, "-CAkey", `${folder}/ca.key`, "-CAcreateserial"];
  const request = ["-req", "-in", `${folder}/server.csr`, "-extfile", `${folder}/san`, "-days", "2"];
  await openssl(["x509", ...request, ...authority], { out: "server.crt" });
  await Deno.chmod(`${folder}/server.key`, 0o600);
  if (Deno.uid() === 0) await Deno.chown(`${folder}/server.key`, 65534, 65534);
  server = await startPostgres({
    settings: { ssl: "on", ssl_cert_file: `${folder}/server.crt`, ssl_key_file: `${folder}/server.key` },
    hba: ["hostnossl all careful all reject"],
  });
  await query(server, { sql: "create role careful login createrole createdb password 'two words'" });
});

Deno.test.afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await Deno.remove(folder, { recursive: true });
});

async function openssl(args: readonly string[], files: { readonly key?: string; readonly out: string }): Promise<void> {
  const { key, out } = files;
  const { success, stderr } = await new Deno.Command("openssl", {
    args: [...args, ...(key ? ["-keyout", `${folder}/${key}`] : []), "-out", `${folder}/${out}`],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
}

interface Given {
  readonly sslmode?: string;
  readonly host?: string;
  /** File with the authority's certificate. */
  readonly trusted?: string;
}

/** What the operator says of a cluster with this entry: how PostgreSQL sees the connection, or why there is none. */
async function outcome({ sslmode, host = NAME, trusted }: Given): Promise<string> {
  const entry = {
    host,
    port: server.port,
    adminUser: "careful",
    adminPassword: "two words",
    ...(sslmode ? { sslmode } : {}),
    ...(trusted ? { sslRootCert: await Deno.readTextFile(`${folder}/${trusted}`) } : {}),
  };
  const clusters = readClusters(parse(stringify({ main: entry })), "postgres-clusters");
  const found = clusters.known ? clusters.entries.get("main") : undefined;
  if (!found?.address) return found?.problem ?? "there is no entry";
  const cluster = new PostgresCluster(new PostgresPool(found.address, { idleConnections: 1 }));
  try {
    const facts = await cluster.refresh();
    if (!facts.known) return facts.reason;
    const sql =
      "select ssl from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'odoo-operator' and usename = 'careful'";
    const rows = await query(server, { sql });
    return rows.length > 0 && rows.every(({ ssl }) => ssl === true) ? "encrypted" : "in the clear";
  } finally {
    await cluster.close();
  }
}

const OUTCOMES: Readonly<Record<string, { readonly given: Given; readonly want: string }>> = {
  "no way in without encryption": { given: {}, want: "DatabaseLoginFailed" },
  "an encrypted connection with require": { given: { sslmode: "require" }, want: "encrypted" },
  "verify-full with the private authority": {
    given: { sslmode: "verify-full", trusted: "ca.crt" },
    want: "encrypted",
  },
  "verify-ca for an address that the certificate does not name": {
    given: { sslmode: "verify-ca", host: "127.0.0.1", trusted: "ca.crt" },
    want: "encrypted",
  },
  "no verify-full for such an address": {
    given: { sslmode: "verify-full", host: "127.0.0.1", trusted: "ca.crt" },
    want: "DatabaseUnreachable",
  },
  "no verify-full with another authority": {
    given: { sslmode: "verify-full", trusted: "stranger.crt" },
    want: "DatabaseUnreachable",
  },
  "no verify-full with the system's authorities, who do not know this one": {
    given: { sslmode: "verify-full" },
    want: "DatabaseUnreachable",
  },
  "a word about a misspelt sslmode": {
    given: { sslmode: "verify_full" },
    want: "sslmode must be one of disable, require, verify-ca, verify-full",
  },
};

for (const [sentence, { given, want }] of Object.entries(OUTCOMES)) {
  Deno.test(`an entry of clusters.yaml gives ${sentence}`, async () => assertEquals(await outcome(given), want));
}
