/** A certificate and its key in files, replaced in the ways in which the world replaces them. */
import {
  type CertificateAuthority,
  createCertificateAuthority,
  type KeyAndCertificate,
} from "../../dev/certificates.ts";

/** A folder with tls.crt and tls.key, laid out as the kubelet lays out a mounted Secret. */
export class CertificateFiles implements AsyncDisposable {
  readonly #authority: CertificateAuthority;
  readonly #folder: string;
  #versions = 0;

  constructor(authority: CertificateAuthority, folder: string) {
    this.#authority = authority;
    this.#folder = folder;
  }

  get caPem(): string {
    return this.#authority.certPem;
  }

  get certPath(): string {
    return `${this.#folder}/tls.crt`;
  }

  get keyPath(): string {
    return `${this.#folder}/tls.key`;
  }

  /** A fresh pair for this machine, in no file yet. */
  issue(): Promise<KeyAndCertificate> {
    return this.#authority.issueServer({ dnsNames: ["localhost"], ips: ["127.0.0.1"] });
  }

  /** Swaps the symlink `..data`, as the kubelet does: both files change at one instant. */
  async replace(pair?: KeyAndCertificate): Promise<void> {
    const { certPem, keyPem } = pair ?? await this.issue();
    const version = `..${++this.#versions}`;
    await Deno.mkdir(`${this.#folder}/${version}`);
    await Deno.writeTextFile(`${this.#folder}/${version}/tls.crt`, certPem);
    await Deno.writeTextFile(`${this.#folder}/${version}/tls.key`, keyPem);
    await Deno.symlink(version, `${this.#folder}/..new`);
    await Deno.rename(`${this.#folder}/..new`, `${this.#folder}/..data`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** A fresh authority and a first pair in files. */
export async function certificateFiles(): Promise<CertificateFiles> {
  const folder = await Deno.makeTempDir({ prefix: "certificate-" });
  const files = new CertificateFiles(await createCertificateAuthority(), folder);
  await files.replace();
  for (const name of ["tls.crt", "tls.key"]) await Deno.symlink(`..data/${name}`, `${folder}/${name}`);
  return files;
}
