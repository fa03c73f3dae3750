// The order of an epoch: a keyed permutation of the samples with random access, in constant memory.
//
// A Feistel network over pairs (left, right) in [0, a) × [0, b), a·b ≥ n, whose halves are added modulo a and modulo b
// in turn: a bijection for every a and b. Results ≥ n are sent through again until they fall below n (cycle walking),
// which keeps it a bijection of [0, n). With a = 2^⌈⌈log₂ n⌉/2⌉ and b = ⌈n/a⌉ fewer than a values lie outside.
// a is even (for n > 1) so that odd permutations are reachable too.
import { bitsAt, deriveKey, keyOf, type Key } from './random.js';

/** 4 rounds suffice for large halves (Luby and Rackoff); sets of 5 or 6 samples need 20 before every order is equally likely. */
const ROUNDS = 24;

export interface Permutation {
  /** Samples. */
  readonly size: number;
  /** The sample at a position of the epoch, 0 ≤ position < size; RangeError otherwise. */
  at(position: number): number;
  /** The samples at positions from … to − 1. */
  slice(from: number, to: number): Int32Array;
}

export const MAX_SAMPLES = 2 ** 31 - 1;

/** π(seed, epoch) over n samples, 1 ≤ n ≤ 2³¹ − 1; file order if `shuffle` is false. */
export function permutationOf(seed: number, epoch: number, n: number, shuffle = true): Permutation {
  if (!Number.isInteger(n) || n < 1 || n > MAX_SAMPLES) throw new RangeError(`a permutation of ${n} samples`);
  const apply = shuffle && n > 1 ? feistel(keyOf(seed, 'shuffle', epoch), n) : (position: number) => position;
  const at = (position: number): number => {
    if (!Number.isInteger(position) || position < 0 || position >= n) throw new RangeError(`position ${position} of ${n} samples`);
    return apply(position);
  };
  return { size: n, at, slice: (from, to) => Int32Array.from({ length: to - from }, (_, i) => at(from + i)) };
}

function feistel(key: Key, n: number): (position: number) => number {
  const bits = 32 - Math.clz32(n - 1); // ⌈log₂ n⌉
  const a = 2 ** Math.ceil(bits / 2);
  const b = Math.ceil(n / a);
  const keys = Array.from({ length: ROUNDS }, (_, round) => deriveKey(key, round));
  return (position) => {
    let value = position;
    do {
      let left = value & (a - 1);
      let right = (value - left) / a;
      for (let round = 0; round < ROUNDS; round += 2) {
        // a is a power of two, and both terms of the other sum are below b: no remainder of a number beyond 32 bits is taken
        left = (left + bitsAt(keys[round] as Key, right)) & (a - 1);
        right += (bitsAt(keys[round + 1] as Key, left) >>> 0) % b;
        if (right >= b) right -= b;
      }
      value = right * a + left;
    } while (value >= n);
    return value;
  };
}
