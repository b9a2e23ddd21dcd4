/** Certificates that a user gives for a service of their own, from a file that the kubelet puts there. */
import type { S3Location } from "../model/s3/s3_location.ts";
import { JobError } from "./report.ts";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/;

/** The location with what `file` holds. @throws {JobError} if that is none: to go on would blame the service's certificate */
export async function withAuthority(location: S3Location, file: string | undefined): Promise<S3Location> {
  if (!file) return location;
  const ca = await contentOf(file);
  if (CERTIFICATE.test(ca)) return { ...location, ca };
  throw new JobError(
    "AuthorityUnusable",
    "The Secret of caSecretRef holds no certificate under that key: write the authority there as PEM, with -----BEGIN CERTIFICATE-----",
  );
}

async function contentOf(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new JobError(
      "AuthorityMissing",
      "There is no Secret, or no such key in it, as caSecretRef names: create it beside the request, or correct the name",
      { cause: error },
    );
  }
}
