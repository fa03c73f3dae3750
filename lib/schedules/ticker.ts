// Looks at each schedule when it is time to, and at no other. Kept in memory: for each schedule the tag of its HEAD and when to look
// again. Changes by others are found by listing the tags now and then, or at once where somebody notes them. Any number of
// processes may do this: what a look does is decided by HEAD (fires.ts). Nothing fires by a clock that is wrong.
//
// Many may be due in the same second, so what makes a fire late goes before all that does not (turns.ts), and what can be done before
// its time is (ahead.ts).
import { type Clock, JUMP_MS, leadMs } from '../clock.js';
import type { ScheduleHead } from '../contract/schedule.js';
import { isAppError } from '../errors.js';
import { inParallel } from '../jobs/recent.js';
import type { Store } from '../store/index.js';
import { keyOf, uniformAt } from '../training/random.js';
import { type AheadDeps, makeAhead } from './ahead.js';
import { AGAIN_MS, nextLooks } from './decide.js';
import { type DueHeap, makeDueHeap } from './due-heap.js';
import { type TickDeps, tickSchedule } from './fires.js';
import { parseScheduleKey, SCHEDULES_PREFIX } from './names.js';
import { readSchedule, type ScheduleRecord } from './record.js';
import { makeTurns, type Turns, type Why } from './turns.js';

