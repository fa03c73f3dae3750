import { describe, expect, it } from 'vitest';
import { createSchedule, pauseSchedule, removeSchedule, triggerSchedule, updateSchedule } from '../../../lib/schedules/control.js';
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
