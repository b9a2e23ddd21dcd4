/** Makes the bucket that the end-to-end tests are told of (E2E_S3_*), unless it is there. `deno run -A dev/lab/make_bucket.ts` */
import { BucketAlreadyOwnedByYou, CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { readSettings } from "../../tests/e2e/settings.ts";

const { endpoint, region, bucket, accessKey: accessKeyId, secretKey: secretAccessKey } = readSettings().s3;
const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
try {
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
} catch (error) {
  if (!(error instanceof BucketAlreadyOwnedByYou)) throw error;
} finally {
  client.destroy();
}
