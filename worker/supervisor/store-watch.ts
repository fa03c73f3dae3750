// Since when the store has not answered this worker, or has taken nothing from it. While it does not, the worker keeps its jobs: if it
// is away for everybody, nobody else could have them. But it may be away for this worker only, and after a long time the worker stops
// saying that its jobs' owner lives: whoever can write HEAD then takes them, and if nobody does, they go on here when the store is back.
import type { Clock } from '../../lib/clock.js';
import { isAppError } from '../../lib/errors.js';
import type { Store } from '../../lib/store/index.js';

export interface StoreWatch {
  store: Store;
  /** Whether to say that the owner lives. */
  isHeld(): boolean;
}

/** Much longer than stores are away for, because who takes a job over does again what its owner could not commit. */
const HOLD_MS = 3_600_000;

export function watchStore(store: Store, clock: Pick<Clock, 'monotonicMs'>): StoreWatch {
  let answeredMs = clock.monotonicMs();
  /** Every write since then has failed, whatever reads have said; null: the last one did not. */
  let refused: { sinceMs: number; lastMs: number } | null = null;
  const told = <A extends unknown[], T>(call: (...args: A) => Promise<T>, onOutcome: (answered: boolean) => void = () => undefined) => async (...args: A): Promise<T> => {
    const note = (answered: boolean): void => {
      if (answered) answeredMs = clock.monotonicMs();
      onOutcome(answered);
    };
    try {
      const answer = await call(...args);
      note(true);
      return answer;
    } catch (error) {
      note(!isAppError(error, 'store_unavailable'));
      throw error;
    }
  };
  const written = <A extends unknown[], T>(call: (...args: A) => Promise<T>) =>
    told(call, (answered) => {
      const nowMs = clock.monotonicMs();
      refused = answered ? null : { sinceMs: refused?.sinceMs ?? nowMs, lastMs: nowMs };
    });
  // What is not deleted is garbage, which keeps nobody from committing.
  return {
    store: { ...store, put: written(store.put), putIfAbsent: written(store.putIfAbsent), compareAndSwap: written(store.compareAndSwap), get: told(store.get), head: told(store.head), delete: told(store.delete) },
    // One write may have failed and the next be due in hours: only tries that fail for so long say something.
    isHeld: () => clock.monotonicMs() - answeredMs < HOLD_MS && (refused === null || refused.lastMs - refused.sinceMs < HOLD_MS),
  };
}
