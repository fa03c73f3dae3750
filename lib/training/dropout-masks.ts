// Masks of dropout: keyed random numbers (random.ts) by the million, four at a time where the processor can. It is integer
// arithmetic, so the numbers are the same either way.
import { add, f32x4, get, i32, i32x4, instantiate, isValid, loopWhile, makeAssembler, makeMemory, PAGE_BYTES, set, type Code } from '../wasm/assembler.js';
import { bitsAt, deriveKey, dropThreshold, MULTIPLIER_1, MULTIPLIER_2, type Key } from './random.js';

/** out[i] = 0 where the key's number `i` is below the threshold, else `kept`. */
export type FillRow = (key: Key, threshold: number, kept: number, out: Float32Array) => void;

/**
 * Dropout masks of a micro-batch: row s is that of sample sampleIds[s], made of its own key, so it does not depend on
 * which samples share the micro-batch. Elements are 0 with probability `rate` (uniform < rate), else 1/(1 − rate).
 * @param layerKey dropoutKey(seed, layer, epoch)
 * @param out row-major [sampleIds.length, elements of one sample]
 */
export function fillDropoutMask(layerKey: Key, sampleIds: ArrayLike<number>, rate: number, out: Float32Array): Float32Array {
  const rows = sampleIds.length;
  const width = rows === 0 ? 0 : out.length / rows;
  if (!Number.isInteger(width)) throw new RangeError(`a mask of ${out.length} elements does not divide into ${rows} samples`);
  const threshold = dropThreshold(rate);
  fillRow ??= makeVectorFill() ?? fillPlainly;
  for (let row = 0; row < rows; row++) fillRow(deriveKey(layerKey, sampleIds[row] as number), threshold, 1 / (1 - rate), out.subarray(row * width, (row + 1) * width));
  return out;
}
let fillRow: FillRow | null = null;

/** The definition. */
export const fillPlainly: FillRow = (key, threshold, kept, out) => {
  // by the sign of a difference: a branch that no processor can foresee would take as long as the numbers themselves
  const values = Float32Array.of(kept, 0);
  for (let i = 0; i < out.length; i++) out[i] = values[((bitsAt(key, i) >>> 8) - threshold) >>> 31]!;
};

/** Null where the processor has no vectors. */
export function makeVectorFill(): FillRow | null {
  const bytes = vectorModule();
  if (!isValid(bytes)) return null;
  const memory = makeMemory(1);
  const { fill } = instantiate<{ fill(a: number, b: number, threshold: number, kept: number, from: number, count: number): void }>(bytes, memory);
  const values = new Float32Array(memory.buffer);
  const bits = new DataView(new ArrayBuffer(4));
  return ([a, b], threshold, kept, out) => {
    bits.setFloat32(0, kept);
    for (let from = 0; from < out.length; from += CHUNK) {
      const count = Math.min(CHUNK, out.length - from);
      fill(a, b, threshold, bits.getInt32(0), from, count);
      out.set(count === CHUNK ? values : values.subarray(0, count), from);
    }
  };
}

/** Numbers that the module's memory holds. */
const CHUNK = PAGE_BYTES / 4;

/** `fill` writes numbers `from` and so on, `count` of them and up to three more, to the beginning of its memory. */
function vectorModule(): Uint8Array {
  const module = makeAssembler();
  module.define('fill', 6, ([a, b, threshold, kept, from, count], local) => {
    const [to, index, word] = [local('i32'), local('v128'), local('v128')];
    const splat = (value: Parameters<typeof get>[0]): Code => i32x4.splat(get(value));
    const scramble = (shift: number): Code => set(word, i32x4.xor(get(word), i32x4.shiftRight(get(word), shift)));
    const times = (factor: number): Code => set(word, i32x4.multiply(get(word), i32x4.splat(i32.constant(factor))));
    const mix = [scramble(16), times(MULTIPLIER_1), scramble(15), times(MULTIPLIER_2), scramble(16)];
    return [
      set(index, i32x4.add(splat(from!), i32x4.iota)),
      loopWhile(
        i32.atLeast(get(count!), i32.constant(1)),
        set(word, i32x4.xor(get(index), splat(a!))),
        ...mix,
        set(word, i32x4.add(get(word), splat(b!))),
        ...mix,
        f32x4.store(get(to), i32x4.and(i32x4.atLeast(i32x4.shiftRight(get(word), 8), splat(threshold!)), splat(kept!))),
        set(index, i32x4.add(get(index), i32x4.splat(i32.constant(4)))),
        add(to, 16),
        add(count!, -4),
      ),
    ];
  });
  return module.assemble();
}
