/**
 * One object in an S3 bucket: HEAD, GET, multipart upload while its content is being produced, DELETE.
 *
 * What fails for a passing reason (5xx, SlowDown, a broken connection) is tried again for a minute; what fails for good is an
 * S3Error with a reason and advice. An upload that does not end well leaves no parts behind, unless the process is killed.
 * Caveat: memory is three parts, so it grows beyond 100 GiB (model/multipart.ts). The SDK is loaded with the first request.
 */
import type { CompletedPart, S3Client } from "@aws-sdk/client-s3";
import { backoffMs, Deadline, pause } from "../../kit/mod.ts";
import { partBytes } from "../model/s3/multipart.ts";
import { mayPass, S3_ADVICE, type S3Reason, s3Reason, saidBy, symptomsOf } from "../model/s3/s3_failure.ts";
import type { S3Location } from "../model/s3/s3_location.ts";

/** Options of {@linkcode S3Object}. */
export interface S3Options {
  readonly signal?: AbortSignal;
  /** How long a request is repeated that fails for a passing reason. @default {60_000} */
  readonly patienceMs?: number;
  /** For one attempt; a part of 8 MiB takes a minute at 1 Mbit/s. @default {300_000} */
  readonly attemptTimeoutMs?: number;
}

/** What is known of an object without reading it. */
export interface S3Head {
  readonly bytes: number;
  readonly etag: string;
  /** Names are in lower case. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Which bytes to read. */
export interface S3Range {
  readonly offset: number;
  /** @default {all that follow} */
  readonly length?: number;
  /** Refuses to read another version of the object than this one. */
  readonly etag?: string;
}

/** Options of {@linkcode S3Object.writer} and {@linkcode S3Object.put}. */
export interface S3WriteOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  /** About how much will come: parts of the right size from the first on. */
  readonly expectedBytes?: number;
}

/** Options of {@linkcode S3Error}. */
export interface S3ErrorOptions extends ErrorOptions {
  readonly reason: S3Reason;
}

/** A request failed, for good or for too long. The message names endpoint, bucket and key, never a credential. */
export class S3Error extends Error {
  override readonly name = "S3Error";
  readonly reason: S3Reason;

  constructor(message: string, options: S3ErrorOptions) {
    super(message, options);
    this.reason = options.reason;
  }
}

type Sdk = typeof import("@aws-sdk/client-s3");
type Work<T> = (client: S3Client, sdk: Sdk, signal: AbortSignal) => Promise<T>;

const DEFAULT_REGION = "us-east-1";
const DEFAULT_PATIENCE_MS = 60_000;
const DEFAULT_ATTEMPT_TIMEOUT_MS = 300_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** Reasons that an HTTP status alone does not determine. */
const VAGUE: readonly S3Reason[] = ["ObjectMissing", "AccessDenied", "S3Refused"];
const BACKOFF = { baseMs: 250, maxMs: 8_000 } as const;

/** One object. */
export class S3Object implements Disposable {
  readonly #location: S3Location;
  readonly #options: S3Options;
  #opened?: Promise<{ readonly client: S3Client; readonly sdk: Sdk }>;

  constructor(location: S3Location, options: S3Options = {}) {
    this.#location = location;
    this.#options = options;
  }

  /** Closes the connections. */
  [Symbol.dispose](): void {
    this.#opened?.then(({ client }) => client.destroy(), () => {}); // what could not be loaded has no connections
  }

