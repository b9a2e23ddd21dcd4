/**
 * What a program on Deno needs that does nothing but stand where the operator stands: TLS to the API server, a watch for
 * each of its kinds, a health server, one connection to PostgreSQL. The bench measures it beside the operator: what is
 * above it is ours. Environment: BASE_URL, TOKEN, CA_CERT, WATCHES (paths, comma-separated), DATABASE_URL.
 */
import pg from "pg";

const variable = (name: string) => Deno.env.get(name) ?? "";
const client = Deno.createHttpClient({ caCerts: [variable("CA_CERT")] });
const headers = { authorization: `Bearer ${variable("TOKEN")}` };

async function drain(path: string): Promise<void> {
  const response = await fetch(`${variable("BASE_URL")}${path}?watch=1`, { client, headers });
  if (!response.ok) throw new Error(`Cannot watch ${path}: HTTP ${response.status}`);
  for await (const _ of response.body ?? []);
}

const watches = variable("WATCHES").split(",").map(drain);
const database = new pg.Client({ connectionString: variable("DATABASE_URL") });
await database.connect();
await database.query("select 1");
const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => undefined }, () => new Response("ok"));
await Promise.all([...watches, server.finished]);
