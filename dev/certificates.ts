/**
 * A certificate authority for one local cluster, made in memory: no openssl needed. ECDSA P-256 throughout, valid for a
 * week around now, so that a machine whose clock is off still works.
 */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";

const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNING_ALGORITHM = { name: "ECDSA", hash: "SHA-256" } as const;
const VALID_BEFORE_MS = 24 * 3600_000;
const VALID_AFTER_MS = 7 * 24 * 3600_000;

/** A certificate and its private key, as PEM. */
export interface KeyAndCertificate {
  readonly certPem: string;
  readonly keyPem: string;
}

/** Who a client certificate says that its bearer is. */
export interface Subject {
  readonly user: string;
  readonly groups?: readonly string[];
}

/** Signs certificates. Its own key and certificate are enough for {@linkcode openCertificateAuthority}. */
export interface CertificateAuthority extends KeyAndCertificate {
  /** A certificate of a server that is reached by these names and addresses. */
  issueServer(
    options: { readonly dnsNames: readonly string[]; readonly ips: readonly string[] },
  ): Promise<KeyAndCertificate>;
  /** A certificate by which the API server knows a user (common name) and their groups (organizations). */
  issueClient(subject: Subject): Promise<KeyAndCertificate>;
}

/** Makes a new authority. */
export async function createCertificateAuthority(): Promise<CertificateAuthority> {
  const caKeys = await generateKeys();
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(),
    name: [{ CN: ["odoo-operator local cluster"] }],
    keys: caKeys,
    signingAlgorithm: SIGNING_ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });

  return signingWith(ca, caKeys.privateKey);
}

/** The authority that has this key and certificate: another process may sign what {@linkcode createCertificateAuthority} began. */
export async function openCertificateAuthority({ certPem, keyPem }: KeyAndCertificate): Promise<CertificateAuthority> {
  const key = x509.PemConverter.decodeFirst(keyPem);
  return await signingWith(
    new x509.X509Certificate(certPem),
    await crypto.subtle.importKey("pkcs8", key, KEY_ALGORITHM, true, ["sign"]),
  );
}

async function signingWith(ca: x509.X509Certificate, signingKey: CryptoKey): Promise<CertificateAuthority> {
  async function issue(
    subject: { readonly [type: string]: string[] }[],
    extensions: x509.Extension[],
  ): Promise<KeyAndCertificate> {
    const keys = await generateKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      ...validity(),
      subject,
      issuer: ca.subject,
      publicKey: keys.publicKey,
      signingKey,
      signingAlgorithm: SIGNING_ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        await x509.AuthorityKeyIdentifierExtension.create(ca),
        ...extensions,
      ],
    });
    return { certPem: certificate.toString("pem"), keyPem: await privateKeyPem(keys.privateKey) };
  }

  return {
    certPem: ca.toString("pem"),
    keyPem: await privateKeyPem(signingKey),
    issueServer: ({ dnsNames, ips }) =>
      issue([{ CN: [dnsNames[0] ?? ips[0] ?? "server"] }], [
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension([
          ...dnsNames.map((value) => ({ type: "dns" as const, value })),
          ...ips.map((value) => ({ type: "ip" as const, value })),
        ]),
      ]),
    issueClient: ({ user, groups = [] }) =>
      issue([...groups.map((group) => ({ O: [group] })), { CN: [user] }], [
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
      ]),
  };
}

/** The keys that service account tokens are signed with and checked by, as PEM. */
export async function createServiceAccountKeys(): Promise<{ readonly privatePem: string; readonly publicPem: string }> {
  const keys = await generateKeys();
  const publicKey = await crypto.subtle.exportKey("spki", keys.publicKey);
  return {
    privatePem: await privateKeyPem(keys.privateKey),
    publicPem: x509.PemConverter.encode(publicKey, "PUBLIC KEY"),
  };
}

async function generateKeys(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
}

async function privateKeyPem(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}

function validity(): { readonly notBefore: Date; readonly notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - VALID_BEFORE_MS), notAfter: new Date(now + VALID_AFTER_MS) };
}
