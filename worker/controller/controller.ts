// Sees to it that every open job has an owner, a ticket, or the end that was asked for. Reads, decides by claiming or by
// issuing tickets, waits nowhere; any number of controllers may run at once, because claiming decides.
import type { Clock } from '../../lib/clock.js';
import { isAppError } from '../../lib/errors.js';
import { glanceAtHead } from '../../lib/jobs/head.js';
import { OPEN_PREFIX, openKey, parseMarkerKey } from '../../lib/jobs/names.js';
import { type ReconcileDeps, reconcileJob, type ReconcileOutcome } from '../../lib/jobs/reconcile.js';
import type { Log } from '../../lib/log.js';
import type { JobQueue, StallJanitor } from '../../lib/queue/index.js';
import type { Store } from '../../lib/store/index.js';
import { makeLiveness } from '../../lib/jobs/liveness.js';
import { isScheduleId } from '../../lib/schedules/names.js';
import { isSweepId } from '../../lib/sweeps/names.js';
import type { ScheduleDriver } from './schedules.js';
import type { SweepDriver } from './sweeps.js';

export interface ControllerOptions {
  name: string;
  store: Store;
  queue: JobQueue;
  clock: Clock;
  /** By the clock that all processes share. @throws AppError store_unavailable, store_full */
  sharedNow(): Promise<Date>;
  log: Log;
  /** Looked after beside the jobs. */
  sweeps: SweepDriver;
  schedules: ScheduleDriver;
  timing?: Partial<ControllerTiming>;
}

export interface ControllerTiming {
  /** Between looks at silent owners and nudged jobs. At most the heartbeat's interval, or silence is not counted. */
  tickMs: number;
  /** Between passes over all open jobs. */
  sweepMs: number;
  /** The same while Redis is away: verbs on jobs without an owner are then only found by looking. */
  sweepAloneMs: number;
  /** Until a pass that failed, as while the store is away, is tried again. */
  againMs: number;
  /** After Redis was found empty, or was away: two heartbeats, so that the living have spoken. */
  settleMs: number;
}

const DEFAULT_TIMING: ControllerTiming = { tickMs: 1_000, sweepMs: 60_000, sweepAloneMs: 5_000, againMs: 5_000, settleMs: 4_000 };
/** Jobs looked at side by side in a pass over all. */
const CONCURRENCY = 64;
const DEAD_PER_TICK = 256;
/** Nudged jobs asked about side by side. */
const NUDGE_WIDTH = 16;

export interface Controller {
  start(): void;
  /** One pass over every open job; resolves when each was looked at. Counts outcomes. */
  sweep(): Promise<Record<string, number>>;
  /** A pass, and then again over jobs whose owners nobody has heard of, until it is known whether they live. */
  recover(patienceMs: number): Promise<Record<string, number>>;
  close(): Promise<void>;
}

