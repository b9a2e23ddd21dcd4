/**
 * What scripts/backup_dump.sh writes about a database → facts, the manifest of Odoo's backups, and names of files.
 *
 * The database is a tenant's, so its content is untrusted input: every value is checked before use.
 */

/** A database at the moment of the dump. */
export interface DatabaseFacts {
  readonly database: string;
  /** `server_version_num`. */
  readonly server: number;
  readonly databaseBytes: number;
  readonly attachments: number;
  /** Of all files that attachments name, as the database has it. */
  readonly fileBytes: number;
  /** Installed modules and their versions. */
  readonly modules: Readonly<Record<string, string>>;
}

/** manifest.json as Odoo's database manager writes and reads it. */
export interface Manifest {
  readonly odoo_dump: "1";
  readonly db_name: string;
  readonly version: string;
  readonly version_info: readonly (string | number)[];
  readonly major_version: string;
  readonly pg_version: string;
  readonly modules: Readonly<Record<string, string>>;
}

/** The facts in a line of JSON that COPY has written. */
export function parseFacts(line: string): DatabaseFacts {
  const json: unknown = JSON.parse(copiedText(line));
  const found = (typeof json === "object" && json !== null ? json : {}) as Readonly<Record<string, unknown>>;
  const number = (name: string): number => {
    const value = Number(found[name]);
    if (!Number.isSafeInteger(value) || value < 0) throw new TypeError(`Cannot read the database's facts: no ${name}`);
    return value;
  };
  const modules = typeof found.modules === "object" && found.modules !== null ? found.modules : {};
  return {
    database: String(found.database ?? ""),
    server: number("server"),
    databaseBytes: number("databaseBytes"),
    attachments: number("attachments"),
    fileBytes: number("fileBytes"),
    modules: Object.fromEntries(Object.entries(modules).map(([name, version]) => [name, String(version ?? "")])),
  };
}

/** `19.0`, `saas~18.2`: what the version of the module base begins with; empty if it has none. */
export function odooVersion({ modules }: DatabaseFacts): string {
  return /^(saas~)?\d+\.\d+/.exec(modules.base ?? "")?.[0] ?? "";
}

/** `18.0`, as Odoo has it: only the major version. */
export function pgVersion({ server }: DatabaseFacts): string {
  return `${Math.floor(server / 10_000)}.${Math.floor(server / 100) % 100}`;
}

/** What Odoo itself would have written. */
export function manifest(facts: DatabaseFacts): Manifest {
  const version = odooVersion(facts);
  const [series = "", minor = "0"] = version.split(".");
  const first = series.startsWith("saas~") ? series : Number(series);
  return {
    odoo_dump: "1",
    db_name: facts.database,
    version,
    version_info: [first, Number(minor), 0, "final", 0, ""],
    major_version: version,
    pg_version: pgVersion(facts),
    modules: facts.modules,
  };
}

/** A value of COPY's text format, which is on one line whatever is in it. */
export function copiedText(line: string): string {
  return line.replace(/\\(.)/g, (_, letter: string) => ESCAPES[letter] ?? letter);
}

const ESCAPES: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

/** Whether a name stays within the folder it is looked for in, on this system and on the one where it is unpacked. */
export function isFileName(name: string): boolean {
  return /^[\w.~+=@-]+(\/[\w.~+=@-]+)*$/.test(name) && !name.split("/").some((part) => part === "." || part === "..");
}
