// Drives every open sweep, each in its turn: what it does is in lib/sweeps/drive.ts. Any number of controllers may do so at once.
import { isAppError } from '../../lib/errors.js';
import type { Store } from '../../lib/store/index.js';
import { type DriveDeps, driveSweep, type Known } from '../../lib/sweeps/drive.js';
import { loadSweep, openLog, type SweepLog, type SweepRecord } from '../../lib/sweeps/log.js';
import { OPEN_SWEEPS_PREFIX } from '../../lib/sweeps/names.js';

export interface SweepDriver {
  /** One look at every open sweep. @throws AppError store_unavailable */
  tick(signal: AbortSignal): Promise<void>;
}

interface Driven {
  log: SweepLog;
  known: Known;
}

/** @param onOver is told of each sweep that is over */
export function makeSweepDriver(deps: DriveDeps & { store: Store }, onOver: (record: SweepRecord) => void): SweepDriver {
  const driven = new Map<string, Driven>();

  async function drive(id: string): Promise<void> {
    let mine = driven.get(id);
    if (!mine) {
      const record = await loadSweep(deps.store, id);
      // Not acknowledged: whoever sends it is still at it, or never came to it.
      if (!record) return;
      mine = { log: await openLog(deps, record), known: new Map() };
      driven.set(id, mine);
    }
    if (!(await driveSweep(deps, mine.log, mine.known))) return;
    driven.delete(id);
    onOver(mine.log.record);
  }

  return {
    tick: async (signal) => {
      const open = new Set<string>();
      for await (const key of deps.store.keys(OPEN_SWEEPS_PREFIX)) open.add(key.slice(OPEN_SWEEPS_PREFIX.length));
      for (const id of driven.keys()) if (!open.has(id)) driven.delete(id);
      for (const id of open) {
        if (signal.aborted) return;
        try {
          await drive(id);
        } catch (error) {
          // What is known of it may be of before the failure.
          driven.delete(id);
          if (isAppError(error, 'store_unavailable')) throw error;
          deps.log.warn({ sweep: id, err: error }, 'a sweep was not seen to');
        }
      }
    },
  };
}