  /** The same place with another key. */
  sibling(key: string): S3Object {
    return new S3Object({ ...this.#location, key }, this.#options);
  }

  /** Size and metadata; `undefined` if the bucket has no such object. */
  async head(): Promise<S3Head | undefined> {
    try {
      return await this.request("look at", async (client, sdk, abortSignal) => {
        const answer = await client.send(new sdk.HeadObjectCommand(this.address), { abortSignal });
        return { bytes: answer.ContentLength ?? 0, etag: answer.ETag ?? "", metadata: answer.Metadata ?? {} };
      });
    } catch (error) {
      if (!(error instanceof S3Error)) throw error;
      return await this.#explain(error);
    }
  }

  /** The content. A connection that breaks is made again where it broke off, in the same version of the object. */
  read(range: S3Range = { offset: 0 }): ReadableStream<Uint8Array> {
    return ReadableStream.from(this.#pieces(range));
  }

  /** Writes a small object at once. */
  async put(content: Uint8Array, { metadata = {} }: S3WriteOptions = {}): Promise<void> {
    await this.request("write", async (client, sdk, abortSignal) => {
      const input = { ...this.address, Body: content, Metadata: { ...metadata } };
      await client.send(new sdk.PutObjectCommand(input), { abortSignal });
    });
  }

  /** Begins an upload; the object is there, or replaced, when it is closed. Fails at once where writing is not allowed. */
  async writer(options: S3WriteOptions = {}): Promise<S3Writer> {
    const uploadId = await this.request("write", async (client, sdk, abortSignal) => {
      const input = { ...this.address, Metadata: { ...options.metadata } };
      const { UploadId } = await client.send(new sdk.CreateMultipartUploadCommand(input), { abortSignal });
      if (!UploadId) throw new TypeError("the answer has no UploadId");
      return UploadId;
    });
    return new S3Writer(this, { uploadId, expectedBytes: options.expectedBytes ?? 0, signal: this.#options.signal });
  }

  /** Removes the object; one that is not there is no error. */
  async delete(): Promise<void> {
    await this.request("remove", async (client, sdk, abortSignal) => {
      await client.send(new sdk.DeleteObjectCommand(this.address), { abortSignal });
    });
  }

  /** Bucket and key, in the SDK's form. */
  get address(): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#location.bucket, Key: this.#location.key };
  }

  /**
   * Sends a request, again and again while that may help. `verb` is what the error says could not be done; `signal` takes the
   * place of the object's own.
   */
  async request<T>(verb: string, work: Work<T>, signal = this.#options.signal): Promise<T> {
    const { patienceMs = DEFAULT_PATIENCE_MS, attemptTimeoutMs = DEFAULT_ATTEMPT_TIMEOUT_MS } = this.#options;
    const { client, sdk } = await this.#open();
    let giveUpAt: number | undefined;
    for (let failures = 0;; failures++) {
      using attempt = new Deadline(attemptTimeoutMs, { signal });
      try {
        return await work(client, sdk, attempt.signal);
      } catch (cause) {
        signal?.throwIfAborted();
        const reason = attempt.signal.aborted ? "S3Unreachable" : s3Reason(symptomsOf(cause));
        giveUpAt ??= performance.now() + patienceMs;
        if (!mayPass(reason) || performance.now() > giveUpAt) throw this.#error(verb, reason, cause);
      }
      await pause(backoffMs(failures, BACKOFF), signal ? { signal } : {});
    }
  }

  async *#pieces({ offset, length, etag }: S3Range): AsyncGenerator<Uint8Array> {
    const end = length === undefined ? undefined : offset + length;
    let version = etag;
    for (let giveUpAt = 0; end === undefined || offset < end;) {
      const range = `bytes=${offset}-${end === undefined ? "" : end - 1}`;
      const condition = version ? { IfMatch: version } : {};
      const whole = offset === 0 && end === undefined; // an empty object has no range that could be asked for
      const answer = await this.request("read", async (client, sdk, abortSignal) => {
        const input = { ...this.address, ...condition, ...(whole ? {} : { Range: range }) };
        return await client.send(new sdk.GetObjectCommand(input), { abortSignal });
      });
      version ??= answer.ETag;
      const last = offset + (answer.ContentLength ?? 0);
      try {
        if (!answer.Body) throw new TypeError("the answer has no content");
        for await (const piece of answer.Body.transformToWebStream() as ReadableStream<Uint8Array>) {
          offset += piece.length;
          giveUpAt = 0; // progress: the retry period starts again
          yield piece;
        }
      } catch (cause) {
        this.#options.signal?.throwIfAborted();
        giveUpAt ||= performance.now() + (this.#options.patienceMs ?? DEFAULT_PATIENCE_MS);
        if (performance.now() > giveUpAt) throw this.#error("read", "S3Unreachable", cause);
        await pause(BACKOFF.baseMs);
        continue;
      }
      if (offset >= last) return; // a server that closes early is asked for the rest
    }
  }

  /** The answer to HEAD has no body, so no code: GET has. Only an object that is missing in a bucket is no error. */
  async #explain(failure: S3Error): Promise<undefined> {
    if (!VAGUE.includes(failure.reason)) throw failure;
    try {
      await this.request("look at", async (client, sdk, abortSignal) => {
        const { Body } = await client.send(new sdk.GetObjectCommand({ ...this.address, Range: "bytes=0-0" }), {
          abortSignal,
        });
        await Body?.transformToByteArray();
      });
    } catch (error) {
      if (error instanceof S3Error && error.reason === "ObjectMissing") return undefined;
      throw error;
    }
    throw failure;
  }

  #open(): Promise<{ readonly client: S3Client; readonly sdk: Sdk }> {
    this.#opened ??= open(this.#location);
    return this.#opened;
  }

  #error(verb: string, reason: S3Reason, cause: unknown): S3Error {
    const { endpoint, bucket, key, credentials } = this.#location;
    const said = saidBy(cause, [credentials?.secretKey ?? "", credentials?.accessKey ?? ""]);
    const what = `s3://${bucket}/${key} at ${endpoint}`;
    return new S3Error(`Cannot ${verb} ${what}: ${said || reason}; ${S3_ADVICE[reason]}`, { reason, cause });
  }
}

interface UploadOptions {
  readonly uploadId: string;
  readonly expectedBytes: number;
  readonly signal: AbortSignal | undefined;
}

/** A multipart upload in progress. Disposing it before close() aborts the upload. */
export class S3Writer implements AsyncDisposable {
  readonly #object: S3Object;
  readonly #uploadId: string;
  readonly #expectedBytes: number;
  readonly #parts: CompletedPart[] = [];
  readonly #uploads = new Set<Promise<void>>();
  /** Ends with the caller's signal, or with the upload. */
  readonly #stop: Deadline;
  /** Memory of parts that have arrived, to be filled again. */
  readonly #spare: Uint8Array<ArrayBuffer>[] = [];
  #part: { readonly number: number; readonly memory: Uint8Array<ArrayBuffer> } | undefined;
  #filled = 0;
  #begun = 0;
  #bytes = 0;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(object: S3Object, upload: UploadOptions) {
    this.#object = object;
    this.#stop = new Deadline(Infinity, { signal: upload.signal });
    this.#uploadId = upload.uploadId;
    this.#expectedBytes = upload.expectedBytes;
  }

