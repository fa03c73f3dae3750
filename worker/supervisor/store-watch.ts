// Since when the store has not answered this worker. While it does not, the worker keeps its jobs: if it is away for everybody,
// nobody else could have them. But it may be away for this worker only, and after a long time the worker stops saying that its
// jobs' owner lives: whoever can write HEAD then takes them, and if nobody does, they go on here when the store is back.
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
  const told = <A extends unknown[], T>(call: (...args: A) => Promise<T>) => async (...args: A): Promise<T> => {
    try {
      const answer = await call(...args);
      answeredMs = clock.monotonicMs();
      return answer;
    } catch (error) {
      if (!isAppError(error, 'store_unavailable')) answeredMs = clock.monotonicMs();
      throw error;
    }
  };
  return {
    store: { ...store, put: told(store.put), putIfAbsent: told(store.putIfAbsent), compareAndSwap: told(store.compareAndSwap), get: told(store.get), head: told(store.head), delete: told(store.delete) },
    isHeld: () => clock.monotonicMs() - answeredMs < HOLD_MS,
  };
}
