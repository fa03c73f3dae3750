// How much memory data may take, and which arrays get it: all of them where they fit together, else as many as do, the
// rest being read from their files. A compressed array cannot be read in pieces.
import { AppError } from '../errors.js';
import { processMemoryBytes } from '../process-memory.js';

/** What an array needs to be placed. */
export interface ArrayFacts {
  /** For people: file and array. */
  name: string;
  /** What it takes in memory. */
  memoryBytes: number;
  /** Stored without compression: samples can be read one by one. */
  stored: boolean;
}

/** A quarter of what this process may use. */
export const defaultDataMemoryBytes = (): number => Math.floor(processMemoryBytes() / 4);

/** Which of the arrays are to be in memory, in their order. AppError `invalid_data` where a compressed one does not fit. */
export function placeArrays(arrays: readonly ArrayFacts[], memoryBytes: number): boolean[] {
  const placed = new Set<ArrayFacts>();
  let leftBytes = memoryBytes;
  // the compressed ones have no choice; of all others the small ones are read most dearly, each piece being smaller
  const order = [...arrays].sort((a, b) => Number(a.stored) - Number(b.stored) || a.memoryBytes - b.memoryBytes);
  for (const array of order) {
    if (array.memoryBytes <= leftBytes) {
      placed.add(array);
      leftBytes -= array.memoryBytes;
    } else if (!array.stored) throw tooLarge(array, leftBytes, memoryBytes);
  }
  return arrays.map((array) => placed.has(array));
}

function tooLarge({ name, memoryBytes }: ArrayFacts, leftBytes: number, limitBytes: number): AppError {
  const rest = leftBytes < limitBytes ? `, of which ${leftBytes} are left` : '';
  return new AppError(
    'invalid_data',
    `${name}: it is compressed and has ${memoryBytes} bytes, and data may take ${limitBytes} bytes of memory${rest}; store it uncompressed (numpy.savez instead of numpy.savez_compressed), and it is read from its file as it is needed`,
  );
}
