/** Records and attachments of a test in an Odoo: made, and looked at again to be compared. */
import type { OdooSession } from "./odoo_session.ts";

const PARTNERS = 60;
const LARGE_FILES = 4;
const SMALL_FILES = 40;
const LARGE_BYTES = 2 ** 20;
/** crypto gives no more at once. */
const RANDOM_BYTES = 2 ** 16;

/** What was found. */
export interface Content {
  /** By reference. */
  readonly partners: Readonly<Record<string, string>>;
  /** SHA-256 of each file that is served, by name. */
  readonly files: Readonly<Record<string, string>>;
}

/** Makes partners and attachments, some large, some of equal content, with names that are hard to quote. */
export async function makeContent(odoo: OdooSession): Promise<void> {
  await odoo.create(
    "res.partner",
    Array.from({ length: PARTNERS }, (_, n) => ({
      ref: `e2e-${n}`,
      name: `Zoë "${n}" O'Néill \\ ${crypto.randomUUID()}`,
      comment: `<p>línea ${n}\ttab</p>`,
      email: `e2e-${n}@example.com`,
    })),
  );
  const twin = randomBytes(5_000);
  for (let n = 0; n < LARGE_FILES + SMALL_FILES; n++) {
    const bytes = n < LARGE_FILES ? randomBytes(LARGE_BYTES) : n % 5 === 0 ? twin : randomBytes(500 * n);
    await odoo.create("ir.attachment", [{ name: `e2e-${n} 'ü'.bin`, datas: bytes.toBase64() }]);
  }
}

/** Options of {@linkcode readContent}. */
interface ReadOptions {
  /** @default {true} */
  readonly files?: boolean;
}

/** Reads what {@linkcode makeContent} made; files as they are served. */
export async function readContent(odoo: OdooSession, options: ReadOptions = {}): Promise<Content> {
  const found = await odoo.search("res.partner", [["ref", "like", "e2e-"]], ["ref", "name", "comment", "email"]);
  const partners = Object.fromEntries(found.map(({ ref, name, comment, email }) => [
    String(ref),
    JSON.stringify([name, comment, email]),
  ]));
  const files: Record<string, string> = {};
  if (options.files === false) return { partners, files };
  for (const { id, name } of await odoo.search("ir.attachment", [["name", "like", "e2e-"]], ["name"])) {
    files[String(name)] = await sha256(await odoo.download(Number(id)));
  }
  return { partners, files };
}

/** Hexadecimal. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += RANDOM_BYTES) crypto.getRandomValues(bytes.subarray(at, at + RANDOM_BYTES));
  return bytes;
}
