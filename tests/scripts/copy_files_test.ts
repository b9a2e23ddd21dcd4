/** scripts/copy_files.py on real directories: hostile names, a source that lives, a volume that is full, deaths at every step. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { copyFiles, FILES, fingerprint, type Place, place, python, run } from "../support/copy_files.ts";

/** TEST DOUBLE of the system: what the script is to meet, as Python that is run before it. */
const DEATH = `
import os, signal
def deadly(work):
    def call(*values, **names):
        global calls
        calls += 1
        if calls == BEFORE: os.kill(os.getpid(), 9)
        now = calls
        try:
            return work(*values, **names)
        finally:
            if now == AFTER: os.kill(os.getpid(), 9)
    return call
calls = 0
for name in ("rename", "mkdir", "unlink", "write", "utime", "symlink", "fchmod", "rmdir"):
    setattr(os, name, deadly(getattr(os, name)))
`;

/** What happens between copying and comparing; `source` and `target` are the directories. */
function between(happens: string): string {
  return `
import ctypes, os
real, source, target = ctypes.CDLL, os.environ["SOURCE_DIR"], os.environ["TARGET_DIR"]
def happen(*values, **names):
    ctypes.CDLL = real
    ${happens}
    return real(*values, **names)
ctypes.CDLL = happen
`;
}

for (const live of [undefined, "live"] as const) {
  const how = live ? "a live source" : "a source at rest";
  Deno.test(`copy_files.py copies all of ${how} as it is, and a second time nothing`, async () => {
    await using there = await place();
    const first = await copyFiles(there, live ? { live } : {});
    const { seconds: _, ...report } = first.report;
    assertEquals(report, {
      ok: true,
      files: FILES,
      bytes: 3000 * 780 + 256 * 20_000 + 2 * 32,
      copied: FILES,
      removed: 0,
      vanished: 0,
      changed: 0,
      skipped: 1,
    }, first.output);
    assertEquals(await fingerprint(there.target), await fingerprint(there.source));
    const second = await copyFiles(there, live ? { live } : {});
    assertEquals([second.report.ok, second.report.files, second.report.copied], [true, FILES, 0], second.output);
  });
}

Deno.test("copy_files.py comes to the same end when it was killed before or after any of its steps", async () => {
  await using there = await place();
  const wanted = await fingerprint(there.source);
  let deaths = 0;
  for (let call = 1;; call += 53) {
    const [before, after] = call % 2 ? [call, 0] : [0, call];
    const first = await copyFiles(there, { prelude: `BEFORE, AFTER = ${before}, ${after}\n${DEATH}` });
    if (first.report.ok) break;
    assertEquals(first.code, 137, first.output);
    deaths++;
    const { report, output } = await copyFiles(there);
    assertEquals([report.ok, report.files], [true, FILES], output);
    assertEquals(await fingerprint(there.target), wanted, `killed at call ${call}`);
    await run("chmod", "-R", "u+rwX", there.target);
    await Deno.remove(there.target, { recursive: true });
  }
  assert(deaths >= 8, `${deaths} deaths`);
});

Deno.test("copy_files.py takes out of the copy what is not in the source, links and all, and follows none", async () => {
  await using there = await place();
  await using elsewhere = await place();
  await copyFiles(there);
  const before = await fingerprint(elsewhere.source);
  await python(
    `
import os, sys
os.chdir(sys.argv[1])
os.makedirs("stale/a/b/c")
os.symlink(sys.argv[2], "stale/a/link")
open("stale/a/file", "w").close()
os.unlink("large"); os.makedirs("large/was/a"); open("large/was/file", "w").close()
os.unlink("link-directory"); os.symlink(sys.argv[2], "link-directory")
os.rename("filestore", "moved"); os.symlink(sys.argv[2], "filestore")
`,
    [there.target, elsewhere.source],
  );
  const { report, output } = await copyFiles(there);
  assertEquals([report.ok, report.removed], [true, 2], output);
  assertEquals(await fingerprint(there.target), await fingerprint(there.source));
  assertEquals(await fingerprint(elsewhere.source), before);
});

