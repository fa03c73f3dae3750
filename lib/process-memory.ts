// How much memory this process may use, and how much of it one array can have.
import { constants } from 'node:buffer';
import { totalmem } from 'node:os';

/** What is larger cannot be seen as bytes, however much memory there is: 4 GiB on Node.js 20. https://nodejs.org/api/buffer.html#bufferconstantsmax_length */
export const MAX_ARRAY_BYTES: number = constants.MAX_LENGTH;

/** The machine's memory, or the limit of this process's control group if that is less. */
export function processMemoryBytes(): number {
  const limit = process.constrainedMemory() ?? 0; // 0: none; without one some systems say 2⁶³ or more
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
