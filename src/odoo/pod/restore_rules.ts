/**
 * What a dump asks for and a tenant's role may not do, or a copy must not have: owners, grants, publications, extensions that
 * are there already. Statements of plain SQL and entries of a pg_restore list are judged by the same rules; data never is.
 */
import { LEFT_OUT_ENTRIES } from "../model/operations/copy/dump_entries.ts";

/** What the server says of itself before the load; `scripts/load_facts.sql` asks it. */
export interface ServerFacts {
  /** server_version_num. */
  readonly version: number;
  /** Names of all settings. */
  readonly settings: readonly string[];
  /** Extensions that the side database has. */
  readonly extensions: readonly string[];
  /** Extensions that this role may create. */
  readonly allowedExtensions: readonly string[];
}

/** What becomes of a statement: `undefined` lets it pass. */
export type Verdict = { readonly leaveOut: string } | { readonly refuse: string } | undefined;

/** Words that a statement of plain SQL begins with if these rules have something to say of it. */
export const JUDGED_WORDS: ReadonlySet<string> = new Set([
  "ALTER",
  "COMMENT",
  "COPY",
  "CREATE",
  "DROP",
  "GRANT",
  "REVOKE",
  "SECURITY",
  "SET",
]);

const TOKENS = /--[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"]|"")*"|'(?:[^']|'')*'|[\w$\x80-\xff]+|\S/g;

/** COPY as pg_dump writes it: no other form has a certain end of statement and of data. */
const COPY_SHAPE = /^COPY [^\r\n]* FROM stdin;$/;

/** Kinds that only concern replication and the server, not the data of one Odoo. */
const SERVER_KINDS: readonly string[] = ["PUBLICATION", "SUBSCRIPTION", "EVENT TRIGGER"];

/** Kinds that are outside the one database that is restored. */
const CLUSTER_KINDS: readonly string[] = ["DATABASE", "ROLE", "USER", "GROUP", "TABLESPACE"];

/** Judges a whole statement; each character of `statement` is one byte. */
export function judgeStatement(statement: string, server: ServerFacts): Verdict {
  const all = statement.match(TOKENS)?.filter((token) => !/^(--|\/\*)/.test(token)) ?? [];
  const tokens = all.slice(0, 8).map((token) => token.toUpperCase());
  const [first = "", second = "", third = ""] = tokens;
  const two = `${second} ${third}`;
  switch (first) {
    case "GRANT":
    case "REVOKE":
      return { leaveOut: "ACL" };
    case "SECURITY":
      return { leaveOut: "SECURITY LABEL" };
    case "COPY":
      return COPY_SHAPE.test(statement) ? undefined : { refuse: "it has a COPY that pg_dump does not write" };
    case "SET":
      return judgeSetting(all, server);
    case "COMMENT":
      return judgeComment(tokens, all[4] ?? "");
    case "ALTER":
      if (two === "DEFAULT PRIVILEGES") return { leaveOut: "DEFAULT ACL" };
      if (second === "EXTENSION") return { leaveOut: "EXTENSION" };
      if (setsOwner(all)) return { leaveOut: "OWNER" };
  }
  const kind = SERVER_KINDS.find((name) => name === second || name === two);
  if (kind) return { leaveOut: kind };
  if (CLUSTER_KINDS.includes(second)) {
    return {
      refuse: `it has ${first} ${second}: make the dump of one database, without --create and not by pg_dumpall`,
    };
  }
  return first === "CREATE" ? judgeCreation(tokens, all, server) : undefined;
}

function judgeSetting(tokens: readonly string[], server: ServerFacts): Verdict {
  const [, name = "", equals = "", value = ""] = tokens.map((token) => token.toLowerCase());
  if (name === "session" || name === "role") return { leaveOut: "OWNER" };
  if (name === "default_tablespace" && value !== "''") return { leaveOut: "TABLESPACE" };
  if (name === "standard_conforming_strings" && value !== "on") {
    return { refuse: "it was made with standard_conforming_strings off" };
  }
  if (equals === "=" && /^\w+$/.test(name) && !server.settings.includes(name)) return { leaveOut: `SET ${name}` };
  return undefined;
}

function judgeComment(tokens: readonly string[], name: string): Verdict {
  const [, , kind = "", next = ""] = tokens;
  if (kind === "SCHEMA" && isPublic(next)) return { leaveOut: "COMMENT" };
  const others = ["EXTENSION", "PUBLICATION", "SUBSCRIPTION", "DATABASE", "ROLE", "TABLESPACE"];
  return others.includes(kind) || (kind === "EVENT" && name !== "") ? { leaveOut: "COMMENT" } : undefined;
}

/** ALTER … OWNER TO name; and nothing after it. */
function setsOwner(tokens: readonly string[]): boolean {
  const [owner = "", to = "", name = "", end = "", ...more] = tokens.slice(-4);
  return owner.toUpperCase() === "OWNER" && to.toUpperCase() === "TO" && /^["\w$\x80-\xff]/.test(name) && end === ";" &&
    more.length === 0;
}

function judgeCreation(tokens: readonly string[], all: readonly string[], server: ServerFacts): Verdict {
  const [, second = "", third = ""] = tokens;
  if (second === "SCHEMA" && isPublic(third)) return { leaveOut: "SCHEMA" };
  if (tokens.includes("LANGUAGE") && /^(OR|PROCEDURAL|TRUSTED|LANGUAGE)$/.test(second) && tokens.includes("PLPGSQL")) {
    return { leaveOut: "PROCEDURAL LANGUAGE" };
  }
  if (second !== "EXTENSION") return undefined;
  const name = plainName(all[third === "IF" ? 5 : 2] ?? "");
  return judgeExtension(name, server);
}

/** There already: nothing to do. Not allowed: left out too; if something needs it, the load fails there, and says so. */
function judgeExtension(name: string, server: ServerFacts): Verdict {
  if (server.extensions.includes(name)) return { leaveOut: "EXTENSION" };
  return server.allowedExtensions.includes(name) ? undefined : { leaveOut: `EXTENSION ${name}` };
}

/** Judges a line of `pg_restore --list`: what its entry is called if it is to be left out. */
export function leftOutEntry(line: string, server: ServerFacts): string | undefined {
  const entry = /^\d+; \d+ \d+ (.*)$/.exec(line)?.[1];
  if (entry === undefined) return undefined;
  const extension = /^EXTENSION - (\S+) /.exec(entry)?.[1];
  if (extension) {
    const verdict = judgeExtension(extension, server);
    return verdict && "leaveOut" in verdict ? verdict.leaveOut : undefined;
  }
  return ENTRIES.find(([pattern]) => pattern.test(entry))?.[1];
}

const ENTRIES = LEFT_OUT_ENTRIES.map(([pattern, name]) => [new RegExp(`^${pattern}`), name] as const);

/** Extensions among what was left out because the role may not create them. */
export function missingExtensions(leftOut: readonly string[]): string[] {
  return leftOut.filter((text) => text.startsWith("EXTENSION ")).map((text) => text.slice("EXTENSION ".length));
}

function isPublic(name: string): boolean {
  return name === "PUBLIC" || name === '"PUBLIC"'; // tokens are in capitals
}

function plainName(token: string): string {
  return token.startsWith('"') ? token.slice(1, -1).replaceAll('""', '"') : token.toLowerCase();
}
