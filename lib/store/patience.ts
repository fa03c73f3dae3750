// Waiting for a store that is away: asked again, less and less often, until it answers or nobody wants to know any more.
import type { Clock } from '../clock.js';
import { isAppError } from '../errors.js';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

export interface PatienceOptions {
  /** Ends the waiting, at once. */
  signal?: AbortSignal;
  /** Ends the waiting with the next failure. */
  isOver?: () => boolean;
}

/** What the store says. @throws AppError store_unavailable once the waiting has ended; whatever else `ask` throws */
export async function untilAnswered<T>(clock: Pick<Clock, 'sleep'>, ask: () => Promise<T>, { signal, isOver = () => false }: PatienceOptions = {}): Promise<T> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs)) {
    try {
      return await ask();
    } catch (error) {
      if (!isAppError(error, 'store_unavailable') || signal?.aborted === true || isOver()) throw error;
      await clock.sleep(pauseMs, signal).catch((reason: unknown) => {
        if (signal?.aborted !== true) throw reason;
      });
    }
  }
}
