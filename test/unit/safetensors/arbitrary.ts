// Test-only: random sets of tensors, with the values and names that break things.
import fc from 'fast-check';
import type { HostTensor, TensorMap } from '../../../lib/training/state.js';
import { tensorOfBits } from './files.js';

const SPECIAL_BITS = [0, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7fa12345, 0xffffffff, 0x00000001, 0x7f7fffff];
const bits = fc.oneof(fc.constantFrom(...SPECIAL_BITS), fc.integer({ min: 0, max: 0xffffffff }));
const shape = fc.oneof(fc.constant([]), fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }));
const names = fc
  .oneof(fc.string({ unit: 'binary', maxLength: 12 }), fc.string({ maxLength: 12 }), fc.constantFrom('__proto__', 'constructor', 'a"b', 'back\\slash', '\u0000', '\u007f\u2028', 'conv2d_1/kernel', 'Ωμέγα', '\u{1f600}'))
  .filter((name) => name !== '__metadata__');

const anyTensor: fc.Arbitrary<HostTensor> = fc
  .tuple(fc.constantFrom('F32' as const, 'I32' as const), shape)
  .chain(([dtype, sizes]) => {
    const count = sizes.reduce((product, size) => product * size, 1);
    return fc.array(bits, { minLength: count, maxLength: count }).map((values) => tensorOfBits(dtype, sizes, values));
  });

export function anyTensors(maxTensors = 6): fc.Arbitrary<TensorMap> {
  return fc.uniqueArray(fc.tuple(names, anyTensor), { selector: ([name]) => name, maxLength: maxTensors }).map((entries) => new Map(entries));
}
export { fc };
