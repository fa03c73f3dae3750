// Temporary folders for tests, and their removal.

import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TempDir {
  path: string;
  remove(): Promise<void>;
}

/** A fresh folder. Whoever makes it removes it: `onTestFinished(dir.remove)` or `afterAll(dir.remove)`. */
export async function makeTempDir(label = 'test'): Promise<TempDir> {
  const path = await realpath(await mkdtemp(join(tmpdir(), `pawl-${label}-`)));
  return {
    path,
    remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }),
  };
}
