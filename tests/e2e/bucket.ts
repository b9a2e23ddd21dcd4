/** The objects of a run in the bucket, as this machine sees them. */
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  S3Client,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import type { Bucket } from "./settings.ts";

/** How the bucket is reached. */
export function s3Config({ endpoint, region, accessKey, secretKey }: Bucket): S3ClientConfig {
  const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey };
  return { endpoint, region, forcePathStyle: true, credentials };
}

/** The content of an object. */
export async function download(bucket: Bucket, key: string): Promise<Uint8Array<ArrayBuffer>> {
  const s3 = new S3Client(s3Config(bucket));
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket.bucket, Key: key }));
    if (!Body) throw new Error(`${key} has no content`);
    return new Uint8Array(await Body.transformToByteArray());
  } finally {
    s3.destroy();
  }
}

/** Deletes what begins with `prefix`: not more than a list has, which a run never fills. */
export async function removeObjects(bucket: Bucket, prefix: string): Promise<void> {
  const s3 = new S3Client(s3Config(bucket));
  try {
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket.bucket, Prefix: prefix }));
    const Objects = Contents.map(({ Key }) => ({ Key }));
    if (Objects.length > 0) await s3.send(new DeleteObjectsCommand({ Bucket: bucket.bucket, Delete: { Objects } }));
  } finally {
    s3.destroy();
  }
}
