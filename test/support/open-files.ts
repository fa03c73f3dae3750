// What this process holds open of a folder, so that a test can see what was not closed, whatever else runs in the process.
import { readdir, readlink } from 'node:fs/promises';

/** Each file of the folder once for every descriptor of it, also after it lost its name; null where the system does not show them. */
export async function openFilesOf(folder: string): Promise<string[] | null> {
  const descriptors = await readdir('/proc/self/fd').catch(() => null);
  const files = descriptors && (await Promise.all(descriptors.map((each) => readlink(`/proc/self/fd/${each}`).catch(() => ''))));
  return files && files.filter((file) => file.startsWith(folder));
}
