/**
 * The backup of another Odoo, made by its database manager at this moment and streamed while it comes.
 *
 * Its answers are 200 even where it fails, so the content decides whether it is a backup or an error page. Redirects are not followed: the
 * master password is for the address that was given, and for no other.
 */
import { JobError } from "./report.ts";
import type { OdooAddress } from "./restore_settings.ts";

/** Options of {@linkcode fetchOdooBackup}. */
export interface OdooBackupOptions {
  readonly format: "zip" | "dump";
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/** The remote Odoo finishes its dump before it sends the first byte. */
const FIRST_BYTE_TIMEOUT_MS = 3 * 3600_000;
const IDLE_TIMEOUT_MS = 300_000;
const LIST_TIMEOUT_MS = 60_000;
const LONGEST_PAGE_BYTES = 1 << 20;

/** Asks for a backup. @throws {JobError} */
export async function fetchOdooBackup(
  address: OdooAddress,
  options: OdooBackupOptions,
): Promise<ReadableStream<Uint8Array>> {
  const database = address.database ?? await onlyDatabase(address, options.signal);
  const body = new URLSearchParams({ master_pwd: address.password, name: database, backup_format: options.format });
  const patience = new Patience(options.signal);
  const response = await ask(address, "/web/database/backup", { body, patience, ms: FIRST_BYTE_TIMEOUT_MS });
  const type = response.headers.get("content-type") ?? "";
  if (/^text\/html/i.test(type) || !response.body) throw pageFailure(await start(response, patience), database);
  return ReadableStream.from(limited(response.body, { ...options, patience }));
}

async function* limited(
  stream: ReadableStream<Uint8Array>,
  { maxBytes, patience }: OdooBackupOptions & { readonly patience: Patience },
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  try {
    patience.extend(IDLE_TIMEOUT_MS);
    for await (const piece of stream) {
      patience.extend(IDLE_TIMEOUT_MS);
      bytes += piece.length;
      if (bytes > maxBytes) {
        throw new JobError("SourceTooLarge", `The other Odoo sends more than ${maxBytes} bytes, which is the limit`);
      }
      yield piece;
    }
  } catch (error) {
    if (error instanceof JobError) throw error;
    throw unreachable(`the transfer broke off after ${bytes} bytes`, error);
  } finally {
    patience[Symbol.dispose]();
  }
}

async function onlyDatabase(address: OdooAddress, signal: AbortSignal): Promise<string> {
  const patience = new Patience(signal);
  const body = JSON.stringify({ jsonrpc: "2.0", method: "call", params: {}, id: 1 });
  const response = await ask(address, "/web/database/list", { body, patience, ms: LIST_TIMEOUT_MS });
  const names = namesIn(await start(response, patience));
  const [name] = names;
  if (name && names.length === 1) return name;
  throw new JobError(
    "SourceDatabaseUnknown",
    names.length > 1
      ? `The other Odoo has ${names.length} databases: say which one in source.odoo.sourceDatabase`
      : "The other Odoo does not list its databases: say in source.odoo.sourceDatabase which one is meant",
  );
}

function namesIn(text: string): readonly string[] {
  try {
    const { result } = JSON.parse(text) as { readonly result?: unknown };
    return Array.isArray(result) ? result.filter((name) => typeof name === "string") : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

interface Question {
  readonly body: URLSearchParams | string;
  readonly patience: Patience;
  readonly ms: number;
}

async function ask({ url }: OdooAddress, path: string, { body, patience, ms }: Question): Promise<Response> {
  const target = new URL(url.replace(/\/+$/, "") + path);
  const headers = typeof body === "string" ? { "content-type": "application/json" } : {};
  patience.extend(ms);
  let response: Response;
  try {
    response = await fetch(target, { method: "POST", body, headers, redirect: "manual", signal: patience.signal });
  } catch (error) {
    throw unreachable("it does not answer", error);
  }
  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    const to = URL.parse(response.headers.get("location") ?? "", target);
    const where = to ? ` to ${to.origin}${to.pathname}` : "";
    throw new JobError(
      "SourceRedirects",
      `The other Odoo redirects${where}, which is not followed with a master password: set source.odoo.url to the address itself, and make sure that its database manager is open`,
    );
  }
  if (!response.ok) {
    await response.body?.cancel();
    throw new JobError(
      "SourceRefuses",
      `The other Odoo answers ${response.status}: its database manager (/web/database) must be open to this cluster, with list_db = True`,
    );
  }
  return response;
}

/** What a page of the database manager says went wrong. */
function pageFailure(page: string, database: string): JobError {
  if (/access denied|AccessDenied/i.test(page)) {
    return new JobError(
      "MasterPasswordWrong",
      "The other Odoo refuses the master password: correct source.odoo.masterPassword",
    );
  }
  const said = /Database backup error:\s*([^<\n]{1,200})/.exec(page)?.[1]?.trim();
  return new JobError(
    "SourceRefuses",
    said
      ? `The other Odoo cannot back up its database ${JSON.stringify(database)}: ${said}`
      : `The other Odoo sends a page instead of a backup of ${
        JSON.stringify(database)
      }: is source.odoo.url the address of an Odoo whose database manager is open?`,
  );
}

async function start(response: Response, patience: Patience): Promise<string> {
  const decoder = new TextDecoder();
  let [page, bytes] = ["", 0];
  try {
    for await (const piece of response.body ?? []) {
      page += decoder.decode(piece, { stream: true });
      bytes += piece.length;
      if (bytes > LONGEST_PAGE_BYTES) break;
    }
  } catch (error) {
    throw unreachable("it broke off", error);
  } finally {
    patience[Symbol.dispose]();
  }
  return page;
}

function unreachable(state: string, cause: unknown): JobError {
  const said = cause instanceof Error ? cause.message.replace(/\s*\(http[^)]*\)/, "") : String(cause);
  return new JobError("SourceUnreachable", `Cannot fetch the backup of the other Odoo: ${state} (${said})`, {
    cause,
  });
}

/** A signal that comes when nothing has happened for too long, or with the caller's. */
class Patience implements Disposable {
  readonly #controller = new AbortController();
  readonly signal: AbortSignal;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(signal: AbortSignal) {
    this.signal = AbortSignal.any([signal, this.#controller.signal]);
  }

  extend(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.#controller.abort(new Error(`nothing came for ${Math.round(ms / 1000)} s`)),
      ms,
    );
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
