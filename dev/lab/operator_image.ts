/**
 * The operator's image without Docker and without a registry: this machine's Deno, its libraries and the bundle, in one
 * layer, as an archive that `docker load` and `ctr images import` take.
 *
 * `deno run -A dev/lab/operator_image.ts IMAGE ARCHIVE.tar`. It is not the image of a release, which is one executable
 * (see Dockerfile): here Deno runs the bundle, with the same permissions, V8 flags, environment and user.
 */
// deno-lint-ignore-file no-console -- a command line tool talks to its caller
import { build, COMPILE_COMMAND, IMAGE_ENVIRONMENT } from "../../tools/build.ts";

const ROOT = decodeURIComponent(new URL("../..", import.meta.url).pathname);
const DENO = "/usr/local/bin/deno";
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";

/** How Deno runs the bundle: what `deno compile` would have baked in, without what says what it compiles. */
export function entrypoint(): string[] {
  const flags = COMPILE_COMMAND.slice(1, COMPILE_COMMAND.indexOf("--include"));
  return [DENO, "run", "--no-config", "--no-code-cache", "--cached-only", ...flags, "/app/main.js"];
}

/** Writes the archive of an image of this name; the bundle is built anew. */
export async function writeOperatorImage(image: string, archive: string): Promise<void> {
  await build({ folder: ROOT, steps: ["bundle"], stdio: "null" });
  const work = await Deno.makeTempDir({ prefix: "operator-image-" });
  try {
    await fillRoot(`${work}/root`);
    await tar(`${work}/layer.tar`, `${work}/root`);
    const layer = await digestOf(await Deno.readFile(`${work}/layer.tar`));
    const config = JSON.stringify(imageConfig(layer));
    const configName = `${await digestOf(new TextEncoder().encode(config))}.json`;
    await Deno.mkdir(`${work}/image`);
    await Deno.writeTextFile(`${work}/image/${configName}`, config);
    await Deno.rename(`${work}/layer.tar`, `${work}/image/layer.tar`);
    const manifest = [{ Config: configName, RepoTags: [image], Layers: ["layer.tar"] }];
    await Deno.writeTextFile(`${work}/image/manifest.json`, JSON.stringify(manifest));
    await tar(archive, `${work}/image`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

function imageConfig(layer: string): object {
  return {
    architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
    os: "linux",
    config: { Entrypoint: entrypoint(), Env: [...IMAGE_ENVIRONMENT, "DENO_DIR=/tmp/deno"], User: "65532:65532" },
    rootfs: { type: "layers", diff_ids: [`sha256:${layer}`] },
    history: [{ created_by: "dev/lab/operator_image.ts" }],
  };
}

async function fillRoot(root: string): Promise<void> {
  const deno = Deno.execPath();
  for (const [from, to] of [[deno, DENO], [CERTIFICATES, CERTIFICATES], ...await libraries(deno)] as const) {
    await Deno.mkdir(`${root}${to}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.copyFile(from, `${root}${to}`);
  }
  await Deno.mkdir(`${root}/app`);
  for await (const { name } of Deno.readDir(`${ROOT}dist`)) {
    await Deno.copyFile(`${ROOT}dist/${name}`, `${root}/app/${name}`);
  }
  await Deno.mkdir(`${root}/tmp`);
}

/** What the program is linked with, where it looks for it; name resolution is loaded later and is named by hand. */
async function libraries(program: string): Promise<[from: string, to: string][]> {
  const found = [...(await run("ldd", [program])).matchAll(/(\/\S+\.so[.\d]*) \(0x/g)].map(([, path = ""]) => path);
  const libc = found.find((path) => path.endsWith("/libc.so.6"));
  if (!libc) throw new Error("Cannot make the image: ldd does not say where libc.so.6 is");
  const resolvers = ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"]
    .map((name) => libc.replace("libc.so.6", name));
  return [...found, ...resolvers].map((path) => [path, path]);
}

/** The same bytes for the same files, so that an unchanged image is recognised. */
async function tar(archive: string, folder: string): Promise<void> {
  const same = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "--mode=a+rX"];
  await run("tar", [...same, "-cf", archive, "-C", folder, "."]);
}

async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function run(program: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args] }).output();
  if (!success) throw new Error(`Cannot run ${program}: ${new TextDecoder().decode(stderr).trim()}`);
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  const [image, archive] = Deno.args;
  if (!image || !archive || Deno.args.length > 2) {
    console.error("Usage: deno run -A dev/lab/operator_image.ts IMAGE ARCHIVE.tar");
    Deno.exit(2);
  }
  await writeOperatorImage(image, archive);
}
