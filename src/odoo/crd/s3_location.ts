/** Where backups are and what they look like: shared by the job that makes them and the job that restores them. */
import { z } from "zod";

/** An object in an S3 bucket. */
export const s3Location = z.object({
  bucket: z.string().describe("Name of the bucket."),
  objectKey: z.string().describe("Key of the object in the bucket, such as shop/2026-11-21.zip."),
  endpoint: z.string().describe("Address of the S3 service, such as https://s3.example.com."),
  region: z.string().nullish().describe("Region that requests are signed for. Default: us-east-1."),
  insecure: z.boolean().default(false).describe(
    "True: the certificate of the endpoint is not checked. Default false.",
  ),
  s3CredentialsSecretRef: z.object({
    name: z.string().optional().describe("Name of the Secret, which has the keys accessKey and secretKey."),
    namespace: z.string().optional().describe("Its namespace. Default: the namespace of this object."),
  }).nullish().describe("Secret with the credentials. Absent: requests are not signed."),
  caSecretRef: z.object({
    name: z.string().describe("Name of a Secret in this namespace."),
    key: z.string().nullish().describe("Key in that Secret. Default: ca.crt."),
  }).nullish().describe(
    "Where certificates of authorities are, as PEM, that are believed beside the public ones: for an endpoint whose certificate is signed by an authority of your own.",
  ),
});

/** The form of a backup. */
export const backupFormat = z.enum(["zip", "sql", "dump"]);

/** What a backup looks like. */
export type BackupFormat = z.infer<typeof backupFormat>;
