/** Where a restore gets its backup from: an object in a bucket, or another Odoo. Looked at before anything is done with it. */
import type { BackupFormat } from "../crd/s3_location.ts";
import { DESCRIPTION_SUFFIX } from "../model/s3/s3_location.ts";
import { type S3Head, S3Object } from "../ports/s3.ts";
import { type ByteSource, fileSource } from "./byte_window.ts";
import { withAuthority } from "./certificate_authority.ts";
import { fileSink } from "./file_sink.ts";
import { JobError } from "./report.ts";
import { fetchOdooBackup } from "./odoo_source.ts";
import type { RestoreSettings } from "./restore_settings.ts";
import { assertServiceHost } from "./service_host.ts";

/** A backup whose format, size and version were checked without reading all of it. */
export interface RestoreSource extends AsyncDisposable {
  /** Absent where only a stream comes. */
  readonly zip?: ByteSource;
  /** In lower case hexadecimals, if the backup's metadata or description records it. */
  readonly sha256?: string;
  /** All of it, once. */
  stream(): AsyncIterable<Uint8Array>;
}

const LOOK_BYTES = 1024;
const SHA256 = /^[0-9a-f]{64}$/;
const LONGEST_DESCRIPTION_BYTES = 64 << 10;

/** Opens it. @throws {JobError} if it is not there, is empty, or is something else than `settings.format` */
export function openSource(settings: RestoreSettings, signal: AbortSignal): Promise<RestoreSource> {
  return settings.s3 ? openObject(settings, signal) : openOdoo(settings, signal);
}

async function openObject(
  { s3, caFile, apiServer, format, maxBytes }: RestoreSettings,
  signal: AbortSignal,
): Promise<RestoreSource> {
  if (!s3) throw new TypeError("Cannot open an object: no location is given");
  await assertServiceHost(s3.endpoint, { apiServer });
  const object = new S3Object(await withAuthority(s3, caFile), { signal });
  const head = await object.head();
  const name = `s3://${s3.bucket}/${s3.key} at ${s3.endpoint}`;
  if (!head) {
    throw new JobError("ObjectMissing", `Cannot read ${name}: there is no such object; check source.s3.objectKey`);
  }
  const { bytes, etag } = head;
  if (bytes === 0) throw new JobError("SourceEmpty", `Cannot restore ${name}: the object is empty`);
  if (bytes > maxBytes) {
    throw new JobError(
      "SourceTooLarge",
      `Cannot restore ${name}: it has ${bytes} bytes, more than the limit of ${maxBytes}`,
    );
  }
  const version = etag ? { etag } : {};
  const open = (offset: number) => object.read({ offset, ...version });
  const first = await collected(object.read({ offset: 0, length: Math.min(bytes, LOOK_BYTES), ...version }));
  checkFormat(first, format, name);
  const sha256 = head.metadata.sha256 ??
    await describedChecksum(object.sibling(`${s3.key}${DESCRIPTION_SUFFIX}`), head);
  return {
    ...(format === "zip" ? { zip: { bytes, open } } : {}),
    ...(sha256 && SHA256.test(sha256) ? { sha256 } : {}),
    stream: () => open(0),
    [Symbol.asyncDispose]: () => Promise.resolve(object[Symbol.dispose]()),
  };
}

/** What a backup of ours wrote beside its object; what it says of another size or version is of another object. */
async function describedChecksum(description: S3Object, of: S3Head): Promise<string | undefined> {
  using object = description;
  const head = await object.head();
  if (!head || head.bytes > LONGEST_DESCRIPTION_BYTES) return undefined;
  const text = new TextDecoder().decode(await collected(object.read()));
  try {
    const said = JSON.parse(text) as Readonly<Record<string, unknown>> | null;
    const same = said?.bytes === of.bytes && (said.etag === undefined || said.etag === of.etag);
    return same && typeof said.sha256 === "string" ? said.sha256 : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * A zip is stored first: its directory stands at its end, and must be known before anything is unpacked. That is on the volume
 * of the files, which needs the room anyway; the size of a node's emptyDir storage is unknown.
 */
async function openOdoo(settings: RestoreSettings, signal: AbortSignal): Promise<RestoreSource> {
  const { odoo, apiServer, format, maxBytes } = settings;
  if (!odoo) throw new TypeError("Cannot ask another Odoo: no address is given");
  if (format === "sql") {
    throw new JobError("FormatMismatch", "Another Odoo gives no plain SQL: set format to zip or dump");
  }
  await assertServiceHost(odoo.url, { apiServer }); // before the master password is sent
  const stream = await fetchOdooBackup(odoo, { format, maxBytes, signal });
  const pieces = stream[Symbol.asyncIterator]();
  const first = await pieces.next();
  checkFormat(first.value ?? new Uint8Array(), format, "the answer of the other Odoo");
  const all = replayed(first.value, pieces);
  if (format === "dump") return { stream: () => all, [Symbol.asyncDispose]: async () => void await pieces.return?.() };
  const path = `${settings.dataDirectory}/filestore/${settings.side}.download`;
  const remove = async () => {
    try {
      await Deno.remove(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  };
  try {
    await Deno.mkdir(`${settings.dataDirectory}/filestore`, { recursive: true });
    await ReadableStream.from(all).pipeTo(await fileSink(path, { mode: 0o600 }));
    const zip = await fileSource(path);
    return { zip, stream: () => zip.open(0), [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function* replayed(first: Uint8Array | undefined, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (first) yield first;
  try {
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

async function collected(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of stream) pieces.push(new Uint8Array(piece));
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

function checkFormat(first: Uint8Array, format: BackupFormat, name: string): void {
  const found = contentOf(first);
  if (found === FORMAT_NAMES[format]) return;
  throw new JobError(
    "FormatMismatch",
    `Cannot restore ${name} as ${format}: its content is ${found}; set spec.format to what it is, or name another object`,
  );
}

const FORMAT_NAMES: Readonly<Record<BackupFormat, string>> = {
  zip: "a zip",
  dump: "a custom dump of pg_dump",
  sql: "plain text, as SQL is",
};

/** What the first bytes are the beginning of, in words. */
export function contentOf(first: Uint8Array): string {
  const text = Array.from(first, (byte) => String.fromCharCode(byte)).join("");
  if (text === "") return "nothing at all";
  if (text.startsWith("PK\x03\x04") || text.startsWith("PK\x05\x06")) return FORMAT_NAMES.zip;
  if (text.startsWith("PGDMP")) return FORMAT_NAMES.dump;
  if (text.startsWith("\x1f\x8b")) return "packed by gzip, which is to be undone first";
  if (text.slice(257, 262) === "ustar") return "a tar archive";
  if (/^\s*</.test(text)) return "a page of HTML or XML, most often an error";
  return text.includes("\0") ? "something unknown" : FORMAT_NAMES.sql;
}
