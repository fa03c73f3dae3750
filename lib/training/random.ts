// Keyed random numbers. No generator lives between calls: every number is a function of a key and an index, so a
// number is the same whatever was drawn before it, on any worker, in any order.
//
// Definition (all of it 32-bit integer arithmetic that wraps, so a graph of int32 operations can compute it too):
//   mix(x):        x ^= x >>> 16;  x *= 0x7feb352d;  x ^= x >>> 15;  x *= 0x846ca68b;  x ^= x >>> 16
//                  ("lowbias32" of https://github.com/skeeto/hash-prospector, public domain: a bijection of 32-bit words)
//   bits(k, i)   = mix(mix(i ^ k[0]) + k[1])
//   derive(k, n) = [mix(mix(n ^ k[0]) + k[1]),  mix(mix(n ^ k[1] ^ 0x9e3779b9) + k[0])]
//   uniform(k,i) = (bits(k, i) >>> 8) · 2⁻²⁴          exact in float32, in [0, 1)
//   keyOf(seed, purpose, …n) = the first 8 bytes of sha256(JSON of [seed, purpose, …n]) as two little-endian int32
// A key is used either to draw numbers or to derive keys, never for both.
import { createHash } from 'node:crypto';

/** 64 bits of key as two int32. */
export type Key = readonly [number, number];

export const MULTIPLIER_1 = 0x7feb352d;
export const MULTIPLIER_2 = 0x846ca68b | 0;
const GOLDEN = 0x9e3779b9 | 0;
const TWO_POW_MINUS_24 = 2 ** -24;
const TWO_POW_MINUS_32 = 2 ** -32;

/** A bijection of int32 whose every output bit depends on every input bit. */
export function mix32(value: number): number {
  let x = value | 0;
  x ^= x >>> 16;
  x = Math.imul(x, MULTIPLIER_1);
  x ^= x >>> 15;
  x = Math.imul(x, MULTIPLIER_2);
  return x ^ (x >>> 16);
}

/**
 * The key of a purpose, such as keyOf(seed, 'shuffle', epoch) or keyOf(seed, 'init/conv2d_1/kernel').
 * `seed` and `numbers` are safe integers; 0 is a seed like any other. RangeError otherwise.
 */
export function keyOf(seed: number, purpose: string, ...numbers: number[]): Key {
  for (const number of [seed, ...numbers]) {
    if (!Number.isSafeInteger(number)) throw new RangeError(`a key is made of safe integers, got ${number}`);
  }
  const digest = createHash('sha256').update(JSON.stringify([seed, purpose, ...numbers])).digest();
  return [digest.readInt32LE(0), digest.readInt32LE(4)];
}

/** The n-th key under a key: integer arithmetic only, for one key a sample. `n` is taken modulo 2³². */
export function deriveKey(key: Key, n: number): Key {
  const [a, b] = key;
  return [mix32(mix32(n ^ a) + b), mix32(mix32(n ^ b ^ GOLDEN) + a)];
}

/** 32 random bits as an int32: element `index` (0 … 2³² − 1) of the key's sequence. */
export function bitsAt(key: Key, index: number): number {
  return mix32(mix32(index ^ key[0]) + key[1]);
}

/** Uniform in [0, 1), a multiple of 2⁻²⁴ and so exact in float32. */
export function uniformAt(key: Key, index: number): number {
  return (bitsAt(key, index) >>> 8) * TWO_POW_MINUS_24;
}

/** out[i] = uniformAt(key, i). */
export function fillUniform(key: Key, out: Float32Array): Float32Array {
  const [a, b] = key;
  for (let i = 0; i < out.length; i++) {
    out[i] = (mix32(mix32(i ^ a) + b) >>> 8) * TWO_POW_MINUS_24;
  }
  return out;
}

/** Standard normal (Box–Muller in float64): elements 2j and 2j + 1 are made of the key's words 2j and 2j + 1. */
export function normalAt(key: Key, index: number): number {
  const even = index - (index % 2);
  // (0, 1] for the logarithm, [0, 1) for the angle
  const u = ((bitsAt(key, even) >>> 0) + 1) * TWO_POW_MINUS_32;
  const angle = 2 * Math.PI * ((bitsAt(key, even + 1) >>> 0) * TWO_POW_MINUS_32);
  const radius = Math.sqrt(-2 * Math.log(u));
  return radius * (index === even ? Math.cos(angle) : Math.sin(angle));
}

/** out[i] = normalAt(key, i), rounded to out's type. */
export function fillNormal<T extends Float32Array | Float64Array>(key: Key, out: T): T {
  for (let i = 0; i < out.length; i++) out[i] = normalAt(key, i);
  return out;
}

/**
 * Standard normal within ±2, as Keras's glorot_normal and he_normal draw it (their standard deviation is divided by
 * TRUNCATED_NORMAL_STDDEV to make up for the cut). Element i is the first of normalAt(deriveKey(key, attempt), i),
 * attempt = 0, 1, …, that lies within: still a function of key and i only.
 */
export function fillTruncatedNormal<T extends Float32Array | Float64Array>(key: Key, out: T): T {
  const attempts: Key[] = [];
  for (let i = 0; i < out.length; i++) {
    for (let attempt = 0; ; attempt++) {
      const attemptKey = (attempts[attempt] ??= deriveKey(key, attempt));
      const z = normalAt(attemptKey, i);
      if (Math.abs(z) <= 2) {
        out[i] = z;
        break;
      }
    }
  }
  return out;
}
/** Standard deviation of a standard normal cut at ±2 (Keras's constant). */
export const TRUNCATED_NORMAL_STDDEV = 0.87962566103423978;

/** The key under which a dropout layer's per-sample keys lie in one epoch: deriveKey(dropoutKey(…), sample index). */
export function dropoutKey(seed: number, layer: string, epoch: number): Key {
  return keyOf(seed, `dropout/${layer}`, epoch);
}

/** The integer form of `uniform < rate`: (bits >>> 8) < dropThreshold(rate). */
export function dropThreshold(rate: number): number {
  return Math.ceil(rate * 2 ** 24);
}
