// Files that Python's safetensors wrote (test/fixtures/bytes/make.py).
import { describe, expect, it } from 'vitest';
import { readSafetensorsFile, readSafetensorsHeader } from '../../../lib/checkpoints/safetensors.js';
import { bitsOf, widthOf } from './files.js';

const path = (name: string) => new URL(`../../fixtures/bytes/${name}`, import.meta.url).pathname;

describe('a file that the reference implementation wrote', () => {
  it('is read bit by bit', async () => {
    const tensors = await readSafetensorsFile(path('two-types.safetensors'));
    expect([...tensors.keys()].sort()).toEqual(['a/step', 'b/κ', 'empty']);
    expect(tensors.get('a/step')).toEqual({ dtype: 'I32', shape: [], data: Int32Array.of(-7) });
    expect(tensors.get('empty')).toEqual({ dtype: 'F32', shape: [0, 3], data: new Float32Array(0) });
    expect(tensors.get('b/κ')?.shape).toEqual([2, 2]);
    expect(bitsOf(tensors.get('b/κ'))).toEqual([0x7fa12345, 0x80000000, 0xff800001, 0x3f800000]);
    expect([...(await readSafetensorsHeader(path('two-types.safetensors'))).metadata]).toEqual([['format', 'np']]);
  });

  it('is described with every type that numpy has', async () => {
    const { entries } = await readSafetensorsHeader(path('all-types.safetensors'));
    const dtypes = Object.fromEntries(entries.map(({ name, dtype }) => [name, dtype]));
    expect(dtypes).toEqual({ float64: 'F64', int64: 'I64', uint64: 'U64', float32: 'F32', int32: 'I32', uint32: 'U32', float16: 'F16', int16: 'I16', uint16: 'U16', int8: 'I8', uint8: 'U8', bool: 'BOOL' });
    for (const { dtype, begin, end } of entries) expect(end - begin).toBe(6 * widthOf(dtype));
  });
});
