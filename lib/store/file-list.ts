// The keys below a folder in byte order, one folder in memory at a time, while others add and remove files.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbsent } from './file-disk.js';
import { isVersionFile } from './file-register.js';
import { isSegment, REGISTER_NAME } from './keys.js';

/** Keys that start with `prefix` and come after `after`. Some may be gone by the time they are looked at. */
export async function* listKeys(root: string, prefix: string, after: string): AsyncGenerator<string> {
  yield* keysIn(root, prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix, after);
}

/** `folder` is `''` or ends with a slash. */
async function* keysIn(root: string, folder: string, prefix: string, after: string): AsyncGenerator<string> {
  for (const key of await childrenOf(root, folder)) {
    if (key.endsWith('/')) {
      const mayMatch = key.startsWith(prefix) || prefix.startsWith(key);
      const mayFollow = key > after || after.startsWith(key);
      if (mayMatch && mayFollow) yield* keysIn(root, key, prefix, after);
    } else if (key.startsWith(prefix) && key > after) {
      yield key;
    }
  }
}

/** Sorted; a folder ends with a slash, so that it takes the place of what it contains (`a-b`, then `a/c`, then `a0`). */
async function childrenOf(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: unknown) => {
    if (isAbsent(error)) return [];
    throw error;
  });
  const keys = new Set<string>();
  for (const entry of entries) {
    if (entry.isFile() && isVersionFile(entry.name)) keys.add(folder + REGISTER_NAME);
    else if (!isSegment(entry.name) || entry.name === REGISTER_NAME) continue; // temporary, or not ours
    else if (entry.isFile()) keys.add(folder + entry.name);
    else if (entry.isDirectory()) keys.add(`${folder}${entry.name}/`);
  }
  return [...keys].sort((a, b) => (a < b ? -1 : 1));
}
