// Warnings of something that goes wrong over and over: the same one is said once in a while, another one at once.
import { messageOf } from '../errors.js';
import type { QueueLog } from './settings.js';

const AGAIN_MS = 10_000;

/** Logs an error, unless its words were logged less than ten seconds ago. */
export function sparingly(log: Pick<QueueLog, 'warn'>, message: string): (error: unknown) => void {
  /** When each was last said; only those that are not to be said again yet. */
  const said = new Map<string, number>();
  return (error) => {
    const now = performance.now();
    for (const [words, at] of said) if (now - at >= AGAIN_MS) said.delete(words);
    const words = messageOf(error);
    if (said.has(words)) return;
    said.set(words, now);
    log.warn({ err: error }, message);
  };
}
