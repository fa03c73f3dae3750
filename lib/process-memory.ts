// How much memory this process may use.
import { totalmem } from 'node:os';

/** The machine's memory, or the limit of this process's control group if that is less. */
export function processMemoryBytes(): number {
  const limit = process.constrainedMemory() ?? 0; // 0: none; without one some systems say 2⁶³ or more
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
