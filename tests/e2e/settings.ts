/** What the end-to-end tests are told about the cluster that they run on: environment → {@linkcode Settings}. */

/** A PostgreSQL server, as pods and the operator reach it; the user may create roles and databases. */
export interface PostgresServer {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** A bucket, as pods reach it. It must be there. */
export interface Bucket {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

/** Where the tests run, and with what. */
export interface Settings {
  readonly operatorImage: string;
  readonly odooImage: string;
  /** Has pg_dump and psql. */
  readonly clientImage: string;
  readonly postgres: PostgresServer;
  /** Where the database migration goes to; without it there is none. */
  readonly secondPostgres: PostgresServer | undefined;
  readonly s3: Bucket;
  /** Of the filestores; must allow ReadWriteMany, because there are two web pods. */
  readonly storageClass: string;
  /** Where the filestore migration goes to; without it there is none. */
  readonly secondStorageClass: string | undefined;
  /** How much is streamed to S3 to see how fast that is; 0: nothing. */
  readonly streamMib: number;
  /** Leave everything as it is at the end. */
  readonly keep: boolean;
}

/** Reads the settings; `KUBECONFIG` is read where the cluster is looked for. */
export function readSettings(env: (name: string) => string | undefined = (name) => Deno.env.get(name)): Settings {
  const must = (name: string) => {
    const value = env(name);
    if (!value) throw new Error(`Cannot run the end-to-end tests: ${name} is not set (docs/development.md)`);
    return value;
  };
  const server = (prefix: string): PostgresServer => ({
    host: must(`${prefix}_HOST`),
    port: Number(env(`${prefix}_PORT`) || 5432),
    user: must(`${prefix}_USER`),
    password: must(`${prefix}_PASSWORD`),
  });
  const odooImage = must("E2E_ODOO_IMAGE");
  return {
    operatorImage: must("E2E_OPERATOR_IMAGE"),
    odooImage,
    clientImage: env("E2E_POSTGRES_CLIENT_IMAGE") || odooImage,
    postgres: server("E2E_POSTGRES"),
    secondPostgres: env("E2E_POSTGRES2_HOST") ? server("E2E_POSTGRES2") : undefined,
    s3: {
      endpoint: must("E2E_S3_ENDPOINT"),
      region: env("E2E_S3_REGION") || "us-east-1",
      bucket: must("E2E_S3_BUCKET"),
      accessKey: must("E2E_S3_ACCESS_KEY"),
      secretKey: must("E2E_S3_SECRET_KEY"),
    },
    storageClass: must("E2E_STORAGE_CLASS"),
    secondStorageClass: env("E2E_STORAGE_CLASS2") || undefined,
    streamMib: Number(env("E2E_STREAM_MIB") || 0),
    keep: env("E2E_KEEP") === "true",
  };
}
