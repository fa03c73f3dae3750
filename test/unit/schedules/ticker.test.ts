import { describe, expect, it } from 'vitest';
import { createSchedule, pauseSchedule, removeSchedule, triggerSchedule, updateSchedule } from '../../../lib/schedules/control.js';
import { tickSchedule } from '../../../lib/schedules/fires.js';
import { requireSchedule } from '../../../lib/schedules/record.js';
import { CALL_MS, setUpTickers, START } from '../../support/schedules/tickers.js';
import { SCHEDULE, specOf } from '../../support/schedules/world.js';

const MINUTE_MS = 60_000;

describe('a ticker', () => {
  it('looks at once at a schedule that is noted, and finds others by itself', async () => {
    const { clock, deps, runs, start, close } = setUpTickers();
    const ticker = start('a');
    await clock.runUntil(START + 1_000);
    await createSchedule(deps, SCHEDULE, { spec: specOf({ cron: '*/3 * * * * *', overlap_policy: 'allow_all' }), paused: false });
    ticker.note(SCHEDULE);
    await clock.runUntil(START + 3_500);
    expect([...runs.all.values()].map(({ schedule }) => schedule.nominal_time)).toEqual(['2026-05-01T12:00:12.000Z']);
    const other = 'sch_00000000000000000000000002';
    await createSchedule(deps, other, { spec: specOf({ cron: '*/30 * * * * *' }), paused: false });
    await clock.runUntil(START + 21_000);
    expect([...runs.all.values()].filter(({ schedule }) => schedule.id === other)).toHaveLength(1);
    await close();
  });

  it('looks again at what was noted while it looked', async () => {
    const { clock, deps, runs, start, close } = setUpTickers();
    await createSchedule(deps, SCHEDULE, { spec: specOf({ cron: '0 0 1 1 *' }), paused: false });
    const ticker = start('a');
    await clock.runUntil(START + 1_000);
    ticker.note(SCHEDULE);
    await clock.runUntil(START + 1_000 + CALL_MS);
    await triggerSchedule(deps, SCHEDULE, null);
    ticker.note(SCHEDULE);
    await clock.runUntil(START + 1_500);
    expect(runs.all.size).toBe(1);
    await close();
  });

  it('starts a fire that waits soon after what it waits for has ended, or been noted to have', async () => {
    const { clock, deps, runs, start, close } = setUpTickers();
    await createSchedule(deps, SCHEDULE, { spec: specOf({ overlap_policy: 'buffer_one' }), paused: false });
    start('a');
    await clock.runUntil(START + 2 * MINUTE_MS);
    expect(runs.all.size).toBe(1);
    [...runs.all.values()][0]!.state = 'succeeded';
    await clock.runUntil(START + 2 * MINUTE_MS + 1_500);
    expect(runs.all.size).toBe(2);
    await close();
  });

  it('fires nothing by a clock that jumped and is wrong, and goes on when it is right again', async () => {
    const { clock, watch, deps, runs, start, close } = setUpTickers();
    await createSchedule(deps, SCHEDULE, { spec: specOf({ overlap_policy: 'allow_all' }), paused: false });
    start('a');
    await clock.runUntil(START + MINUTE_MS);
    expect(runs.all.size).toBe(1);
    let asked = 0;
    watch.isSound = () => Promise.resolve(asked++ < 0);
    clock.jump(60 * MINUTE_MS);
    await clock.runUntil(START + 1.5 * MINUTE_MS);
    expect(asked).toBeGreaterThan(3);
    expect(runs.all.size).toBe(1);
    clock.jump(-60 * MINUTE_MS);
    watch.isSound = () => Promise.resolve(true);
    await clock.runUntil(START + 4 * MINUTE_MS);
    expect([...runs.all.values()].map(({ schedule }) => schedule.nominal_time)).toEqual([1, 2, 3, 4].map((minute) => new Date(START - 10_000 + minute * MINUTE_MS).toISOString()));
    await close();
  });

  it('looks again at all when its clock is set, where it was behind', async () => {
    const { clock, deps, runs, start, close } = setUpTickers();
    clock.jump(-30 * MINUTE_MS);
    await createSchedule(deps, SCHEDULE, { spec: specOf({ cron: '0 12 * * *', overlap_policy: 'allow_all', catchup_window: 3_600 }), paused: false });
    start('a');
    await clock.runUntil(START + MINUTE_MS);
    expect(runs.all.size).toBe(0);
    clock.jump(30 * MINUTE_MS);
    await clock.runUntil(START + MINUTE_MS + 1_000);
    expect([...runs.all.values()].map(({ schedule }) => schedule.nominal_time)).toEqual(['2026-05-01T12:00:00.000Z']);
    await close();
  });

  it('hears of failed runs by looking, and forgets paused and removed schedules', async () => {
    const { clock, deps, runs, store, start, close, warnings } = setUpTickers();
    await createSchedule(deps, SCHEDULE, { spec: specOf({ cron: '0 * * * *', pause_on_failure: true }), paused: false });
    start('a');
    await clock.runUntil(START + 60 * MINUTE_MS);
    [...runs.all.values()][0]!.state = 'failed';
    await clock.runUntil(START + 61 * MINUTE_MS);
    expect(await requireSchedule(deps, SCHEDULE)).toMatchObject({ status: 'paused' });
    await removeSchedule({ ...deps, store: { ...store, ...deps.store } }, SCHEDULE);
    await clock.runUntil(START + 200 * MINUTE_MS);
    expect(runs.all.size).toBe(1);
    expect(warnings).toEqual([]);
    await close();
  });

  it('goes on when the store comes back', async () => {
    const { clock, deps, runs, start, close, warnings } = setUpTickers();
    await createSchedule(deps, SCHEDULE, { spec: specOf({ overlap_policy: 'allow_all' }), paused: false });
    start('a', () => (clock.now().getTime() < START + 3 * MINUTE_MS ? 'lost before' : 'none'));
    await clock.runUntil(START + 4 * MINUTE_MS);
    expect(warnings.length).toBeGreaterThan(0);
    expect([...runs.all.values()].map(({ schedule }) => schedule.nominal_time.slice(11, 19))).toEqual(['12:03:00', '12:04:00']);
    await close();
  });

  it('follows a change of the rule, and a pause, when it is noted', async () => {
    const { clock, deps, runs, start, close } = setUpTickers();
    await createSchedule(deps, SCHEDULE, { spec: specOf(), paused: false });
    const ticker = start('a');
    await updateSchedule(deps, SCHEDULE, specOf({ cron: '20 * * * * *' }));
    ticker.note(SCHEDULE);
    await clock.runUntil(START + 15_000);
    expect([...runs.all.values()].map(({ schedule }) => schedule.nominal_time.slice(11, 19))).toEqual(['12:00:20']);
    await pauseSchedule(deps, SCHEDULE, null);
    await clock.runUntil(START + 5 * MINUTE_MS);
    expect(runs.all.size).toBe(1);
    await close();
  });
});

