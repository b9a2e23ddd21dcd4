/**
 * A server's certificate and key in two files that others replace: the kubelet (a mounted Secret), cert-manager, an administrator. The
 * files are read again and again, which works for every way of replacing them (a symlink swapped by the kubelet, a
 * rename, a write in place), and a pair is used only once both halves are there and belong together.
 */
import { messageOf, TerminalError } from "./errors.ts";

/** Where certificate and private key are, both PEM. */
export interface CertificatePaths {
  readonly certPath: string;
  readonly keyPath: string;
}

/** A certificate (with its chain) and the private key that belongs to it, both PEM. */
export interface ServingCertificate {
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads both files and checks that they are one usable pair.
 *
 * @throws {TerminalError} in one line that names the file, if one is missing, empty or no PEM, or they do not match.
 *
 * @example
 * ```ts
 * const pair = await readServingCertificate({ certPath: "/certs/tls.crt", keyPath: "/certs/tls.key" });
 * ```
 */
export async function readServingCertificate(paths: CertificatePaths): Promise<ServingCertificate> {
  const { certPath, keyPath } = paths;
  let cert = await readText(certPath);
  for (;;) {
    const key = await readText(keyPath);
    const again = await readText(certPath);
    if (again === cert) return checked({ cert, key }, paths);
    cert = again; // replaced while we read: the key may be that of the former one
  }
}

async function readText(path: string): Promise<string> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound ? "it does not exist" : messageOf(cause);
    throw new TerminalError(`Cannot use ${path} for TLS: ${why}`, { cause });
  }
  if (!text.trim()) throw new TerminalError(`Cannot use ${path} for TLS: it is empty`);
  return text;
}

/** node:https takes any text for a certificate and then fails each handshake; this is the check it leaves out. */
function checked(pair: ServingCertificate, { certPath, keyPath }: CertificatePaths): ServingCertificate {
  try {
    Deno.createHttpClient(pair).close();
    return pair;
  } catch (cause) {
    throw new TerminalError(`Cannot use ${certPath} with ${keyPath} for TLS: ${messageOf(cause)}`, { cause });
  }
}
