/** Archives beyond the limits of the old format, as Python's zipfile, which Odoo restores with, reads them. */
import { assertEquals } from "@std/assert";
import { ZipWriter } from "../../src/odoo/pod/zip_writer.ts";

const CHECK = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    names = archive.infolist()
    print(len(names), names[-1].filename, sum(entry.file_size for entry in names), archive.testzip())
`;

/** Bytes that do not get smaller: the same ones come again only beyond what deflate remembers. */
async function* noise(mib: number): AsyncGenerator<Uint8Array> {
  const block = new Uint8Array(2 ** 20);
  for (let at = 0; at < block.length; at += 65_536) crypto.getRandomValues(block.subarray(at, at + 65_536));
  for (let n = 0; n < mib; n++) yield await Promise.resolve(block);
}

async function checkedArchive(fill: (zip: ZipWriter) => Promise<void>): Promise<string> {
  const folder = await Deno.makeTempDir({ dir: "/dev/shm" });
  try {
    using archive = await Deno.open(`${folder}/x.zip`, { create: true, write: true });
    using list = await Deno.open(`${folder}/list`, { create: true, read: true, write: true });
    const sink = async (piece: Uint8Array) => {
      for (let rest = piece; rest.length > 0;) rest = rest.subarray(await archive.write(rest));
    };
    const zip = new ZipWriter(sink, list, { now: new Date(Date.UTC(2026, 10, 21)) });
    await fill(zip);
    assertEquals(await zip.close(), (await archive.stat()).size);
    const { stdout, stderr } = await new Deno.Command("python3", { args: ["-c", CHECK, `${folder}/x.zip`] }).output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("ZipWriter is read by Python when a file and the archive are beyond 4 GiB (slow)", async () => {
  const mib = 4100;
  const report = await checkedArchive(async (zip) => {
    await zip.add("large", ReadableStream.from(noise(mib)));
    await zip.add("behind", new Blob(["hello"]).stream());
  });
  assertEquals(report, `2 behind ${mib * 2 ** 20 + 5} None\n`);
});

Deno.test("ZipWriter is read by Python when there are more than 65,535 files (slow)", async () => {
  const count = 66_000;
  const report = await checkedArchive(async (zip) => {
    for (let n = 0; n < count; n++) await zip.add(`filestore/${n}`, new Blob([`${n}`]).stream());
  });
  assertEquals(report.startsWith(`${count} filestore/${count - 1} `) && report.endsWith(" None\n"), true, report);
});
