// Python's safetensors, the reference, opens every file we write, and we open its files; what it refuses, we refuse.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { parseSafetensorsHeader } from '../../../lib/checkpoints/safetensors-header.js';
import { declarationsOf } from '../../../lib/checkpoints/safetensors-format.js';
import { makeSafetensorsWriter } from '../../../lib/checkpoints/safetensors-writer.js';
import { encodeSafetensors, readSafetensorsFile, readSafetensorsHeader } from '../../../lib/checkpoints/safetensors.js';
import { isAppError } from '../../../lib/errors.js';
import type { TensorMap } from '../../../lib/training/state.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';
import { anyTensors } from '../../unit/safetensors/arbitrary.js';
import { HOSTILE } from '../../unit/safetensors/hostile-files.js';
import { preparePython, runPython } from './python.js';

interface Facts {
  metadata: Record<string, string>;
  tensors: Record<string, { dtype: string; shape: number[]; hex: string }>;
}

function factsOf(tensors: TensorMap, metadata: Record<string, string>): Facts {
  return {
    metadata,
    tensors: Object.fromEntries([...tensors].map(([name, { dtype, shape, data }]) => [name, { dtype: dtype === 'F32' ? 'float32' : 'int32', shape: [...shape], hex: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex') }])),
  };
}

const python = await preparePython();

describe.skipIf(python === null)("Python's safetensors", () => {
  const dirs: TempDir[] = [];
  afterAll(async () => {
    for (const { remove } of dirs) await remove();
  });
  async function freshFolder(): Promise<string> {
    const fresh = await makeTempDir('safetensors-python');
    dirs.push(fresh);
    return fresh.path;
  }

  it('reads every file that we write: names, shapes, metadata and bits', async () => {
    const path = await freshFolder();
    const expected: Record<string, Facts> = {};
    for (const [i, tensors] of fc.sample(anyTensors(), { numRuns: 60, seed: 7 }).entries()) {
      const metadata: Record<string, string> = i % 2 === 0 ? {} : { format: 'pawl', 'key "é"\n': String(i) };
      const name = `${String(i).padStart(3, '0')}.safetensors`;
      if (i % 3 === 0) await writeFile(join(path, name), encodeSafetensors(tensors, metadata));
      else {
        const writer = await makeSafetensorsWriter(join(path, name), declarationsOf(tensors), { metadata });
        for (const [tensor, value] of tensors) await writer.write(tensor, value);
        await writer.finish();
      }
      expected[name] = factsOf(tensors, metadata);
    }
    expect(await runPython(python!, 'reference.py', 'read', path)).toEqual(expected);
  });

  it('writes files that we read, bit by bit; those of floats are canonical as they are', async () => {
    const path = await freshFolder();
    const written = (await runPython(python!, 'reference.py', 'write', path)) as Record<string, Facts>;
    expect(Object.keys(written).length).toBe(30);
    let canonical = 0;
    for (const [name, facts] of Object.entries(written)) {
      const tensors = await readSafetensorsFile(join(path, name));
      const { metadata } = await readSafetensorsHeader(join(path, name));
      expect(factsOf(tensors, Object.fromEntries(metadata))).toEqual(facts);
      if (Number.parseInt(name, 10) % 6 !== 0) continue; // floats only, no metadata
      expect(encodeSafetensors(tensors).equals(await readFile(join(path, name)))).toBe(true);
      canonical++;
    }
    expect(canonical).toBe(5);
  });

  it('refuses no file that we accept, among hostile and damaged ones', async () => {
    const path = await freshFolder();
    const accepted = new Map<string, boolean>();
    const add = async (name: string, bytes: Uint8Array): Promise<void> => {
      await writeFile(join(path, name), bytes);
      try {
        parseSafetensorsHeader(bytes);
        accepted.set(name, true);
      } catch (error) {
        if (!isAppError(error)) throw error;
        accepted.set(name, false);
      }
    };
    for (const [i, [, bytes]] of HOSTILE.entries()) await add(`hostile-${i}`, bytes);
    const mutations = fc.tuple(anyTensors(3), fc.nat(), fc.integer({ min: 0x20, max: 0x7e }), fc.boolean());
    for (const [i, [tensors, where, value, inHeader]] of fc.sample(mutations, { numRuns: 1000, seed: 11 }).entries()) {
      const bytes = Buffer.from(encodeSafetensors(tensors, { format: 'pawl' }));
      const end = inHeader ? parseSafetensorsHeader(bytes).dataStart : bytes.length;
      bytes[where % end] = value;
      await add(`mutated-${i}`, bytes);
    }
    const reference = (await runPython(python!, 'reference.py', 'judge', path)) as Record<string, boolean>;
    const tooLax = [...accepted].filter(([name, ours]) => ours && !reference[name]).map(([name]) => name);
    expect(tooLax).toEqual([]);
    const both = [...accepted].filter(([name, ours]) => ours && reference[name]).length;
    expect(both).toBeGreaterThan(50); // and the comparison was not only of refusals
    const stricter = HOSTILE.filter((_file, i) => reference[`hostile-${i}`]).map(([what]) => what);
    expect(stricter).toEqual(['a header that begins with a space', 'an unknown key', 'a metadata key twice']);
  });
});