export function makeController({ name, store, queue, clock, sharedNow, log, sweeps, schedules, timing }: ControllerOptions): Controller {
  const { tickMs, sweepMs, sweepAloneMs, againMs, settleMs } = { ...DEFAULT_TIMING, ...timing };
  const liveness = makeLiveness(queue, log);
  const deps: ReconcileDeps = { store, clock, log, tickets: queue.tickets, name, sharedNow, ...liveness };
  /** Jobs to look at in the next tick: nudged, or with an owner that nobody has heard of yet. */
  const attention = new Map<string, number>();
  /** Said to have changed, and not asked about yet. */
  const nudged = new Set<string>();
  let following = 0;
  const stop = new AbortController();
  let janitor: StallJanitor | null = null;
  let loops: Promise<unknown> = Promise.resolve();
  /** Redis was away, or is; null: it was not, or all was looked at since. */
  let absence: 'away' | 'back' | null = null;
  const unwatch = queue.onState(({ status }) => {
    if (status === 'away') absence = 'away';
    else if (status === 'connected' && absence === 'away') absence = 'back';
  });

  async function look(job: string, gen: number): Promise<ReconcileOutcome | null> {
    try {
      const outcome = await reconcileJob(deps, job, gen);
      if (outcome === 'owned' && !(await liveness.isHeard(job))) attention.set(job, gen);
      else attention.delete(job);
      if (outcome !== 'owned' && outcome !== 'paused') log.debug({ job, outcome }, 'reconciled');
      return outcome;
    } catch (error) {
      // One job that cannot be looked at must not be in the way of all others; the next pass tries it again.
      attention.delete(job);
      if (isAppError(error)) log.warn({ job, code: error.code }, `not reconciled: ${error.message}`);
      else log.error({ job, err: error }, 'not reconciled');
      return null;
    }
  }

  async function openMarkers(): Promise<{ job: string; gen: number }[]> {
    const markers: { job: string; gen: number }[] = [];
    for await (const key of store.keys(OPEN_PREFIX)) {
      const marker = parseMarkerKey(key);
      if (marker) markers.push(marker);
    }
    return markers;
  }

  /**
   * Jobs with a ticket are looked at too: which ticket is the job's current one stands in HEAD, and so does what is wanted since it was
   * issued (nudges get lost); and one that waits may be too late to start.
   */
  async function sweep(): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    const markers = await openMarkers();
    const known = await liveness.heard(markers.map((marker) => marker.job));
    const rest = markers.filter((marker) => !known.has(marker.job));
    counts['heard'] = markers.length - rest.length;
    let next = 0;
    await Promise.all(
      Array.from({ length: Math.min(CONCURRENCY, rest.length) }, async () => {
        for (let marker = rest[next++]; marker && !stop.signal.aborted; marker = rest[next++]) {
          await schedules.quiet();
          const outcome = (await look(marker.job, marker.gen)) ?? 'failed';
          counts[outcome] = (counts[outcome] ?? 0) + 1;
        }
      }),
    );
    return counts;
  }

  /** Fills an emptied Redis from the store: waits for the living to speak, then looks at every open job. */
  async function seed(): Promise<boolean> {
    if (await queue.seed.isSeeded()) return false;
    log.info('Redis is empty: refilling it from the store');
    const token = await queue.seed.begin();
    await clock.sleep(settleMs, stop.signal);
    const counts = await sweep();
    const filled = await queue.seed.markSeeded(token);
    log.info({ counts, filled }, 'Redis refilled');
    return filled;
  }

  /** A Redis that comes back may have forgotten what it had acknowledged, or be another one, and still not be empty. */
  async function afterAbsence(): Promise<void> {
    if (absence !== 'back') return;
    absence = null;
    try {
      await clock.sleep(settleMs, stop.signal);
      log.info({ counts: await sweep() }, 'Redis is back: every open job was looked at');
    } catch (error) {
      absence ??= 'back';
      throw error;
    }
  }

  async function tick(): Promise<void> {
    for (const beat of await queue.heartbeats.dead(DEAD_PER_TICK)) {
      const outcome = await look(beat.job, beat.gen);
      // Nobody needs to own it: this owner's silence is no news any more. One that was heard again meanwhile, or whose silence did not
      // count after all, because nobody had listened, goes on beating.
      if (outcome !== null && outcome !== 'ticketed' && outcome !== 'owned') await queue.heartbeats.end(beat.job, beat.attempt);
    }
    for (const [job, gen] of [...attention]) await look(job, gen);
  }

  async function forever(everyMs: () => number, what: () => Promise<unknown>): Promise<void> {
    while (!stop.signal.aborted) {
      let pauseMs = Infinity;
      try {
        await what();
      } catch (error) {
        if (stop.signal.aborted) return;
        pauseMs = againMs;
        if (!isAppError(error, 'queue_unavailable')) log.warn({ err: error }, 'the controller goes on');
      }
      await clock.sleep(Math.min(pauseMs, everyMs()), stop.signal).catch(() => undefined);
    }
  }

  const unlisten = queue.control.listen(name, {
    preempt: () => false,
    drain: () => undefined,
    // A verb may concern a job that nobody owns: then it is for the controller to carry out.
    nudge: (id) => {
      if (isScheduleId(id)) return schedules.changed(id);
      if (isSweepId(id)) return sweeps.changed(id);
      nudged.add(id);
      if (following < NUDGE_WIDTH) void followNudges();
    },
  });

  /** One of a few that go through nudged jobs. */
  async function followNudges(): Promise<void> {
    following += 1;
    for (const job of nudged) {
      nudged.delete(job);
      if (!stop.signal.aborted) await Promise.all([attend(job), schedules.jobChanged(job)]);
    }
    following -= 1;
  }

  /** By HEAD and one name: a list of all that begins with a job's id would go through all open jobs. Where HEAD is lost the next pass finds the job. */
  async function attend(job: string): Promise<void> {
    try {
      const { gen } = await glanceAtHead({ store }, job);
      if (await store.head(openKey(job, gen))) attention.set(job, gen);
    } catch (error) {
      log.debug({ job, err: error }, 'a nudge was not followed');
    }
  }

  return {
    start: () => {
      janitor = queue.makeJanitor();
      schedules.start();
      loops = Promise.all([
        forever(() => tickMs, tick),
        forever(() => tickMs, seed),
        forever(() => tickMs, afterAbsence),
        forever(() => tickMs, () => sweeps.tick(stop.signal)),
        forever(() => (queue.state().status === 'connected' ? sweepMs : sweepAloneMs), sweep),
      ]);
    },
    sweep,
    recover: async (patienceMs) => {
      const until = clock.monotonicMs() + patienceMs;
      let counts = await sweep();
      while (attention.size > 0 && clock.monotonicMs() < until) {
        await clock.sleep(tickMs, stop.signal);
        counts = await sweep();
      }
      return counts;
    },
    close: async () => {
      stop.abort(new Error('closing'));
      unlisten();
      unwatch();
      await Promise.all([loops, schedules.close()]);
      await janitor?.close();
    },
  };
}
