// What schedules run in under test: time that is moved by hand, a register of runs that start once, and processes whose calls may be
// delayed, lost, or their last.
import type { Clock } from '../../../lib/clock.js';
import type { ScheduleReference } from '../../../lib/contract/records.js';
import type { RunReference, ScheduleHead, ScheduleSpec } from '../../../lib/contract/schedule.js';
import type { RunState } from '../../../lib/schedules/decide.js';
import type { TickDeps } from '../../../lib/schedules/fires.js';
import type { Store } from '../../../lib/store/index.js';
import { type Fault, Killed, makeFate } from '../fate.js';

export type WorldStore = Pick<Store, 'get' | 'putIfAbsent' | 'compareAndSwap' | 'confirm' | 'list' | 'keys' | 'delete'>;

export const SCHEDULE = 'sch_00000000000000000000000001';

export const specOf = (changes: Partial<ScheduleSpec> = {}): ScheduleSpec => ({
  name: 'nightly', cron: '* * * * *', timezone: 'UTC', dst: { gap: 'shift', overlap: 'first' }, overlap_policy: 'skip', catchup_window: 600, jitter: 0, pause_on_failure: false, job: { model: 'small' }, sweep: null, ...changes,
});

export const headOf = (changes: Partial<ScheduleHead> = {}, spec: Partial<ScheduleSpec> = {}): ScheduleHead => ({
  version: 0, spec: specOf(spec), created_at: '2026-05-01T00:00:00.000Z', updated_at: '2026-05-01T00:00:00.000Z', status: 'active', note: null, last_nominal: '2026-05-01T00:00:00.000Z',
  requested: [], buffered: [], runs: [], unrecorded: [], recent: [], counts: { started: 0, skipped: 0, missed: 0, failed: 0 }, ...changes,
});

export interface FakeClock extends Clock {
  /** Moves time on, waking sleepers in order; between any two moments all that can go on does. */
  runUntil(ms: number): Promise<void>;
  set(ms: number): void;
  /** Sets wall time so much forward, or back. */
  jump(ms: number): void;
}

export function makeFakeClock(startMs: number): FakeClock {
  let nowMs = startMs;
  let aheadMs = 0;
  const sleepers = new Set<{ atMs: number; wake: () => void }>();
  const quiet = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    now: () => new Date(nowMs + aheadMs),
    monotonicMs: () => nowMs,
    jump: (ms) => void (aheadMs += ms),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error);
        const onAbort = (): void => {
          sleepers.delete(sleeper);
          reject(signal?.reason as Error);
        };
        const wake = (): void => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        };
        const sleeper = { atMs: nowMs + ms, wake };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
    set: (ms) => (nowMs = ms),
    runUntil: async (ms) => {
      await quiet();
      for (;;) {
        const atMs = Math.min(...[...sleepers].map((sleeper) => sleeper.atMs));
        if (sleepers.size === 0 || atMs > ms) break;
        nowMs = Math.max(nowMs, atMs);
        // those of one moment together, as timers do
        for (const sleeper of [...sleepers]) {
          if (sleeper.atMs > atMs) continue;
          sleepers.delete(sleeper);
          sleeper.wake();
        }
        await quiet();
      }
      nowMs = ms;
      await quiet();
    },
  };
}

/** Jobs and sweeps, as far as schedules know them. */
export interface Runs {
  all: Map<string, { run: RunReference; state: Exclude<RunState, 'missing'>; body: unknown; schedule: ScheduleReference; startedMs: number }>;
  /** The most that were active at any time. */
  mostActive: number;
  active(): number;
  /** Places for more of them. */
  room: number;
  calls: Pick<TickDeps, 'start' | 'stateOf' | 'stop' | 'takePlaces'>;
}

export function makeRuns(clock: Pick<Clock, 'now'>): Runs {
  const all: Runs['all'] = new Map();
  const active = (): number => [...all.values()].filter(({ state }) => state === 'active').length;
  const runs: Runs = {
    all,
    mostActive: 0,
    active,
    room: Infinity,
    calls: {
      takePlaces: async (wanted) => Math.min(wanted, runs.room),
      start: async (run, body, schedule) => {
        if (all.has(run.id)) return;
        all.set(run.id, { run, state: 'active', body, schedule, startedMs: clock.now().getTime() });
        runs.mostActive = Math.max(runs.mostActive, active());
      },
      stateOf: async ({ id }) => all.get(id)?.state ?? 'missing',
      stop: async ({ id }, how) => {
        const run = all.get(id);
        if (run?.state === 'active') run.state = how === 'pause' ? 'paused' : 'cancelled';
      },
    },
  };
  return runs;
}

/** The calls of one process, each of which meets what `next` says. `wait` comes before each call. */
export function asProcess<S extends TickDeps['store']>(store: S, calls: Runs['calls'], clock: Clock, next: (call: string) => Fault, wait: () => Promise<void> = () => Promise.resolve(), late: Promise<unknown>[] = []): Omit<TickDeps, 'store'> & { store: S } {
  const { meet, isDead } = makeFate(next, wait, late);
  return {
    store: { ...store, get: meet('get', store.get), putIfAbsent: meet('putIfAbsent', store.putIfAbsent), compareAndSwap: meet('compareAndSwap', store.compareAndSwap) },
    clock: { now: clock.now, sleep: () => (isDead() ? Promise.reject(new Killed()) : Promise.resolve()) },
    start: meet('start', calls.start),
    stateOf: meet('stateOf', calls.stateOf),
    stop: meet('stop', calls.stop),
    takePlaces: calls.takePlaces,
  };
}
