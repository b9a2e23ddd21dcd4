/** A new file as a stream that reports a failed write: `FsFile.writable` of Deno 2.9 loses ENOSPC if nothing follows it. */

/** Options of {@linkcode fileSink}. */
export interface FileSinkOptions {
  /** @default what the umask leaves of 0o666 */
  readonly mode?: number;
}

/** Makes the file, which must not be there. */
export async function fileSink(path: string, options: FileSinkOptions = {}): Promise<WritableStream<Uint8Array>> {
  const file = await Deno.open(path, { ...options, write: true, createNew: true });
  return new WritableStream({
    write: async (piece) => {
      for (let rest = piece; rest.length > 0;) rest = rest.subarray(await file.write(rest));
    },
    close: () => file.close(),
    abort: () => file.close(),
  });
}
