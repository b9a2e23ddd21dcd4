/** An Odoo of its own, without the operator, with its database manager open: does that take our backups? */
import { literalEnv, Pod, restrictedContainer, restrictedPod } from "../../src/kit/mod.ts";
import { eventually } from "../support/eventually.ts";
import type { Fetch } from "./odoo_session.ts";
import { runScript } from "./scripted_pod.ts";
import type { Site } from "./site.ts";

const NAME = "manager";
/** Odoo's own, where nobody has set another. */
const MASTER_PASSWORD = "admin";

/** A running database manager; its role and databases go when it is disposed of. */
export interface DatabaseManager extends AsyncDisposable {
  readonly fetch: Fetch;
  /** Restores a backup as the only database that this Odoo serves. */
  restore(zip: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** Starts an Odoo with a role that may create databases. */
export async function startDatabaseManager(site: Site): Promise<DatabaseManager> {
  const { namespace, client, settings: { odooImage, postgres } } = site;
  const role = `manager_${namespace.replace("-", "_")}`; // Odoo refuses to work as postgres
  const password = crypto.randomUUID();
  const server = { PGHOST: postgres.host, PGPORT: String(postgres.port) };
  const admin = { ...server, PGUSER: postgres.user, PGPASSWORD: postgres.password, PGDATABASE: "postgres" };
  await runScript(site, {
    name: "make-role",
    script: `psql -qc "create role $ROLE login createdb password '$ROLE_PASSWORD'"`,
    env: { ...admin, ROLE: role, ROLE_PASSWORD: password },
  });
  await client.create(Pod, {
    metadata: { name: NAME, namespace },
    spec: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: restrictedPod({ user: 100, group: 101 }),
      containers: [{
        name: "odoo",
        image: odooImage,
        command: ["odoo", "--data-dir=/tmp/data", `--db-filter=^${role}$`, "--max-cron-threads=0"],
        env: literalEnv({ HOME: "/tmp", ODOO_RC: "/tmp/none", ...server, PGUSER: role, PGPASSWORD: password }),
        securityContext: restrictedContainer(),
        volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
      }],
      volumes: [{ name: "tmp", emptyDir: {} }],
    },
  });
  const fetch = await eventually("the database manager answers", async () => {
    const fetch = await site.podFetch(NAME, 8069);
    return (await fetch("/web/health")).ok && fetch;
  }, { timeoutMs: 120_000, intervalMs: 200 });
  return {
    fetch,
    async restore(zip) {
      const form = new FormData();
      form.set("master_pwd", MASTER_PASSWORD);
      form.set("name", role);
      form.set("copy", "true");
      form.set("backup_file", new Blob([zip]), "backup.zip");
      const answer = await fetch("/web/database/restore", { method: "POST", body: form, redirect: "manual" });
      const page = await answer.text();
      if (answer.status !== 303) {
        const said = /alert-danger[^>]*>([^<]*)/.exec(page)?.[1]?.trim();
        throw new Error(`The database manager answers ${answer.status}: ${said ?? page.slice(0, 300)}`);
      }
    },
    async [Symbol.asyncDispose]() {
      await client.delete(Pod, { namespace, name: NAME });
      const script = `psql -qc "drop database if exists $ROLE with (force)" -c "drop role $ROLE"`;
      await runScript(site, { name: "drop-role", script, env: { ...admin, ROLE: role } });
    },
  };
}