  /** How many bytes were given to it. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes a copy of `chunk`; waits while two parts are under way. */
  async write(chunk: Uint8Array): Promise<void> {
    for (let rest = chunk; rest.length > 0;) {
      if (this.#failure) throw this.#failure.error;
      this.#part ??= this.#begin();
      const { memory } = this.#part;
      const taken = rest.subarray(0, memory.length - this.#filled);
      memory.set(taken, this.#filled);
      this.#filled += taken.length;
      this.#bytes += taken.length;
      rest = rest.subarray(taken.length);
      if (this.#filled === memory.length) await this.#send();
    }
  }

  /** Sends the rest, and completes the multipart upload. */
  async close(): Promise<S3Head> {
    if (this.#filled > 0 || this.#begun === 0) {
      this.#part ??= this.#begin();
      await this.#send();
    }
    await Promise.all(this.#uploads);
    if (this.#failure) throw this.#failure.error;
    const Parts = this.#parts.toSorted((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
    try {
      await this.#object.request("write", async (client, sdk, abortSignal) => {
        const input = { ...this.#object.address, UploadId: this.#uploadId, MultipartUpload: { Parts } };
        await client.send(new sdk.CompleteMultipartUploadCommand(input), { abortSignal });
      });
    } catch (error) {
      // an answer that was lost on the way: the first attempt did it, and the second finds no such upload
      if (!(error instanceof S3Error && symptomsOf(error.cause).code === "NoSuchUpload")) throw error;
    }
    this.#ended = true;
    this.#stop[Symbol.dispose]();
    const head = await this.#object.head();
    if (head?.bytes !== this.#bytes) {
      const { Bucket, Key } = this.#object.address;
      const state = head ? `it has ${head.bytes} bytes` : "it is not there";
      const message = `Cannot write s3://${Bucket}/${Key}: ${state} after an upload of ${this.#bytes}`;
      throw new S3Error(message, { reason: head ? "ObjectChanged" : "ObjectMissing" });
    }
    return head;
  }

  /** Aborts the upload: the service deletes its parts. */
  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#stop.callOff();
    await Promise.allSettled(this.#uploads); // a part that arrives after the end of its upload stays for ever
    const signal = AbortSignal.timeout(ABORT_TIMEOUT_MS); // not the caller's, which may be the very reason
    await this.#object.request("take back", async (client, sdk, abortSignal) => {
      const input = { ...this.#object.address, UploadId: this.#uploadId };
      await client.send(new sdk.AbortMultipartUploadCommand(input), { abortSignal });
    }, signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.abort();
  }

  #begin(): { readonly number: number; readonly memory: Uint8Array<ArrayBuffer> } {
    const number = ++this.#begun;
    const size = partBytes(number, this.#expectedBytes);
    const spare = this.#spare.pop();
    this.#filled = 0;
    return { number, memory: spare?.length === size ? spare : new Uint8Array(size) };
  }

  /** Sends the part that is full, or the last; waits until there is memory for the next. */
  async #send(): Promise<void> {
    const part = this.#part;
    if (!part) return;
    const Body = part.memory.subarray(0, this.#filled);
    this.#part = undefined;
    this.#filled = 0;
    const upload = this.#upload(part.number, Body).then(
      () => void this.#spare.push(part.memory),
      (error) => void (this.#failure ??= { error }),
    ).finally(() => this.#uploads.delete(upload));
    this.#uploads.add(upload);
    if (this.#uploads.size >= UPLOADS_AT_ONCE) await Promise.race(this.#uploads);
  }

  async #upload(PartNumber: number, Body: Uint8Array): Promise<void> {
    const { ETag } = await this.#object.request("write", async (client, sdk, abortSignal) => {
      const input = { ...this.#object.address, UploadId: this.#uploadId, PartNumber, Body };
      return await client.send(new sdk.UploadPartCommand(input), { abortSignal });
    }, this.#stop.signal);
    this.#parts.push({ PartNumber, ...(ETag ? { ETag } : {}) });
  }
}

const UPLOADS_AT_ONCE = 2;
const ABORT_TIMEOUT_MS = 20_000;

async function open(location: S3Location): Promise<{ readonly client: S3Client; readonly sdk: Sdk }> {
  const { endpoint, region, insecure = false, credentials, ca } = location;
  const sdk = await import("@aws-sdk/client-s3");
  const client = new sdk.S3Client({
    endpoint,
    region: region || DEFAULT_REGION,
    forcePathStyle: true,
    maxAttempts: 1, // request() knows for how long it is worth it
    requestChecksumCalculation: "WHEN_REQUIRED", // many services do not know the newer checksums
    responseChecksumValidation: "WHEN_REQUIRED",
    credentials: { accessKeyId: credentials?.accessKey ?? "-", secretAccessKey: credentials?.secretKey ?? "-" },
    ...(credentials ? {} : { signer: { sign: (request) => Promise.resolve(request) } }),
    expectContinueHeader: false, // such requests get connections of their own, which know nothing of the settings below
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      httpsAgent: { keepAlive: true, rejectUnauthorized: !insecure, ...(ca ? { ca } : {}) },
    },
    // all that the SDK would otherwise look for in the environment and in files of a home directory
    ...{ defaultsMode: "standard", retryMode: "standard", userAgentAppId: "", authSchemePreference: [] },
    ...{ useArnRegion: false, useDualstackEndpoint: false, useFipsEndpoint: false, disableS3ExpressSessionAuth: true },
    ...{ sigv4aSigningRegionSet: [], disableClockSkewCorrection: true },
    defaultUserAgentProvider: () => Promise.resolve([["odoo-operator"]]),
  });
  const secure = new URL(endpoint).protocol === "https:";
  client.middlewareStack.add(
    (next) => async (args) => {
      const { headers, body } = args.request as { readonly headers: Record<string, string>; readonly body?: unknown };
      if (body instanceof Uint8Array) {
        headers["x-amz-content-sha256"] = secure ? "UNSIGNED-PAYLOAD" : await sha256(body);
      }
      return await next(args);
    },
    { step: "build", name: "contentHash" },
  );
  return { client, sdk };
}

/** Hashes off the main thread, unlike the SDK. Not used within TLS, which already protects the content. */
async function sha256(content: Uint8Array): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", content as Uint8Array<ArrayBuffer>)).toHex();
}
