// The total time of one store call: whatever happens underneath, the caller has its answer when the budget is spent
// or its own signal fires. What goes on after that is nobody's business any more.

import { AppError } from '../errors.js';

export interface Budget {
  /** Fires when the time is up or the caller has cancelled. */
  signal: AbortSignal;
  /** More time, once it is known how much there is to transfer. */
  extend(ms: number): void;
}

/** Runs `work`, and rejects with `store_unavailable` as soon as `ms` are over or `signal` fires. */
export async function withBudget<T>(
  what: string,
  ms: number,
  signal: AbortSignal | undefined,
  work: (budget: Budget) => Promise<T>,
): Promise<T> {
  if (signal?.aborted) throw cancelled(what);
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let fail: (error: AppError) => void = () => undefined;
  const over = new Promise<never>((_, reject) => (fail = reject));
  const stop = (error: AppError): void => {
    fail(error); // first, so that this is the reason and not what the abort makes of it
    controller.abort(error);
  };
  const onCancel = (): void => stop(cancelled(what));
  let end = performance.now() + ms;
  const arm = (): void => {
    clearTimeout(timer);
    if (ms === Infinity) return;
    const late = (): void => stop(new AppError('store_unavailable', `${what}: no answer in time`));
    timer = setTimeout(late, end - performance.now());
  };
  const extend = (more: number): void => {
    end += more;
    arm();
  };
  arm();
  signal?.addEventListener('abort', onCancel, { once: true });
  const running = work({ signal: controller.signal, extend });
  running.catch(() => undefined); // it may fail after the answer was given
  try {
    return await Promise.race([running, over]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onCancel);
  }
}

function cancelled(what: string): AppError {
  return new AppError('store_unavailable', `${what}: cancelled`);
}
