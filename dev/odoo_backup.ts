/**
 * TEST DOUBLE, used by odoo_jobs.ts: the words of `odoo-operator job backup`, without a backup: fake nodes have no volumes.
 * tests/scripts/backup_test.ts runs the real program.
 */
import type { Environment } from "./odoo_init.ts";

const NEEDED = ["S3_ENDPOINT", "S3_BUCKET", "S3_KEY", "BACKUP_FORMAT", "BACKUP_FILESTORE"];

/** The report of a backup that went well; throws where the container would miss something. */
export function pretendBackup(environment: Environment): Promise<string> {
  const missing = NEEDED.find((name) => !environment[name]);
  if (missing) return Promise.reject(new Error(`${missing}: parameter not set`));
  const { S3_BUCKET: bucket, S3_KEY: key, BACKUP_FORMAT: format } = environment;
  const report = { ok: true, bytes: 1_234_567, sha256: "c0ffee", format, files: 12, missingFiles: 0, seconds: 1 };
  return Promise.resolve(JSON.stringify({ ...report, bucket, key }));
}
