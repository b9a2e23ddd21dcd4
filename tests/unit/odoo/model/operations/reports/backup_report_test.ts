import { assertEquals } from "@std/assert";
import { describeBackup } from "../../../../../../src/odoo/model/operations/reports/backup_report.ts";

const CASES: Readonly<Record<string, { readonly given: Record<string, unknown>; readonly want: string | undefined }>> =
  {
    "says nothing when the words are lost": { given: {}, want: undefined },
    "counts small ones in bytes": {
      given: { bytes: 512, sha256: "c0ffee", files: 0, missingFiles: 0, seconds: 1 },
      want: "Saved 512 bytes, 0 files in 1 s, SHA-256 c0ffee",
    },
    "counts large ones in larger units, and tells of lost files": {
      given: { bytes: 3.5 * 1024 ** 3, sha256: "c0ffee", files: 812, missingFiles: 2, seconds: 95 },
      want: "Saved 3.5 GiB, 812 files in 95 s, SHA-256 c0ffee; 2 attachments had no file, before this backup already",
    },
    "says nothing of files when there are none in this format": {
      given: { bytes: 2048, sha256: "c0ffee", seconds: 2 },
      want: "Saved 2.0 KiB in 2 s, SHA-256 c0ffee",
    },
  };

for (const [sentence, { given, want }] of Object.entries(CASES)) {
  Deno.test(`describeBackup() ${sentence}`, () => assertEquals(describeBackup(given), want));
}
