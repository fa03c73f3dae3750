// Whether this process may go by its clock: by the time that the store gives to what it writes, which is the one that all processes
// share. A process whose clock is wrong must do nothing on time that cannot be undone, as firing a schedule; it waits until it is right,
// or goes by the store's.
import { type Clock, JUMP_MS, leadMs } from '../clock.js';
import { AppError } from '../errors.js';
import type { Store } from './index.js';

export interface ClockWatch {
  /** Looks at the store's clock where it has not lately, or where this one has jumped. @throws AppError store_unavailable, store_full */
  isSound(): Promise<boolean>;
  /** Now; where this clock is wrong, by the store's: perhaps some seconds behind it, never ahead. @throws AppError store_unavailable, store_full */
  sharedNow(): Promise<Date>;
}

export interface ClockWatchDeps {
  store: Pick<Store, 'put' | 'head'>;
  clock: Pick<Clock, 'now' | 'monotonicMs'>;
  log: { warn(fields: object, message: string): void };
}

/** Beyond it a clock is wrong. */
const SKEW_MOST_MS = 5_000;
/** S3 tells whole seconds. */
const STORE_STEP_MS = 1_000;
const LOOK_EVERY_MS = 60_000;
const LOOK_AGAIN_MS = 2_000;
/** Everybody's: whoever wrote last, it was between one's own writing and one's reading. */
const CLOCK_KEY = 'clock';

export function makeClockWatch({ store, clock, log }: ClockWatchDeps): ClockWatch {
  let sound = true;
  let looked = { atMs: -Infinity, lead: 0, aheadMs: 0 };
  let under: Promise<boolean> | null = null;

  async function look(): Promise<boolean> {
    const before = { ms: clock.now().getTime(), lead: leadMs(clock) };
    await store.put(CLOCK_KEY, Buffer.from('{}\n'));
    const there = await store.head(CLOCK_KEY);
    const afterMs = clock.now().getTime();
    // It was set meanwhile: what was measured is of neither.
    if (Math.abs(leadMs(clock) - before.lead) > JUMP_MS || there === null) return false;
    const storeMs = there.modifiedAt.getTime();
    // Between these two this clock is ahead of the store's.
    const [least, most] = [before.ms - storeMs - STORE_STEP_MS, afterMs - storeMs];
    const isSound = least <= SKEW_MOST_MS && most >= -SKEW_MOST_MS;
    if (isSound !== sound) log.warn({ aheadSeconds: Math.round((least + most) / 2_000) }, isSound ? "this machine's clock is right again" : "this machine's clock is not the store's: what goes by time waits until it is set");
    sound = isSound;
    looked = { atMs: clock.monotonicMs(), lead: before.lead, aheadMs: most };
    return isSound;
  }

  function isSound(): Promise<boolean> {
    const isLate = clock.monotonicMs() - looked.atMs >= (sound ? LOOK_EVERY_MS : LOOK_AGAIN_MS);
    if (!isLate && Math.abs(leadMs(clock) - looked.lead) <= JUMP_MS) return Promise.resolve(sound);
    under ??= look().finally(() => {
      under = null;
    });
    return under;
  }

  return {
    isSound,
    sharedNow: async () => {
      if (await isSound()) return clock.now();
      if (looked.atMs === -Infinity) throw new AppError('store_unavailable', "the store's time is not known yet: this machine's clock was set while it was asked");
      // Whatever this clock was set to since.
      return new Date(clock.monotonicMs() + looked.lead - looked.aheadMs);
    },
  };
}
