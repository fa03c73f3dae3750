// A checkpoint that is read for longer than retention would leave it. HEAD says until when it is held, and that is put off while it is
// read: a reader who dies keeps it for some minutes, and nothing for good.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock.js';
import { AppError, isAppError } from '../errors.js';
import { editHead, type HeadDeps } from './head.js';
import { held } from './lifecycle.js';

/** Put off when half of it is over, so that a swap that takes its time does not let it lapse. */
const HOLD_MS = 10 * 60_000;
/** A reader waits so long for it to be written; after that it is written beside. */
const PATIENCE_MS = 1_000;
/** Until it is tried again where the store takes no write now. */
const AGAIN_MS = 60_000;

export interface Hold {
  /**
   * Between reads, which have to be less than some minutes apart. Where it cannot be written, as on a full disk, the reader may well
   * come to the end nevertheless. @throws AppError not_found (it was dropped before)
   */
  keep(): Promise<void>;
}

export function makeHold(deps: HeadDeps & { clock: Pick<Clock, 'monotonicMs'>; log: { warn(fields: object, message: string): void } }, job: string, checkpoint: string): Hold {
  let renewAtMs = -Infinity;
  return {
    keep: async () => {
      const nowMs = deps.clock.monotonicMs();
      if (nowMs < renewAtMs) return;
      renewAtMs = nowMs + HOLD_MS / 2;
      const now = deps.clock.now();
      const edited = editHead(deps, job, (head) => {
          if (!head.retained.some(({ id }) => id === checkpoint)) throw new AppError('not_found', `checkpoint ${checkpoint} has been dropped meanwhile`, { param: 'checkpoint' });
          return held(head, checkpoint, new Date(now.getTime() + HOLD_MS), now);
        }).catch((error: unknown) => {
          if (isAppError(error, 'not_found')) throw error;
          renewAtMs = nowMs + AGAIN_MS;
          deps.log.warn({ job, checkpoint, err: error }, 'a checkpoint that is read is not held');
        });
      // Beside the reading: what is said too late is said by the next piece, which is not there.
      edited.catch(() => undefined);
      await Promise.race([edited, sleep(PATIENCE_MS, undefined, { ref: false })]);
    },
  };
}
