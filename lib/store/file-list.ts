// The keys below a folder in byte order, one folder in memory at a time, while others add and remove files.

import { join } from 'node:path';
import { calls } from './file-calls.js';
import { isAbsent } from './file-disk.js';
import { versionNumberOf } from './file-register.js';
import { isSegment, REGISTER_NAME } from './keys.js';

export interface ListedKey {
  key: string;
  /** Of a register: the highest version that was there when its folder was listed; null if none was seen, and of objects. */
  version: number | null;
}

/** Keys that start with `prefix` and come after `after`. Some may be gone by the time they are looked at. */
export async function* listKeys(root: string, prefix: string, after: string): AsyncGenerator<ListedKey> {
  yield* keysIn(root, prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix, after);
}

/** `folder` is `''` or ends with a slash. */
async function* keysIn(root: string, folder: string, prefix: string, after: string): AsyncGenerator<ListedKey> {
  for (const listed of await childrenOf(root, folder)) {
    const { key } = listed;
    if (key.endsWith('/')) {
      const mayMatch = key.startsWith(prefix) || prefix.startsWith(key);
      const mayFollow = key > after || after.startsWith(key);
      if (mayMatch && mayFollow) yield* keysIn(root, key, prefix, after);
    } else if (key.startsWith(prefix) && key > after) {
      yield listed;
    }
  }
}

/** Sorted; a folder ends with a slash, so that it takes the place of what it contains (`a-b`, then `a/c`, then `a0`). */
async function childrenOf(root: string, folder: string): Promise<ListedKey[]> {
  const entries = await calls.readdir(join(root, folder), { withFileTypes: true }).catch((error: unknown) => {
    if (isAbsent(error)) return [];
    throw error;
  });
  const children: ListedKey[] = [];
  let version: number | null = null;
  for (const entry of entries) {
    const number = entry.isFile() ? versionNumberOf(entry.name) : null;
    if (number !== null) version = Math.max(version ?? 0, number);
    else if (!isSegment(entry.name) || entry.name === REGISTER_NAME) continue; // temporary, or not ours
    else if (entry.isFile()) children.push({ key: folder + entry.name, version: null });
    else if (entry.isDirectory()) children.push({ key: `${folder}${entry.name}/`, version: null });
  }
  if (version !== null) children.push({ key: folder + REGISTER_NAME, version: version || null });
  return children.sort((a, b) => (a.key < b.key ? -1 : 1));
}
