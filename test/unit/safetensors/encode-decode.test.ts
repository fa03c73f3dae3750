import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { decodeSafetensors, encodeSafetensors } from '../../../lib/checkpoints/safetensors.js';
import { layoutSafetensors } from '../../../lib/checkpoints/safetensors-format.js';
import type { HostTensor, TensorMap } from '../../../lib/training/state.js';
import { anyTensors, fc } from './arbitrary.js';
import { bitsOf, tensorOfBits } from './files.js';

const FIXTURES = new URL('../../fixtures/', import.meta.url);
const NAN_WITH_PAYLOAD = 0x7fa12345;
const NEGATIVE_ZERO = 0x80000000;

function shuffled(tensors: TensorMap): TensorMap {
  return new Map([...tensors].reverse());
}

describe('encodeSafetensors', () => {
  it('lays out known tensors as known bytes', () => {
    const tensors: TensorMap = new Map<string, HostTensor>([
      ['b', tensorOfBits('I32', [2], [1, 0xfffffffe])],
      ['a/kernel', tensorOfBits('F32', [1, 2], [0x3f800000, NEGATIVE_ZERO])],
      ['scalar', tensorOfBits('F32', [], [NAN_WITH_PAYLOAD])],
    ]);
    const header =
      '{"__metadata__":{"format":"pawl","z":"é"},"a/kernel":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"b":{"dtype":"I32","shape":[2],"data_offsets":[8,16]},"scalar":{"dtype":"F32","shape":[],"data_offsets":[16,20]}}';
    const padded = Buffer.from(header + ' '.repeat((8 - (Buffer.byteLength(header) % 8)) % 8));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(padded.length));
    const data = Buffer.from('0000803f' + '00000080' + '01000000' + 'feffffff' + '4523a17f', 'hex');
    expect(encodeSafetensors(tensors, { z: 'é', format: 'pawl' })).toEqual(Buffer.concat([length, padded, data]));
  });

  it('gives the bytes that the reference implementation wrote', async () => {
    for (const name of ['seed', 'ragged-amsgrad', 'ragged-flush']) {
      const bytes = await readFile(new URL(`cnn/${name}/init.safetensors`, FIXTURES));
      expect(encodeSafetensors(shuffled(decodeSafetensors(bytes)))).toEqual(bytes);
    }
  });

  it('gives one state the hash that the reference implementation gives it', () => {
    const tensors = new Map<string, HostTensor>([
      ['dense_1/kernel', { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
      ['dense_1/bias', tensorOfBits('F32', [3], [NEGATIVE_ZERO, 0x3f000000, NAN_WITH_PAYLOAD])],
    ]);
    expect(createHash('sha256').update(encodeSafetensors(tensors)).digest('hex')).toBe('fdd52264fae36de36a88bcf13010363e27d19d54d724d94587c160239ca2bd66');
  });

  it('writes equal bytes for equal tensors in any order of insertion', () => {
    fc.assert(fc.property(anyTensors(), (tensors) => encodeSafetensors(tensors).equals(encodeSafetensors(shuffled(tensors)))), { numRuns: 100 });
  });

  it('sorts names by their bytes, not by their UTF-16 units', () => {
    const empty: HostTensor = { dtype: 'F32', shape: [0], data: new Float32Array(0) };
    const names = ['\u{1f600}', '\uffee', 'Z', 'a', 'é', ''];
    const { entries } = layoutSafetensors(names.map((name) => ({ name, ...empty })));
    expect(entries.map(({ name }) => name)).toEqual(['', 'Z', 'a', 'é', '\uffee', '\u{1f600}']);
  });

  it('puts wider types first and pads the header so that the data is aligned', () => {
    const { entries, dataStart } = layoutSafetensors([
      { name: 'a', dtype: 'BOOL', shape: [3] },
      { name: 'b', dtype: 'F16', shape: [3] },
      { name: 'c', dtype: 'F32', shape: [1] },
      { name: 'd', dtype: 'F64', shape: [1] },
    ]);
    expect(entries.map(({ name, begin, end }) => [name, begin, end])).toEqual([['d', 0, 8], ['c', 8, 12], ['b', 12, 18], ['a', 18, 21]]);
    expect(dataStart % 8).toBe(0);
  });

  it('refuses by name what the format cannot hold', () => {
    const one: HostTensor = { dtype: 'F32', shape: [1], data: new Float32Array(1) };
    expect(() => encodeSafetensors(new Map([['__metadata__', one]]))).toThrow('cannot be named "__metadata__"');
    expect(() => encodeSafetensors(new Map([['x\ud800', one]]))).toThrow('cannot be named');
    expect(() => encodeSafetensors(new Map([['w', { ...one, shape: [2] }]]))).toThrow('tensor "w" has 1 values');
    expect(() => encodeSafetensors(new Map([['w', { ...one, shape: [0.5, 2] }]]))).toThrow('tensor "w" has the impossible shape');
    expect(() => encodeSafetensors(new Map([['w', { ...one, shape: [2 ** 30, 2 ** 30, 0] }]]))).toThrow('tensor "w" has the impossible shape');
    expect(() => encodeSafetensors(new Map([['w', { dtype: 'I32', shape: [1], data: new Float32Array(1) }]]))).toThrow('tensor "w" is Float32Array as I32');
    expect(() => encodeSafetensors(new Map(), { key: '\udc00' })).toThrow('metadata "key" is not a well-formed string');
    expect(() => layoutSafetensors([{ name: 'w', dtype: 'F32', shape: [] }, { name: 'w', dtype: 'I32', shape: [] }])).toThrow('two tensors are named "w"');
  });
});

describe('decodeSafetensors', () => {
  it('gives back every bit: NaN payloads, negative zeros, scalars, empty tensors, any name', () => {
    fc.assert(
      fc.property(anyTensors(), (tensors) => {
        const decoded = decodeSafetensors(encodeSafetensors(tensors));
        expect([...decoded.keys()].sort()).toEqual([...tensors.keys()].sort());
        for (const [name, tensor] of tensors) {
          expect(decoded.get(name)?.dtype).toBe(tensor.dtype);
          expect(decoded.get(name)?.shape).toEqual(tensor.shape);
          expect(bitsOf(decoded.get(name))).toEqual(bitsOf(tensor));
        }
      }),
      { numRuns: 200 },
    );
  });

  it('keeps the payload of a signalling NaN', () => {
    const decoded = decodeSafetensors(encodeSafetensors(new Map([['w', tensorOfBits('F32', [3], [NAN_WITH_PAYLOAD, NEGATIVE_ZERO, 0xff800001])]])));
    expect(bitsOf(decoded.get('w'))).toEqual([NAN_WITH_PAYLOAD, NEGATIVE_ZERO, 0xff800001]);
  });

  it('reads from a buffer that is not aligned, and shares no memory with it', () => {
    const bytes = encodeSafetensors(new Map([['w', { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) }]]));
    const shifted = Buffer.alloc(bytes.length + 1).subarray(1);
    bytes.copy(shifted);
    const { data } = decodeSafetensors(shifted).get('w')!;
    shifted.fill(0);
    expect([...data]).toEqual([1, 2]);
  });

  it('treats names that objects inherit like any others', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length'];
    const tensors = new Map(names.map((name, i): [string, HostTensor] => [name, tensorOfBits('F32', [1], [i])]));
    const decoded = decodeSafetensors(encodeSafetensors(tensors));
    expect(new Set(decoded.keys())).toEqual(new Set(names));
    expect(bitsOf(decoded.get('__proto__'))).toEqual([0]);
  });

  it('reads files that other tools wrote in another order, with spaces and escapes', () => {
    const header = ' \n{ "b\\u0062" : {"data_offsets":[4,8], "shape":[1],"dtype":"F32"},\t"a":{"dtype":"I32","shape":[],"data_offsets":[0,4]} } \r\n'.trimStart();
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const decoded = decodeSafetensors(Buffer.concat([length, Buffer.from(header), Buffer.from('0700000000000040', 'hex')]));
    expect([...decoded]).toEqual([
      ['a', { dtype: 'I32', shape: [], data: Int32Array.of(7) }],
      ['bb', { dtype: 'F32', shape: [1], data: Float32Array.of(2) }],
    ]);
  });
});