export interface TickerOptions extends TickDeps, Pick<AheadDeps, 'prepare'> {
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

export interface Ticker extends Pick<Turns, 'quiet'> {
  start(): void;
  /** Somebody changed the schedule, or something that it started is over: looked at now. */
  note(schedule: string): void;
  /** Finds out what others changed. @throws AppError store_unavailable */
  refresh(): Promise<void>;
  /** Resolves once nothing is being looked at. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

const DEFAULT_TIMING: TickerTiming = { refreshMs: 10_000, spreadMs: 100 };
/** What comes up for sooner while one sleeps waits for so long; and wall time may jump. */
const LONGEST_SLEEP_MS = 500;
/** A schedule that fires so often is not made to wait: it would be late for its next fire. */
const OFTEN_MS = 10_000;
/** What others have decided and not carried out is left to them for so long. */
const LEFT_MS = 500;
/** Reads side by side, of what others changed. */
const READ_WIDTH = 64;
/** Schedules listed between asking whether a fire is due. */
const LISTED_AT_ONCE = 32;

export function makeTicker(options: TickerOptions): Ticker {
  const { name, store, clock, log, timing } = options;
  const { refreshMs, spreadMs } = { ...DEFAULT_TIMING, ...timing };
  const tags = new Map<string, string>();
  const due = makeDueHeap();
  /** Of runs that nobody waits for. */
  const watched = makeDueHeap();
  const looks = new Map<string, Promise<void>>();
  /** Changed while they were being looked at. */
  const noted = new Set<string>();
  const stop = new AbortController();
  let loops: Promise<unknown> = Promise.resolve();

  const nowMs = (): number => clock.now().getTime();
  let knownLead = leadMs(clock);
  const turns = makeTurns(clock, () => due.firstMs() <= nowMs());
  const ahead = makeAhead({
    read: (schedule) => readSchedule({ store }, schedule),
    prepare: options.prepare,
    isExpected: (schedule, record) => {
      if (looks.has(schedule) || !tags.has(schedule)) return false;
      if (tags.get(schedule) === record.etag) return true;
      due.set(schedule, nowMs());
      return false;
    },
    failed: (schedule, error) => warn(schedule, error, 'a schedule could not be read ahead'),
  });

  const warn = (schedule: string, error: unknown, message: string): void => log.warn(isAppError(error) ? { schedule, code: error.code } : { schedule, err: error }, message);

  function keep(schedule: string, record: ScheduleRecord): void {
    tags.set(schedule, record.etag);
    const share = uniformAt(keyOf(0, `ticker/${name}/${schedule}`), 0);
    const { dueMs, watchMs } = nextLooks(record.head, schedule, nowMs(), share);
    due.set(schedule, dueMs + Math.floor(spreadMs * share));
    watched.set(schedule, watchMs);
    ahead.expect(schedule, record, dueMs, nowMs());
  }
  /** HEAD as it was not long ago; null if it is not known. */
  function takeOut(schedule: string): ScheduleRecord | null {
    due.delete(schedule);
    watched.delete(schedule);
    return ahead.take(schedule);
  }
  function forget(schedule: string): void {
    tags.delete(schedule);
    takeOut(schedule);
  }

  async function look(schedule: string, why: Why): Promise<void> {
    const known = takeOut(schedule);
    const turn = turns.begin(why);
    const whenStarted = async (before: ScheduleHead, after: ScheduleHead): Promise<void> => {
      if (Date.parse(after.last_nominal) - Date.parse(before.last_nominal) < OFTEN_MS) return;
      const letOn = turn.started();
      pump();
      await letOn;
    };
    try {
      if (!(await options.isSound())) return due.set(schedule, nowMs() + AGAIN_MS);
      const tick = await tickSchedule(options, schedule, clock.now(), { known, seen: tags.get(schedule), whenStarted });
      if (!tick) return forget(schedule);
      for (const error of tick.failures) log.warn({ schedule, code: error.code }, `a fire is not carried out yet: ${error.message}`);
      keep(schedule, tick);
      if (tick.isLeft) due.set(schedule, nowMs() + LEFT_MS);
    } catch (error) {
      warn(schedule, error, 'a schedule could not be looked at');
      due.set(schedule, nowMs() + AGAIN_MS);
    } finally {
      turn.end();
    }
  }

  /** After a jump of the clock nothing is due when it was thought to be. */
  function afterJump(): void {
    const before = knownLead;
    knownLead = leadMs(clock);
    if (Math.abs(knownLead - before) <= JUMP_MS) return;
    for (const schedule of tags.keys()) due.set(schedule, nowMs());
  }

  function begin(schedule: string, why: Why): void {
    if (looks.has(schedule)) return void noted.add(schedule);
    looks.set(
      schedule,
      look(schedule, why).then(() => {
        looks.delete(schedule);
        if (noted.delete(schedule)) due.set(schedule, nowMs());
        pump();
      }),
    );
  }

  function beginAll(heap: DueHeap, why: Why): void {
    while (!stop.signal.aborted && turns.mayBegin(why)) {
      const schedule = heap.takeDue(nowMs());
      if (schedule === null) return;
      begin(schedule, why);
    }
  }

  function pump(): void {
    afterJump();
    beginAll(due, 'due');
    turns.letOn();
    beginAll(watched, 'run');
    if (!stop.signal.aborted && !turns.isBusy()) ahead.readOn(nowMs(), pump);
  }

  async function refresh(): Promise<void> {
    const gone = new Set(tags.keys());
    const changed: { schedule: string; tag: string | undefined }[] = [];
    let listed = 0;
    for await (const { key, etag } of store.list(SCHEDULES_PREFIX)) {
      if (++listed % LISTED_AT_ONCE === 0) await turns.quiet();
      const schedule = parseScheduleKey(key);
      if (schedule === null) continue;
      gone.delete(schedule);
      if (tags.get(schedule) !== etag) changed.push({ schedule, tag: tags.get(schedule) });
    }
    for (const schedule of gone) forget(schedule);
    await inParallel(changed, READ_WIDTH, async ({ schedule, tag }) => {
      await turns.quiet();
      // a look knows better
      const isLookedAt = (): boolean => looks.has(schedule) || tags.get(schedule) !== tag;
      if (isLookedAt()) return;
      try {
        const record = await readSchedule({ store }, schedule);
        if (!record) forget(schedule);
        else if (!isLookedAt()) keep(schedule, record);
      } catch (error) {
        // One that is damaged keeps no other from being found.
        if (!isAppError(error, 'checkpoint_corrupt')) throw error;
        warn(schedule, error, 'a schedule could not be read');
      }
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
    const ms = Math.min(due.firstMs(), watched.firstMs(), ahead.firstMs()) - nowMs();
    return ms > 0 ? Math.min(LONGEST_SLEEP_MS, ms) : LONGEST_SLEEP_MS;
  }

  async function idle(): Promise<void> {
    while (looks.size > 0) await Promise.all(looks.values());
    await ahead.idle();
  }

  return {
    start: () => {
      loops = Promise.all([forever(untilDueMs, pump), forever(() => refreshMs, refresh)]);
    },
    note: (schedule) => {
      ahead.take(schedule);
      if (looks.has(schedule)) noted.add(schedule);
      else due.set(schedule, nowMs());
      pump();
    },
    refresh,
    quiet: turns.quiet,
    idle,
    close: async () => {
      stop.abort(new Error('closing'));
      turns.close();
      await loops;
      await idle();
    },
  };
}