describe('a ticker before whom many are due in the same second', () => {
  const DUE = START - 10_000 + MINUTE_MS;
  const idOf = (index: number): string => `sch_${String(index).padStart(26, '0')}`;

  /** So many schedules, due at noon and a minute; of whoever looks at them, calls are written down from that minute on. */
  async function setUpBurst(count: number) {
    const world = setUpTickers();
    const calls: string[] = [];
    for (let index = 0; index < count; index++) await createSchedule(world.deps, idOf(index), { spec: specOf({ cron: '1 12 * * *', name: `${index}` }), paused: false });
    const note = (call: string): 'none' => {
      if (world.clock.now().getTime() >= DUE) calls.push(call);
      return 'none';
    };
    return { ...world, calls, note };
  }

  it('has read them ahead: a fire begins with its swap, and reads nothing', async () => {
    const { clock, calls, note, runs, start, close } = await setUpBurst(1);
    start('a', note, { refreshMs: 20_000 });
    await clock.runUntil(DUE + 5_000);
    expect(runs.all.size).toBe(1);
    expect(calls).toEqual(['compareAndSwap', 'start', 'putIfAbsent', 'putIfAbsent', 'compareAndSwap']);
    await close();
  });

  it('fires what a schedule has become since it was read ahead', async () => {
    const { clock, deps, calls, note, runs, start, close } = await setUpBurst(1);
    start('a', note, { refreshMs: 1_000_000 });
    await clock.runUntil(DUE - 1_000);
    await updateSchedule(deps, idOf(0), specOf({ cron: '1 12 * * *', job: { model: 'large' } }));
    await clock.runUntil(DUE + 5_000);
    expect([...runs.all.values()]).toMatchObject([{ body: { model: 'large' } }]);
    expect(calls).toEqual(['compareAndSwap', 'get', 'compareAndSwap', 'start', 'putIfAbsent', 'putIfAbsent', 'compareAndSwap']);
    await close();
  });

  it('does not fire one that was paused, or is gone, since it was read ahead', async () => {
    const { clock, deps, store, runs, start, close } = await setUpBurst(2);
    start('a', () => 'none', { refreshMs: 1_000_000 });
    await clock.runUntil(DUE - 1_000);
    await pauseSchedule(deps, idOf(0), null);
    await removeSchedule({ ...deps, store: { ...store, ...deps.store } }, idOf(1));
    await clock.runUntil(DUE + 5_000);
    expect(runs.all.size).toBe(0);
    await close();
  });

  it('starts all of them before it records any', async () => {
    const count = 300;
    const { clock, calls, note, runs, start, close } = await setUpBurst(count);
    start('a', note, { refreshMs: 20_000, spreadMs: 0 });
    await clock.runUntil(DUE + 5_000);
    expect(runs.all.size).toBe(count);
    // but the last few
    expect(calls.slice(0, calls.indexOf('putIfAbsent')).filter((call) => call === 'start').length).toBeGreaterThan(count - 10);
    expect(calls.filter((call) => call !== 'get')).toHaveLength(5 * count);
    await close();
  });

  it('does not keep what was started from being recorded for long, where more and more is due', async () => {
    const count = 600;
    const { clock, calls, note, start, close } = await setUpBurst(count);
    start('a', (call) => (call === 'start' && clock.now().getTime() >= DUE ? (clock.set(clock.now().getTime() + 10), note(call)) : note(call)), { refreshMs: 20_000, spreadMs: 0 });
    await clock.runUntil(DUE + 12_000);
    expect(calls.indexOf('putIfAbsent')).toBeLessThan(calls.lastIndexOf('start'));
    expect(calls.filter((call) => call !== 'get')).toHaveLength(5 * count);
    await close();
  });

  it('lets others wait as long as fires are due, and not for ever', async () => {
    const count = 300;
    const { clock, note, runs, start, close } = await setUpBurst(count);
    const ticker = start('a', note, { refreshMs: 20_000, spreadMs: 0 });
    await clock.runUntil(DUE - 1);
    await ticker.quiet();
    await clock.runUntil(DUE);
    let startedBefore = 0;
    const waiting = ticker.quiet().then(() => (startedBefore = runs.all.size));
    await clock.runUntil(DUE + 5_000);
    await waiting;
    expect(startedBefore).toBeGreaterThan(count - 10);
    await close();
  });

  it('looks after runs at different times, and finds all that ended within half a minute', async () => {
    const count = 100;
    const { clock, deps, runs, start, close } = await setUpBurst(count);
    const looks: number[] = [];
    start('a', (call) => {
      if (call === 'stateOf') looks.push(clock.now().getTime());
      return 'none';
    }, { refreshMs: 1_000_000 });
    await clock.runUntil(DUE + 2_000);
    for (const run of runs.all.values()) run.state = 'succeeded';
    await clock.runUntil(DUE + 32_000);
    expect(looks).toHaveLength(count);
    expect(new Set(looks.map((ms) => Math.floor(ms / 1_000))).size).toBeGreaterThan(10);
    for (let index = 0; index < count; index++) expect((await requireSchedule(deps, idOf(index))).runs).toEqual([]);
    await close();
  });
});

describe('of two tickers', () => {
  it('one leaves to the other for a while what that has just decided, and carries it out if nobody does', async () => {
    const { clock, deps, runs, start, close } = setUpTickers();
    await createSchedule(deps, SCHEDULE, { spec: specOf({ cron: '* * * * *' }), paused: false });
    const dueMs = START - 10_000 + MINUTE_MS;
    const calls: string[] = [];
    start('b', (call) => {
      if (clock.now().getTime() >= dueMs) calls.push(call);
      return 'none';
    }, { refreshMs: 1_000_000 });
    await clock.runUntil(dueMs - 1);
    clock.set(dueMs);
    // another decides, and goes no further
    const gone = tickSchedule({ ...deps, start: () => Promise.reject(new Error('gone')) }, SCHEDULE, clock.now());
    await expect(gone).rejects.toThrow('gone');
    await clock.runUntil(dueMs + 400);
    expect(calls).toEqual(['compareAndSwap', 'get']);
    await clock.runUntil(dueMs + 1_000);
    expect(runs.all.size).toBe(1);
    expect(calls).toEqual(['compareAndSwap', 'get', 'get', 'start', 'putIfAbsent', 'putIfAbsent', 'compareAndSwap']);
    await close();
  });
});