Deno.test("copy_files.py finds a file that was changed after it was copied, and the next run mends it", async () => {
  await using there = await place();
  await copyFiles(there);
  await python(
    `
import os, sys
for path in (b"large", b"sessions/new\\nline"):
    path = os.fsencode(sys.argv[1]) + b"/" + path
    found = os.stat(path)
    with open(path, "r+b") as file:
        file.write(b"?")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
`,
    [there.target],
  );
  const { code, report } = await copyFiles(there);
  assertEquals([code, report.reason], [1, "FilesDiffer"]);
  assertStringIncludes(String(report.error), "2 files of the copy differ from the source: ");
  assertStringIncludes(String(report.error), '"sessions/new\\nline" (different in the copy, by SHA-256)');
  const mended = await copyFiles(there);
  assertEquals([mended.report.ok, mended.report.copied], [true, 2], mended.output);
  assertEquals(await fingerprint(there.target), await fingerprint(there.source));
});

/** What happens between copying and comparing, and what is said of it: of a source at rest, and of one that lives. */
const MEANWHILE: Readonly<
  Record<string, {
    readonly happens: string;
    readonly atRest: string;
    readonly living: Readonly<Record<string, number>>;
  }>
> = {
  "a file comes": {
    happens: `open(source + "/late", "w").write("late")`,
    atRest: '"late" (missing in the copy)',
    living: { files: FILES + 1, copied: FILES + 1 },
  },
  "a directory comes": {
    happens: `os.mkdir(source + "/late"); open(source + "/late/file", "w").close()`,
    atRest: '"late" (missing in the copy)',
    living: { files: FILES + 1, copied: FILES + 1 },
  },
  "a file goes": {
    happens: `os.unlink(source + "/large")`,
    atRest: '"large" (not in the source)',
    living: { files: FILES - 1, copied: FILES },
  },
  "a file grows": {
    happens: `open(source + "/large", "a").write("more")`,
    atRest: '"large" (5120004 bytes, in the copy 5120000)',
    living: { files: FILES, copied: FILES + 1 },
  },
  "a file becomes a link": {
    happens: `os.unlink(source + "/large"); os.symlink("empty", source + "/large")`,
    atRest: '"large" (of another kind in the copy)',
    living: { files: FILES, copied: FILES + 1 },
  },
  "a directory becomes a file": {
    happens:
      `import shutil; shutil.rmtree(source + "/empty-directory"); open(source + "/empty-directory", "w").close()`,
    atRest: '"empty-directory" (of another kind in the copy)',
    living: { files: FILES + 1, copied: FILES + 1 },
  },
  "a link is turned": {
    happens: `os.unlink(source + "/link-out"); os.symlink("/etc/passw_", source + "/link-out")`,
    atRest: '"link-out" (a link to elsewhere in the copy)',
    living: { files: FILES, copied: FILES + 1 },
  },
  "the copy loses a file": {
    happens: `os.unlink(target + "/large")`,
    atRest: '"large" (missing in the copy)',
    living: { files: FILES, copied: FILES + 1 },
  },
};

for (const [sentence, { happens, atRest, living }] of Object.entries(MEANWHILE)) {
  Deno.test(`copy_files.py says so of a source at rest, and goes along with a live one, when ${sentence}`, async () => {
    await using there = await place();
    const rest = await copyFiles(there, { prelude: between(happens) });
    assertEquals([rest.code, rest.report.reason], [1, "FilesDiffer"], rest.output);
    assertStringIncludes(String(rest.report.error), atRest);
    await using other = await place();
    const { report, output } = await copyFiles(other, { live: "live", prelude: between(happens) });
    const seen = Object.fromEntries(Object.keys(living).map((name) => [name, report[name]]));
    assertEquals([report.ok, seen], [true, living], output);
  });
}

/** TEST DOUBLE of somebody who removes a file the moment it is looked at. */
const VANISH = `
import os
real = os.open
def vanish(name, *values, **names):
    if name == b"large" and os.path.exists(os.environ["SOURCE_DIR"] + "/large"):
        os.unlink(os.environ["SOURCE_DIR"] + "/large")
    return real(name, *values, **names)
os.open = vanish
`;

Deno.test("copy_files.py counts a file that vanishes from a live source, and fails when the source should be at rest", async () => {
  await using living = await place();
  const { report, output } = await copyFiles(living, { live: "live", prelude: VANISH });
  assertEquals([report.ok, report.vanished, report.files], [true, 1, FILES - 1], output);
  await using rest = await place();
  assertEquals((await copyFiles(rest, { prelude: VANISH })).report.reason, "SourceChanged");
});

/** TEST DOUBLE of somebody who writes to a file whenever it has been read. */
const RESTLESS = `
import os
real = os.read
def restless(descriptor, size):
    if os.readlink("/proc/self/fd/%d" % descriptor) == os.environ["SOURCE_DIR"] + "/large":
        with open(os.environ["SOURCE_DIR"] + "/large", "a") as file: file.write("more")
    return real(descriptor, size)
os.read = restless
`;

