// A folder as on a small disk of its own, as far as the system says how much room there is: what its files leave. Writing to it is
// not refused.
import fs, { readdir, stat } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export interface SmallDisk {
  /** How often somebody asked what room there is. */
  asked(): number;
}

/** Until the test ends. */
export function smallDisk(folder: string, sizeBytes: number): SmallDisk {
  let asked = 0;
  const { statfs } = fs;
  const answerWith = (answer: typeof fs.statfs): void => {
    fs.statfs = answer;
    syncBuiltinESMExports();
  };
  answerWith((async () => {
    asked += 1;
    return { bsize: 1, blocks: sizeBytes, bavail: sizeBytes - (await usedBytes(folder)) };
  }) as unknown as typeof fs.statfs);
  onTestFinished(() => answerWith(statfs));
  return { asked: () => asked };
}

async function usedBytes(folder: string): Promise<number> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = await Promise.all(files.filter((file) => file.isFile()).map((file) => stat(join(file.parentPath, file.name)).then(({ size }) => size, () => 0)));
  return sizes.reduce((sum, size) => sum + size, 0);
}
