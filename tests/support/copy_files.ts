/** scripts/copy_files.py as a container would run it, and directories that are hard to copy. */
import { assert } from "@std/assert";
import { SCRIPTS } from "../../src/odoo/resources/scripts.ts";
import { pythonWithPsycopg2 } from "./python.ts";

const SCRIPT = `${SCRIPTS.fileTree}\n${SCRIPTS.copyFiles}`;
const PYTHON = await pythonWithPsycopg2();

/** A filestore, sessions, and names that a shell, a terminal or UTF-8 would stumble over. */
const PLANT = `
import os, sys
os.chdir(sys.argv[1])
def file(path, content, mode=0o644, time=1_600_000_000_123_456_789):
    os.makedirs(os.path.dirname(path) or b".", exist_ok=True)
    with open(path, "wb") as target:
        target.write(content)
    os.chmod(path, mode)
    os.utime(path, ns=(time, time))
for index in range(40):
    name = b"%02x" % index
    file(b"filestore/shop/" + name + b"/" + name * 20, b"x" * index * 3000, 0o600 + index % 8 * 8)
for name in (b"-rf", b"new\\nline", b"\\xff\\xfe", b"a'b\\"c", b"$(id)", b" ", b"*", b"...", b"\\xf0\\x9f\\x98\\x80"):
    file(b"sessions/" + name, name)
    file(b"sessions/" + name + b"d/" + name, name)
file(b"empty", b"")
file(b"large", bytes(range(256)) * 20_000)
file(b"lost+found/inode", b"the file system's")
os.makedirs("empty-directory/inner", mode=0o750)
os.symlink("/etc/passwd", "link-out")
os.symlink("nowhere", "sessions/link-dangling")
os.symlink("filestore", "link-directory")
os.mkfifo("pipe")
os.chmod("sessions", 0o555)
os.utime("sessions", ns=(1, 1_500_000_000_000_000_001))
`;

/** What there is to copy in them: files and links. */
export const FILES = 40 + 18 + 2 + 3;

/** Kinds, modes, times and targets of links of all that is to be copied, and the contents, in one order. */
const FINGERPRINT = `
cd "$1"
find . -mindepth 1 -name lost+found -prune -o -type p -o -mindepth 1 -printf '%P %y %m %T@ %l\\0' | LC_ALL=C sort -z | tr '\\0' '\\n'
find . -name lost+found -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
`;

/** How a copy ended. */
export interface Ending {
  readonly code: number;
  readonly report: Readonly<Record<string, unknown>>;
  readonly output: string;
}

/** A planted source, and where its copy goes: both are removed with it. */
export interface Place extends AsyncDisposable {
  readonly source: string;
  readonly target: string;
}

/** Makes a source; `planted` is Python that fills it. */
export async function place({ planted = PLANT } = {}): Promise<Place> {
  const root = await Deno.makeTempDir({ prefix: "copy-files-" });
  const [source, target] = [`${root}/source`, `${root}/volume/filestore/side`];
  await Deno.mkdir(source);
  await python(planted, [source]);
  return {
    source,
    target,
    [Symbol.asyncDispose]: async () => {
      await run("chmod", "-R", "u+rwX", root);
      await Deno.remove(root, { recursive: true });
    },
  };
}

/** Runs Python. */
export async function python(text: string, args: readonly string[]): Promise<void> {
  await run(PYTHON, "-c", text, ...args);
}

/** Runs a program; it must end well. */
export async function run(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** All that a copy must keep, as text. */
export function fingerprint(directory: string): Promise<string> {
  return run("sh", "-c", FINGERPRINT, "fingerprint", directory);
}

/** How to run the script. */
export interface Attempt {
  readonly live?: "live";
  /** Python that is run before the script. */
  readonly prelude?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs it to its end. */
export async function copyFiles(
  { source, target }: Omit<Place, keyof AsyncDisposable>,
  attempt: Attempt = {},
): Promise<Ending> {
  const { live, prelude = "", env } = attempt;
  const message = await Deno.makeTempFile();
  try {
    const text = prelude
      ? `${prelude}\nexec(compile(__import__("os").environ["SCRIPT"], "copy_files.py", "exec"))`
      : SCRIPT;
    const { code, stdout, stderr } = await new Deno.Command(PYTHON, {
      args: ["-c", text],
      env: {
        SCRIPT,
        SOURCE_DIR: source,
        TARGET_DIR: target,
        COPY_LIVE: String(live === "live"),
        TERMINATION_LOG: message,
        ...env,
      },
      signal: AbortSignal.timeout(60_000),
    }).output();
    const left = await Deno.readTextFile(message);
    assert(left.length <= 4000, "the kubelet would cut it");
    const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    return { code, report: JSON.parse(left || "{}"), output };
  } finally {
    await Deno.remove(message);
  }
}
