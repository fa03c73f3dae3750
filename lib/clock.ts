// The seam to time. Everything that needs "now" or a wait takes a Clock, so tests can move it by hand.

export interface Clock {
  /** Wall time. */
  now(): Date;
  /** Milliseconds that only go forward; for durations. */
  monotonicMs(): number;
  /** Resolves after `ms`, or rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** What wall time may gain or lose on time that only goes forward before it counts as a jump. */
export const JUMP_MS = 1_000;

/** Wall time less time that only goes forward, in milliseconds: changes when the clock is set. */
export const leadMs = (clock: Pick<Clock, 'now' | 'monotonicMs'>): number => clock.now().getTime() - clock.monotonicMs();

/** A timer that is set for longer goes off at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      let timer: NodeJS.Timeout;
      const wait = (leftMs: number): void => {
        timer = setTimeout(() => (leftMs > LONGEST_TIMER_MS ? wait(leftMs - LONGEST_TIMER_MS) : done()), Math.min(leftMs, LONGEST_TIMER_MS));
      };
      const done = (): void => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      wait(ms);
      function onAbort(): void {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      }
      signal?.addEventListener('abort', onAbort, { once: true });
    }),
};

/** A wait that nobody has to wait for: it ends early, in peace, when the signal is aborted. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> => systemClock.sleep(ms, signal).catch(() => undefined);
