/**
 * Where a backup is, as a user writes it → where it is, checked: a user who may create a job of this operator must not reach
 * another object, another bucket or another namespace's Secret by it than the ones it names.
 */
import type { OdooBackupJob } from "../../crd/mod.ts";
import type { Problem } from "../problem.ts";
import { hostProblem } from "../network/service_address.ts";

/** Where an object is, and how to get there. */
export interface S3Location {
  /** With its scheme, such as `https://s3.example.com`. */
  readonly endpoint: string;
  /** @default "us-east-1" */
  readonly region?: string;
  readonly bucket: string;
  readonly key: string;
  /** True: the certificate is not checked. @default {false} */
  readonly insecure?: boolean;
  /** Absent: requests are not signed. */
  readonly credentials?: { readonly accessKey: string; readonly secretKey: string };
  /** Certificates, as PEM, that are trusted in addition to those of the system. */
  readonly ca?: string;
}

/** The same as a field of a job CR. */
export type S3Field = OdooBackupJob["spec"]["destination"];

/** Key of the authority's certificate, if `caSecretRef` names none. */
export const CA_KEY = "ca.crt";

/** What describes a backup lies beside it, under its key and this. */
export const DESCRIPTION_SUFFIX = ".json";

/** 1024 bytes is what S3 takes. */
const LONGEST_KEY_BYTES = 1024 - DESCRIPTION_SUFFIX.length;

/** AWS's rules for names, and what other services and old buckets have beside them. */
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9_.-]{1,253}[A-Za-z0-9]$/;
const REGION = /^[A-Za-z0-9-]{1,64}$/;
const SECRET_KEY = /^(?!\.\.?$|\.\.)[-._a-zA-Z0-9]{1,253}$/;
const SECRET = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
// deno-lint-ignore no-control-regex -- these are what is looked for
const CONTROL = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/;

/** What is wrong with the destination of a backup. */
export function backupProblem({ metadata, spec }: OdooBackupJob): Problem | undefined {
  return s3Problem(spec.destination, { field: "spec.destination", namespace: metadata?.namespace ?? "" });
}

/** Options of {@linkcode s3Problem}. */
export interface S3ProblemOptions {
  /** Where it stands, for the message. */
  readonly field: string;
  /** That of the object in which it stands. */
  readonly namespace: string;
}

/** What is wrong with an S3 location; the message says what to write instead. */
export function s3Problem(location: S3Field, { field, namespace }: S3ProblemOptions): Problem | undefined {
  const { bucket, objectKey, endpoint, region, s3CredentialsSecretRef: secret, caSecretRef: ca } = location;
  const wrong: Readonly<Record<string, string | undefined>> = {
    bucket: BUCKET.test(bucket) && !bucket.includes("..") ? undefined : "is no name of a bucket",
    objectKey: keyProblem(objectKey),
    endpoint: endpointProblem(endpoint),
    region: !region || REGION.test(region) ? undefined : "is no name of a region, such as eu-central-1",
    "s3CredentialsSecretRef.name": !secret || SECRET.test(secret.name ?? "") ? undefined : "is no name of a Secret",
    "caSecretRef.name": !ca || SECRET.test(ca.name) ? undefined : "is no name of a Secret",
    "caSecretRef.key": SECRET_KEY.test(ca?.key || CA_KEY) ? undefined : "is no key of a Secret, such as ca.crt",
  };
  for (const [name, problem] of Object.entries(wrong)) {
    if (problem) return { reason: "InvalidDestination", message: `${field}.${name} ${problem}` };
  }
  if (secret?.namespace && secret.namespace !== namespace) {
    const message = `${field}.s3CredentialsSecretRef.namespace is another than this object's: ` +
      `copy the Secret to namespace ${namespace} and leave the field out`;
    return { reason: "ForeignSecret", message };
  }
  return undefined;
}

function keyProblem(key: string): string | undefined {
  if (key === "") return "is empty: write a name such as shop/2026-11-21.zip";
  if (!key.isWellFormed() || CONTROL.test(key)) return "has control characters";
  if (new TextEncoder().encode(key).length > LONGEST_KEY_BYTES) return `is longer than ${LONGEST_KEY_BYTES} bytes`;
  // in a URL these mean another place, another bucket even
  const places = key.split("/");
  if (places.some((place) => place === "." || place === "..")) return "has a . or .. between its slashes";
  return places.includes("") ? "begins or ends with a slash, or has two in a row" : undefined;
}

function endpointProblem(endpoint: string): string | undefined {
  if (CONTROL.test(endpoint) || /\s/.test(endpoint)) return "has blanks or control characters";
  const url = URL.parse(endpoint);
  if (!url || !/^https?:\/\//i.test(endpoint)) return "is no address such as https://s3.example.com";
  if (url.username || url.password) {
    return "has credentials in it: they belong into the Secret of s3CredentialsSecretRef";
  }
  if (url.search || url.hash || /[?#]/.test(endpoint)) return "has a ? or # in it: write the address alone";
  const problem = hostProblem(url.hostname); // the URL parser has made one form of all ways to write an address
  return problem && `leads where no S3 service is: ${problem}`;
}
