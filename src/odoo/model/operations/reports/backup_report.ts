/** What a backup Job reports (`odoo-operator job backup` writes it) → one sentence for the status of its CR. */
import { numberOf, type Report, textOf } from "./report.ts";

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

/** The fields of the report, in words; `undefined` if they are lost. */
export function describeBackup(fields: Report["fields"]): string | undefined {
  const { bytes, sha256, files, missingFiles, seconds } = fields;
  if (bytes === undefined) return undefined;
  const missing = numberOf(missingFiles);
  const counted = files === undefined ? "" : `, ${numberOf(files)} files`;
  const lost = missing > 0 ? `; ${missing} attachments had no file, before this backup already` : "";
  return `Saved ${sizeOf(numberOf(bytes))}${counted} in ${numberOf(seconds)} s, SHA-256 ${textOf(sha256)}${lost}`;
}

function sizeOf(bytes: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), UNITS.length - 1);
  const size = bytes / 1024 ** power;
  return `${power === 0 ? size : size.toFixed(1)} ${UNITS[power]}`;
}
