// How much memory data may take, and which arrays get it: all of them where they fit together, else as many as do, the
// rest being read from files.
import { MAX_ARRAY_BYTES, processMemoryBytes } from '../process-memory.js';

/** What an array needs to be placed. */
export interface ArrayFacts {
  /** What it takes in memory. */
  memoryBytes: number;
  /** What it takes of a disk before samples can be read one by one; 0: it is stored without compression. */
  unpackedBytes: number;
}

/** A quarter of what this process may use. */
export const defaultDataMemoryBytes = (): number => Math.floor(processMemoryBytes() / 4);

/**
 * Which of the arrays are to be in memory, in their order.
 * @param largestBytes what one of them can have there
 */
export function placeArrays(arrays: readonly ArrayFacts[], memoryBytes: number, largestBytes = MAX_ARRAY_BYTES): boolean[] {
  const placed = new Set<ArrayFacts>();
  let leftBytes = memoryBytes;
  // the compressed ones would have to be unpacked first; of all others the small ones are read most dearly, each piece being smaller
  const order = [...arrays].sort((a, b) => Number(a.unpackedBytes === 0) - Number(b.unpackedBytes === 0) || a.memoryBytes - b.memoryBytes);
  for (const array of order) {
    if (array.memoryBytes > Math.min(leftBytes, largestBytes)) continue;
    placed.add(array);
    leftBytes -= array.memoryBytes;
  }
  return arrays.map((array) => placed.has(array));
}

/** What those of the arrays take of a disk that have to be unpacked. */
export function bytesToUnpack(arrays: readonly ArrayFacts[], memoryBytes: number): number {
  const placed = placeArrays(arrays, memoryBytes);
  return arrays.reduce((bytes, { unpackedBytes }, i) => bytes + (placed[i] ? 0 : unpackedBytes), 0);
}
