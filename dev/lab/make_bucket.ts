/** Makes the bucket that the end-to-end tests are told of (E2E_S3_*), unless it is there. `deno run -A dev/lab/make_bucket.ts` */
import { BucketAlreadyOwnedByYou, CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { s3Config } from "../../tests/e2e/bucket.ts";
import { readSettings } from "../../tests/e2e/settings.ts";

const { s3 } = readSettings();
const client = new S3Client(s3Config(s3));
try {
  await client.send(new CreateBucketCommand({ Bucket: s3.bucket }));
} catch (error) {
  if (!(error instanceof BucketAlreadyOwnedByYou)) throw error;
} finally {
  client.destroy();
}
