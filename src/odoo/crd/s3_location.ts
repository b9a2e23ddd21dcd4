/** Location and format of backups: shared by the job that writes them and the job that restores them. */
import { z } from "zod";

/** An object in an S3 bucket. */
export const s3Location = z.object({
  bucket: z.string().describe("Name of the bucket."),
  objectKey: z.string().describe("Key of the object in the bucket, such as shop/2026-11-21.zip."),
  endpoint: z.string().describe("URL of the S3 service, such as https://s3.example.com."),
  region: z.string().nullish().describe("S3 region that requests are signed for. Default: us-east-1."),
  insecure: z.boolean().default(false).describe(
    "True: the TLS certificate of the endpoint is not verified. Default: false.",
  ),
  s3CredentialsSecretRef: z.object({
    name: z.string().optional().describe("Name of the Secret. It must have the keys accessKey and secretKey."),
    namespace: z.string().optional().describe("Namespace of the Secret. Default: the namespace of this object."),
  }).nullish().describe("Secret with the S3 credentials. Absent: requests are not signed."),
  caSecretRef: z.object({
    name: z.string().describe("Name of a Secret in this namespace."),
    key: z.string().nullish().describe("Key in that Secret. Default: ca.crt."),
  }).nullish().describe(
    "Secret with CA certificates in PEM that are trusted in addition to the public ones, for an endpoint whose certificate a private CA has issued.",
  ),
});

/** Schema of {@linkcode BackupFormat}. */
export const backupFormat = z.enum(["zip", "sql", "dump"]);

/** The format of a backup. */
export type BackupFormat = z.infer<typeof backupFormat>;