Deno.test("copy_files.py counts a file of a live source that changes all the time", async () => {
  await using there = await place();
  const { report, output } = await copyFiles(there, { live: "live", prelude: RESTLESS });
  assertEquals([report.ok, report.changed, report.files], [true, 1, FILES - 1], output);
});

Deno.test("copy_files.py copies in two rounds: what came and went meanwhile is all that the second does", async () => {
  await using there = await place();
  await copyFiles(there, { live: "live" });
  await Deno.writeTextFile(`${there.source}/late`, "late");
  await Deno.remove(`${there.source}/large`);
  const { report, output } = await copyFiles(there);
  assertEquals([report.ok, report.copied, report.removed, report.files], [true, 1, 1, FILES], output);
  assertEquals(await fingerprint(there.target), await fingerprint(there.source));
});

Deno.test("copy_files.py says that the volume is full, and what to do, and goes on when it is larger", {
  ignore: Deno.uid() !== 0,
}, async () => {
  await using there = await place();
  const volume = there.target.replace(/\/filestore.*/, "");
  await Deno.mkdir(volume);
  await run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", volume);
  try {
    const { report, output } = await copyFiles(there);
    assertEquals(report.reason, "VolumeFull", output);
    assertStringIncludes(String(report.error), "storageSize");
    const left = await run("find", there.target, "-name", ".copy_files.part");
    assertEquals(left, "");
    await run("mount", "-o", "remount,size=40m", volume);
    const again = await copyFiles(there);
    assertEquals([again.report.ok, again.report.files], [true, FILES], again.output);
    assertEquals(await fingerprint(there.target), await fingerprint(there.source));
  } finally {
    await run("umount", volume);
  }
});

/** What is not copied: nothing may be written. */
const REFUSED: Readonly<
  Record<string, { readonly env: (there: Place) => Record<string, string>; readonly reason: string }>
> = {
  "the source is missing": { env: ({ source }) => ({ SOURCE_DIR: `${source}/none` }), reason: "SourceFilesMissing" },
  "the source is a file": { env: ({ source }) => ({ SOURCE_DIR: `${source}/large` }), reason: "SourceFilesMissing" },
  "the source is a link": {
    env: ({ source }) => ({ SOURCE_DIR: `${source}/link-directory` }),
    reason: "SourceFilesMissing",
  },
  "a link is on the way to the source": {
    env: ({ source }) => ({ SOURCE_DIR: `${source}/link-directory/shop` }),
    reason: "SourceFilesMissing",
  },
  "the target is a link": { env: ({ source }) => ({ TARGET_DIR: `${source}/link-directory` }), reason: "CopyFailed" },
  "both are the same": { env: ({ source }) => ({ TARGET_DIR: `${source}/.` }), reason: "NameRefused" },
  "the target is in the source": {
    env: ({ source }) => ({ TARGET_DIR: `${source}/filestore` }),
    reason: "NameRefused",
  },
};

for (const [sentence, { env, reason }] of Object.entries(REFUSED)) {
  Deno.test(`copy_files.py copies nothing when ${sentence}`, async () => {
    await using there = await place();
    const before = await fingerprint(there.source);
    const { code, report, output } = await copyFiles(there, { env: env(there) });
    assertEquals([code, report.reason], [1, reason], output);
    assertEquals(await fingerprint(there.source), before);
  });
}

/** Says how much memory it took, in KiB. */
const MEASURED = `
import atexit
atexit.register(lambda: print(open("/proc/self/status").read()))
`;

function manyFiles(count: number): string {
  return `
import os, sys
os.chdir(sys.argv[1])
for index in range(${count}):
    open("file with a name of some length %d" % index, "w").close()
`;
}

Deno.test("copy_files.py takes no more memory for more files", async () => {
  const peaks = await Promise.all([100, 20_000].map(async (count) => {
    await using there = await place({ planted: manyFiles(count) });
    const { report, output } = await copyFiles(there, { prelude: MEASURED });
    assertEquals([report.ok, report.files], [true, count], output);
    return Number(/VmHWM:\s+(\d+)/.exec(output)?.[1]);
  }));
  const [few = 0, many = 0] = peaks;
  assert(few > 0 && many - few < 2048, `${few} KiB for 100 files, ${many} KiB for 20,000`);
});
