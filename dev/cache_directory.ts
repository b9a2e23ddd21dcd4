/** Where built, unpacked and loaded programs are kept between runs. */

const NAME = "odoo-operator";

/** Our folder in the user's cache folder. Not created here. */
export function cacheDirectory(): string {
  return `${userCacheDirectory()}/${NAME}`;
}

/** Where Deno keeps packages, for programs with an environment of their own, which must not load them again. */
export function denoDirectory(): string {
  return Deno.env.get("DENO_DIR") ?? `${userCacheDirectory()}/deno`;
}

function userCacheDirectory(): string {
  const xdg = Deno.env.get("XDG_CACHE_HOME");
  if (xdg) return xdg;
  const home = Deno.env.get("HOME");
  if (!home) throw new Error("Cannot find a cache folder: neither XDG_CACHE_HOME nor HOME is set");
  return `${home}/${Deno.build.os === "darwin" ? "Library/Caches" : ".cache"}`;
}

/** Hex SHA-256 of a file, cut to `length`: the part of a cache folder's name that changes when its content must. */
export async function fileHash(path: string | URL, length = 16): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("").slice(0, length);
}

/** How often a lock that another process holds is tried again. */
const LOCK_INTERVAL_MS = 200;

/** Runs `work` while no other process holds the lock file `path`; the lock ends with the process, however it ends. */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<T> {
  using lock = await Deno.open(path, { create: true, write: true });
  while (!await lock.tryLock(true)) {
    options.signal?.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, LOCK_INTERVAL_MS));
  }
  return await work();
}

/** Whether a file or folder is there, for us. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (NOT_THERE.some((type) => error instanceof type)) return false;
    throw error;
  }
}

/** PATH may name folders that we must not look into, and files in the place of folders. */
const NOT_THERE = [Deno.errors.NotFound, Deno.errors.PermissionDenied, Deno.errors.NotADirectory];
