// Drives every open sweep, some at a time: what it does is in lib/sweeps/drive.ts. Any number of controllers may do so at once.
import type { Clock } from '../../lib/clock.js';
import { type AppError, isAppError } from '../../lib/errors.js';
import { inParallel } from '../../lib/jobs/recent.js';
import type { Store } from '../../lib/store/index.js';
import { type DriveDeps, driveSweep, type Known } from '../../lib/sweeps/drive.js';
import { loadSweep, openLog, type SweepLog } from '../../lib/sweeps/log.js';
import { OPEN_SWEEPS_PREFIX } from '../../lib/sweeps/names.js';
import type { SweepRecord } from '../../lib/sweeps/record.js';

export interface SweepDriver {
  /** One look at every open sweep that is known; now and then also at what others opened. @throws AppError store_unavailable */
  tick(signal: AbortSignal): Promise<void>;
  /** Somebody says that there is a sweep, perhaps a new one: the next tick knows it. */
  changed(sweep: string): void;
}

/** What one sweep waits for the store keeps no other one waiting. */
const AT_A_TIME = 8;
/** Between lists of all open sweeps: what is new is said, and only found by looking where it was not heard. */
const LIST_EVERY_MS = 10_000;

/** After a failure that is the sweep's own it is left alone for so long, and longer with each. */
const AGAIN_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

interface Driven {
  log: SweepLog;
  known: Known;
}

/** @param onOver is told of each sweep that is over */
export function makeSweepDriver(deps: DriveDeps & { store: Store; clock: Clock }, onOver: (record: SweepRecord) => void): SweepDriver {
  const driven = new Map<string, Driven>();
  /** Of those that failed while others did not. */
  const failing = new Map<string, { pauseMs: number; untilMs: number }>();
  let open = new Set<string>();
  let listAtMs = -Infinity;

  async function list(): Promise<void> {
    const found = new Set<string>();
    for await (const key of deps.store.keys(OPEN_SWEEPS_PREFIX)) found.add(key.slice(OPEN_SWEEPS_PREFIX.length));
    open = found;
    listAtMs = deps.clock.monotonicMs() + LIST_EVERY_MS;
    for (const map of [driven, failing]) for (const id of map.keys()) if (!open.has(id)) map.delete(id);
  }

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
    open.delete(id);
    onOver(mine.log.record);
  }

  return {
    tick: async (signal) => {
      if (deps.clock.monotonicMs() >= listAtMs) await list();
      const failed: { id: string; error: unknown }[] = [];
      let away: AppError | null = null;
      let listed: Promise<boolean> | null = null;
      /** An object that cannot be read may be one sweep's; where they cannot be listed, the store is away. */
      const isThere = (): Promise<boolean> => (listed ??= list().then(() => true, () => false));
      const nowMs = deps.clock.monotonicMs();
      await inParallel([...open].filter((id) => (failing.get(id)?.untilMs ?? 0) <= nowMs), AT_A_TIME, async (id) => {
        if (signal.aborted || away !== null) return;
        try {
          await drive(id);
          failing.delete(id);
        } catch (error) {
          // What is known of it may be of before the failure.
          driven.delete(id);
          if (isAppError(error, 'store_unavailable') && !(await isThere())) away = error;
          else failed.push({ id, error });
        }
      });
      // Thrown once nothing of this tick is under way any more.
      if (away !== null) throw away as AppError;
      for (const { id, error } of failed) {
        const pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * (failing.get(id)?.pauseMs ?? AGAIN_MS / 2));
        failing.set(id, { pauseMs, untilMs: deps.clock.monotonicMs() + pauseMs });
        deps.log.warn({ sweep: id, err: error }, `a sweep was not seen to; it is looked at again in ${pauseMs / 1_000} s`);
      }
    },
    changed: (sweep) => {
      open.add(sweep);
      failing.delete(sweep);
    },
  };
}
