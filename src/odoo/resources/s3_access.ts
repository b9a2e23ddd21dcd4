/** What a container needs to reach an object in S3: for the Jobs that write or read a backup. */
import { type Container, envFromSecret, type EnvVar, literalEnv, type PodSpec } from "../../kit/builders/mod.ts";
import { CA_KEY, type S3Field } from "../model/s3/s3_location.ts";

const CA_DIRECTORY = "/etc/s3-authority";
const CA_VOLUME = "s3-authority";

/** Where the object is; the keys stay in their Secret. */
export function s3Env(location: S3Field): EnvVar[] {
  const { endpoint, region, bucket, objectKey, insecure, s3CredentialsSecretRef: secret, caSecretRef } = location;
  const name = secret?.name;
  return [
    ...literalEnv({
      S3_ENDPOINT: endpoint,
      S3_REGION: region ?? "",
      S3_BUCKET: bucket,
      S3_KEY: objectKey,
      S3_INSECURE: String(insecure ?? false),
      ...(caSecretRef ? { S3_CA_FILE: `${CA_DIRECTORY}/${CA_KEY}` } : {}),
    }),
    ...(name
      ? [
        envFromSecret("S3_ACCESS_KEY", { name, key: "accessKey" }),
        envFromSecret("S3_SECRET_KEY", { name, key: "secretKey" }),
      ]
      : []),
  ];
}

/** The volume with the authority of the endpoint's certificate, if there is one of its own. */
export function s3Volumes({ caSecretRef }: S3Field): NonNullable<PodSpec["volumes"]> {
  if (!caSecretRef) return [];
  const { name: secretName, key } = caSecretRef;
  // Optional, so that the program says what is missing: a pod would wait for the volume without a word.
  return [{ name: CA_VOLUME, secret: { secretName, items: [{ key: key || CA_KEY, path: CA_KEY }], optional: true } }];
}

/** Where that volume is, for the container with {@linkcode s3Env}. */
export function s3Mounts({ caSecretRef }: S3Field): NonNullable<Container["volumeMounts"]> {
  return caSecretRef ? [{ name: CA_VOLUME, mountPath: CA_DIRECTORY, readOnly: true }] : [];
}
