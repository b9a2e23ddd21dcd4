/**
 * The files of an instance, read one by one for a backup. Code that runs in the instance may put anything into that
 * folder, while it is read: a link to what only this container may see, or a pipe that never ends. Such things are no files.
 */

/** What there is of a file; `undefined` if it is missing or is no file within the folder. */
export async function openStored(folder: string, name: string): Promise<Deno.FsFile | undefined> {
  const path = `${folder}/${name}`;
  try {
    if (!(await Deno.lstat(path)).isFile) return undefined; // before it is opened: a pipe would keep us waiting
    const file = await Deno.open(path, { read: true });
    try {
      const [opened, found, real] = await Promise.all([file.stat(), Deno.lstat(path), Deno.realPath(path)]);
      // no folder on the way is a link, and what was opened is what lies there
      if (real === path && found.isFile && found.ino === opened.ino && found.dev === opened.dev) return file;
    } catch (error) {
      file.close();
      throw error;
    }
    file.close();
    return undefined;
  } catch (error) {
    if (MISSING.some((type) => error instanceof type)) return undefined;
    throw error;
  }
}

const MISSING = [Deno.errors.NotFound, Deno.errors.NotADirectory, Deno.errors.FilesystemLoop];
