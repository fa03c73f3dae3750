// Sets as the numpy of today writes them, of every type we know and of those that we refuse.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAppError } from '../../../lib/errors.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';
import { describeNpz, loadNpz } from '../../unit/data/npz-files.js';
import { preparePython, runPython } from './python.js';

type Said = Record<string, { x: string; shape: number[]; y: number[] } | null>;
const ARRAYS = { x: 'x', y: 'y' };
const python = await preparePython();

describe.skipIf(python === null)('sets that numpy writes', () => {
  let dir: TempDir;
  let said: Said;
  beforeAll(async () => {
    dir = await makeTempDir('npz-numpy');
    said = (await runPython(python!, 'arrays.py', dir.path)) as Said;
  });
  afterAll(() => dir.remove());

  it('are read byte by byte', async () => {
    let read = 0;
    for (const [name, expected] of Object.entries(said)) {
      if (expected === null) continue;
      const path = join(dir.path, name);
      const { description, x, y } = await loadNpz(path, ARRAYS);
      expect(Buffer.from(x.buffer).toString('hex') === expected.x, name).toBe(true);
      const [samples, height, width, channels = 1] = expected.shape;
      expect([description.samples, ...description.shape], name).toEqual([samples, height, width, channels]);
      expect([...y], name).toEqual(expected.y);
      expect([description.classes, description.labels], name).toEqual([5, expected.y.length === 6 ? 'integer' : 'one_hot']);
      expect(await describeNpz(path, ARRAYS), name).toEqual(description);
      read++;
    }
    expect(read).toBeGreaterThan(20);
  });

  it('are refused where they hold what is not read', async () => {
    const refused = Object.entries(said).filter(([, expected]) => expected === null);
    expect(refused.length).toBe(12);
    for (const [name] of refused) {
      const error: unknown = await describeNpz(join(dir.path, name), ARRAYS).catch((thrown: unknown) => thrown);
      expect(isAppError(error, 'invalid_data') && error.message.startsWith(`${name}, array `), `${name}: ${String(error)}`).toBe(true);
    }
  });
});
