// Looks at each schedule when it is time to, and at no other. Kept in memory: for each schedule the tag of its HEAD and when to look
// again. Changes by others are found by listing the tags now and then, or at once where somebody notes them. Any number of
// processes may do this: what a look does is decided by HEAD (fires.ts). Nothing fires by a clock that is wrong.
import { type Clock, JUMP_MS, leadMs } from '../clock.js';
import { isAppError } from '../errors.js';
import { inParallel } from '../jobs/recent.js';
import type { Store } from '../store/index.js';
import { keyOf, uniformAt } from '../training/random.js';
import { AGAIN_MS, nextLookMs } from './decide.js';
import { makeDueHeap } from './due-heap.js';
import { type TickDeps, tickSchedule } from './fires.js';
import { parseScheduleKey, SCHEDULES_PREFIX } from './names.js';
import { readSchedule, type ScheduleRecord } from './record.js';

export interface TickerOptions extends TickDeps {
  /** Of this process: another one looks at the same schedule a little earlier or later. */
  name: string;
  store: TickDeps['store'] & Pick<Store, 'list'>;
  clock: Clock;
  /** Whether the clock may be gone by. @throws AppError */
  isSound(): Promise<boolean>;
  log: { warn(fields: object, message: string): void };
  timing?: Partial<TickerTiming>;
}

export interface TickerTiming {
  /** Between lists of all schedules. */
  refreshMs: number;
  /** Over so long, by chance, the processes' looks at one schedule are spread: who comes first does the work. */
  spreadMs: number;
}

export interface Ticker {
  start(): void;
  /** Somebody changed the schedule, or something that it started is over: looked at now. */
  note(schedule: string): void;
  /** Finds out what others changed. @throws AppError store_unavailable */
  refresh(): Promise<void>;
  /** Resolves once nothing is being looked at. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

const DEFAULT_TIMING: TickerTiming = { refreshMs: 10_000, spreadMs: 250 };
/** Looks side by side. */
const WIDTH = 64;
/** What comes up for sooner while one sleeps waits for so long; and wall time may jump. */
const LONGEST_SLEEP_MS = 500;

export function makeTicker(options: TickerOptions): Ticker {
  const { name, store, clock, log, timing } = options;
  const { refreshMs, spreadMs } = { ...DEFAULT_TIMING, ...timing };
  const tags = new Map<string, string>();
  const due = makeDueHeap();
  const looks = new Map<string, Promise<void>>();
  /** Changed while they were being looked at. */
  const noted = new Set<string>();
  const stop = new AbortController();
  let loops: Promise<unknown> = Promise.resolve();

  const nowMs = (): number => clock.now().getTime();
  let knownLead = leadMs(clock);
  const spread = (schedule: string): number => Math.floor(spreadMs * uniformAt(keyOf(0, `ticker/${name}/${schedule}`), 0));

  function keep(schedule: string, { head, etag }: ScheduleRecord): void {
    tags.set(schedule, etag);
    due.set(schedule, nextLookMs(head, schedule, nowMs()) + spread(schedule));
  }
  function forget(schedule: string): void {
    tags.delete(schedule);
    due.delete(schedule);
  }

  async function look(schedule: string): Promise<void> {
    try {
      if (!(await options.isSound())) return due.set(schedule, nowMs() + AGAIN_MS);
      const tick = await tickSchedule(options, schedule, clock.now());
      if (!tick) return forget(schedule);
      for (const error of tick.failures) log.warn({ schedule, code: error.code }, `a fire is not carried out yet: ${error.message}`);
      keep(schedule, tick);
    } catch (error) {
      log.warn(isAppError(error) ? { schedule, code: error.code } : { schedule, err: error }, 'a schedule could not be looked at');
      due.set(schedule, nowMs() + AGAIN_MS);
    }
  }

  /** After a jump of the clock nothing is due when it was thought to be. */
  function afterJump(): void {
    const before = knownLead;
    knownLead = leadMs(clock);
    if (Math.abs(knownLead - before) <= JUMP_MS) return;
    for (const schedule of tags.keys()) due.set(schedule, nowMs());
  }

  function pump(): void {
    afterJump();
    while (!stop.signal.aborted && looks.size < WIDTH) {
      const schedule = due.takeDue(nowMs());
      if (schedule === null) return;
      looks.set(
        schedule,
        look(schedule).then(() => {
          looks.delete(schedule);
          if (noted.delete(schedule)) due.set(schedule, nowMs());
          pump();
        }),
      );
    }
  }

  async function refresh(): Promise<void> {
    const gone = new Set(tags.keys());
    const changed: string[] = [];
    for await (const { key, etag } of store.list(SCHEDULES_PREFIX)) {
      const schedule = parseScheduleKey(key);
      if (schedule === null) continue;
      gone.delete(schedule);
      if (tags.get(schedule) !== etag) changed.push(schedule);
    }
    for (const schedule of gone) forget(schedule);
    await inParallel(changed, WIDTH, async (schedule) => {
      const record = await readSchedule({ store }, schedule);
      if (!record) forget(schedule);
      // a look under way knows better
      else if (!looks.has(schedule)) keep(schedule, record);
    });
    pump();
  }

  async function forever(pauseMs: () => number, what: () => Promise<void> | void): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        await what();
      } catch (error) {
        log.warn({ err: error }, 'the schedules could not be listed');
      }
      await clock.sleep(pauseMs(), stop.signal).catch(() => undefined);
    }
  }

  function untilDueMs(): number {
    const ms = due.firstMs() - nowMs();
    return ms > 0 ? Math.min(LONGEST_SLEEP_MS, ms) : LONGEST_SLEEP_MS;
  }

  async function idle(): Promise<void> {
    while (looks.size > 0) await Promise.all(looks.values());
  }

  return {
    start: () => {
      loops = Promise.all([forever(untilDueMs, pump), forever(() => refreshMs, refresh)]);
    },
    note: (schedule) => {
      if (looks.has(schedule)) noted.add(schedule);
      else due.set(schedule, nowMs());
      pump();
    },
    refresh,
    idle,
    close: async () => {
      stop.abort(new Error('closing'));
      await loops;
      await idle();
    },
  };
}
