/** SQL from a test: one connection per question, beside the program under test. */
// @ts-types="@types/pg"
import pg from "pg";

/** Where to ask. */
export interface SqlServer {
  readonly host: string;
  readonly port: number;
  readonly adminUser: string;
  readonly adminPassword: string;
}

/** What to ask, and as whom. */
export interface SqlQuestion {
  readonly sql: string;
  readonly values?: unknown[];
  /** @default the admin */
  readonly user?: string;
  /** @default the admin's */
  readonly password?: string;
  /** @default {"postgres"} */
  readonly database?: string;
}

/** The rows of the answer. */
export async function query(server: SqlServer, question: SqlQuestion): Promise<Record<string, unknown>[]> {
  const { host, port, adminUser, adminPassword } = server;
  const { sql, values = [], user = adminUser, password = adminPassword, database = "postgres" } = question;
  const client = new pg.Client({ host, port, user, password, database, ssl: false });
  client.on("error", () => {}); // what breaks the connection also fails the query
  try {
    await client.connect();
    const { rows } = await client.query<Record<string, unknown>>(values.length > 0 ? { text: sql, values } : sql);
    return rows;
  } finally {
    await client.end();
  }
}

/** The first column of the first row. */
export async function valueOf(server: SqlServer, question: SqlQuestion): Promise<unknown> {
  const [row] = await query(server, question);
  return row && Object.values(row)[0];
}
