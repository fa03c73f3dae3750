// Quasi-random search: trial n gets point n of a Sobol sequence, so any first 2ᵐ trials lie evenly. Each dimension is scrambled by
// the seed as Owen does (nested, uniform), which keeps that and makes every point uniform: no trial sits at a corner.
import { bitsAt, type Key, keyOf } from '../../training/random.js';
import type { Params } from '../dimension.js';
import { paramsOf, type Space } from '../space.js';
import { openUniformAt, priorValue } from './prior.js';
import { SOBOL_NUMBERS } from './sobol-numbers.js';

const BITS = 32;
const TWO_POW_MINUS_32 = 2 ** -32;

/** For each dimension the words that the bits of a point's number stand for, the lowest bit first. */
const directions: readonly Uint32Array[] = [Uint32Array.from({ length: BITS }, (_, bit) => 2 ** (31 - bit)), ...SOBOL_NUMBERS.trim().split('\n').map(directionsOf)];
export const SOBOL_DIMENSIONS = directions.length;

/** Section 2 of https://web.maths.unsw.edu.au/~fkuo/sobol/joe-kuo-notes.pdf. */
function directionsOf(line: string): Uint32Array {
  const [, s = 0, a = 0, ...m] = line.split(' ').map(Number);
  const v = new Uint32Array(BITS);
  const at = (bit: number) => v[bit] as number;
  for (let bit = 0; bit < BITS; bit++) {
    if (bit < s) {
      v[bit] = (m[bit] as number) * 2 ** (31 - bit);
      continue;
    }
    let word = at(bit - s) ^ (at(bit - s) >>> s);
    for (let k = 1; k < s; k++) if ((a >>> (s - 1 - k)) & 1) word ^= at(bit - k);
    v[bit] = word;
  }
  return v;
}

/** The coordinate of a point in one dimension, in 2⁻³², by the order of Gray codes as Joe and Kuo number them. */
export function sobolWord(dimension: number, index: number): number {
  const words = directions[dimension];
  if (words === undefined) throw new RangeError(`the sequence has ${SOBOL_DIMENSIONS} dimensions, got ${dimension}`);
  let word = 0;
  for (let gray = index ^ (index >>> 1), bit = 0; gray !== 0; gray >>>= 1, bit++) if (gray & 1) word ^= words[bit] as number;
  return word >>> 0;
}

/** Each bit is flipped or not by a random bit that belongs to the bits above it: a node of the tree of all words. */
export function scramble(word: number, key: Key): number {
  let scrambled = 0;
  for (let depth = 0; depth < BITS; depth++) {
    const above = depth === 0 ? 0 : word >>> (BITS - depth);
    const flip = bitsAt(key, 2 ** depth + above) >>> 31;
    scrambled = (scrambled << 1) | (((word >>> (BITS - 1 - depth)) & 1) ^ flip);
  }
  return scrambled >>> 0;
}

/** Parameters with one value need no dimension; those beyond the last one are random. */
export function qmcParams(space: Space, seed: number, trial: number): Params {
  const searched = [...space.dimensions].filter(([, dimension]) => dimension.kind === 'numeric' || dimension.choices.length > 1).map(([name]) => name);
  return paramsOf(space, (name, dimension) => {
    const at = Math.max(0, searched.indexOf(name));
    if (at >= SOBOL_DIMENSIONS) return priorValue(dimension, openUniformAt(keyOf(seed, 'sweep/qmc/beyond', at, trial), 0));
    return priorValue(dimension, (scramble(sobolWord(at, trial), keyOf(seed, 'sweep/qmc', at)) + 0.5) * TWO_POW_MINUS_32);
  });
}
