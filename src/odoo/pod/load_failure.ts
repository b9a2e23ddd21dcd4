/** Output of psql and pg_restore after a failed load → a reason, and a message that says what to do. */
import { JobError } from "./report.ts";
import { missingExtensions } from "./restore_rules.ts";

/** What the container that loads has left behind. */
export interface LoadEnding {
  /** Absent: it could not even write that. */
  readonly code: string | undefined;
  readonly log: string;
  readonly leftOut: readonly string[];
}

const LONGEST_QUOTE = 300;

/** The first pattern that matches determines the reason. */
const CAUSES: readonly (readonly [RegExp, string, string])[] = [
  [
    /unsupported version \(([\d.]+)\) in file header/,
    "DumpTooNew",
    "The dump was made by a newer pg_dump than the pg_restore here understands: start the operator with a newer --postgres-client-image",
  ],
  [
    /permission denied to create extension|extension "[^"]*" is not available|must be superuser to create/,
    "ExtensionUnavailable",
    "The dump needs an extension that the role of this instance may not create: have an administrator create it in template1, or leave it out of the dump",
  ],
  [
    /terminating connection|server closed the connection|connection to server|could not connect|the database system is|SSL SYSCALL/,
    "DatabaseUnreachable",
    "PostgreSQL went away or refused the connection during the load: when it is well again, make a new OdooRestoreJob",
  ],
  [
    /No space left on device|could not extend file|disk full/i,
    "DatabaseFull",
    "PostgreSQL has no room for the side database: it needs as much again as the database, until the restore is over",
  ],
  [
    /could not read from input file|unexpected end of file|end of file|did not find magic string|corrupt|could not uncompress/,
    "DumpBroken",
    "The dump is cut off or damaged: make a new backup, or upload this one again",
  ],
  [
    /The dump holds no Odoo/,
    "NotOdoo",
    "The dump holds no Odoo: it has no table ir_module_module in the schema public",
  ],
  [
    /unrecognized configuration parameter/,
    "ClientTooNew",
    "pg_restore sets something that this PostgreSQL does not know: start the operator with a --postgres-client-image of the server's major",
  ],
  [
    /permission denied|must be owner|must be able to/,
    "DumpNotAllowed",
    "The dump asks for something that the role of this instance may not do",
  ],
];

/** The failure that `ending` describes. */
export function loadFailure({ code, log, leftOut }: LoadEnding): JobError {
  if (code === undefined) {
    return new JobError(
      "LoadKilled",
      "The container load was killed: the pod's status says why (memory, most often)",
      { log },
    );
  }
  const line = log.split("\n").find((text) => /\b(ERROR|FATAL|error):/.test(text)) ?? log.split("\n").at(-1) ?? "";
  const quote = line.trim().slice(0, LONGEST_QUOTE);
  const missing = missingExtensions(leftOut);
  if (missing.length > 0 && /does not exist|undefined/.test(line)) {
    const names = missing.join(", ");
    return new JobError(
      "ExtensionUnavailable",
      `The dump needs extensions that the role of this instance may not create (${names}): have an administrator create them in the server's template, or make the dump without them (${quote})`,
      { log },
    );
  }
  const [, reason, advice] = CAUSES.find(([pattern]) => pattern.test(log)) ??
    [undefined, "LoadFailed", "The dump could not be loaded"];
  return new JobError(reason, `${advice} (${quote || `exit code ${code}`})`, { log });
}
