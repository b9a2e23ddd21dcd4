/**
 * What an S3 service, or the way to it, said when a request failed → a reason that a person can act upon.
 *
 * Services agree on the codes of AWS, less on when they send them, and some answer without one; then the HTTP status counts.
 */
import { masked } from "../operations/reports/masking.ts";

/** Reasons of failures, as conditions and events show them. */
export type S3Reason =
  | "BucketMissing"
  | "ObjectMissing"
  | "ObjectChanged"
  | "AccessDenied"
  | "CredentialsWrong"
  | "RegionWrong"
  | "ClockSkewed"
  | "S3Full"
  | "S3Busy"
  | "S3Unreachable"
  | "S3Refused"
  | "CertificateUnknown";

/** A failed request, as far as it is known. */
export interface S3Symptoms {
  /** The code in the answer, such as `NoSuchBucket`, or that of the network, such as `ECONNREFUSED`. */
  readonly code: string;
  /** Status of the answer; absent if none came. */
  readonly status?: number;
}

const REASONS: Readonly<Record<string, S3Reason>> = {
  NoSuchBucket: "BucketMissing",
  NoSuchKey: "ObjectMissing",
  PreconditionFailed: "ObjectChanged",
  AccessDenied: "AccessDenied",
  AllAccessDisabled: "AccessDenied",
  AccountProblem: "AccessDenied",
  InvalidAccessKeyId: "CredentialsWrong",
  SignatureDoesNotMatch: "CredentialsWrong",
  InvalidToken: "CredentialsWrong",
  ExpiredToken: "CredentialsWrong",
  InvalidSecurity: "CredentialsWrong",
  XAdminUserNotFound: "CredentialsWrong", // versitygw
  AuthorizationHeaderMalformed: "RegionWrong",
  PermanentRedirect: "RegionWrong",
  InvalidRegion: "RegionWrong",
  IllegalLocationConstraintException: "RegionWrong",
  RequestTimeTooSkewed: "ClockSkewed",
  RequestExpired: "ClockSkewed",
  QuotaExceeded: "S3Full",
  InsufficientStorage: "S3Full",
  XMinioStorageFull: "S3Full",
  XMinioAdminBucketQuotaExceeded: "S3Full",
  StorageQuotaExceeded: "S3Full",
  SlowDown: "S3Busy",
  ServiceUnavailable: "S3Busy",
  InternalError: "S3Busy",
  RequestTimeout: "S3Busy",
  TooManyRequests: "S3Busy",
};

const REASONS_BY_STATUS: Readonly<Record<number, S3Reason>> = {
  301: "RegionWrong",
  307: "RegionWrong",
  401: "CredentialsWrong",
  403: "AccessDenied",
  404: "ObjectMissing",
  408: "S3Busy",
  412: "ObjectChanged",
  429: "S3Busy",
  507: "S3Full",
};

/** What OpenSSL says of certificates that it does not trust. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|HOSTNAME_MISMATCH/;

/** The fields of an SDK or network error that determine the reason. */
export function symptomsOf(error: unknown): S3Symptoms {
  if (!(error instanceof Error)) return { code: "" };
  const { name, code, $metadata } = error as Error & { readonly code?: unknown; readonly $metadata?: unknown };
  const status = ($metadata as { readonly httpStatusCode?: number } | undefined)?.httpStatusCode;
  return { code: typeof code === "string" ? code : name, ...(status === undefined ? {} : { status }) };
}

/** The message of the service or of the network: one line of limited length, without these secrets. */
export function saidBy(error: unknown, secrets: readonly string[] = []): string {
  if (!(error instanceof Error)) return "";
  const { status, code } = symptomsOf(error);
  const text = error.message === "UnknownError" ? "" : error.message;
  // deno-lint-ignore no-control-regex -- a hostile service may send what a terminal obeys
  const line = [status, code, text].filter(Boolean).join(" ").replace(/[\x00-\x1f\x7f]+/g, " ");
  return masked(line, secrets).slice(0, MOST_OF_A_LINE);
}

const MOST_OF_A_LINE = 200;

/** The reason behind a failed request. */
export function s3Reason({ code, status }: S3Symptoms): S3Reason {
  const known = REASONS[code];
  if (known) return known;
  if (status === undefined) return CERTIFICATE.test(code) ? "CertificateUnknown" : "S3Unreachable";
  return REASONS_BY_STATUS[status] ?? (status >= 500 ? "S3Busy" : "S3Refused");
}

/** Whether the same request may succeed a little later. */
export function mayPass(reason: S3Reason): boolean {
  return reason === "S3Busy" || reason === "S3Unreachable";
}

/** What a person can do about it. */
export const S3_ADVICE = {
  BucketMissing: "create the bucket, or correct its name",
  ObjectMissing: "correct objectKey",
  ObjectChanged: "run it again when no other client writes to this key",
  AccessDenied: "let these credentials read and write this key, multipart uploads included",
  CredentialsWrong: "correct accessKey and secretKey in the Secret of s3CredentialsSecretRef",
  RegionWrong: "set region to the one of the bucket",
  ClockSkewed: "set the clock of the node",
  S3Full: "make room in the bucket, or raise its quota",
  S3Busy: "run it again when the service answers",
  S3Unreachable: "correct endpoint, or look at the network between the pod and it",
  S3Refused: "see that endpoint is the address of an S3 service",
  CertificateUnknown: "name a Secret with the authority of the endpoint's certificate in caSecretRef, or set insecure",
} as const satisfies Record<S3Reason, string>;
