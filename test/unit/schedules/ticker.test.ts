import { describe, expect, it } from 'vitest';
import type { ScheduleSpec } from '../../../lib/contract/schedule.js';
import { createSchedule, pauseSchedule, removeSchedule, triggerSchedule, updateSchedule } from '../../../lib/schedules/control.js';
import { fireTimes } from '../../../lib/schedules/next.js';
import { requireSchedule } from '../../../lib/schedules/record.js';
import { makeTicker, type Ticker, type TickerTiming } from '../../../lib/schedules/ticker.js';
import { asProcess, type Fault, makeFakeClock, makeMemoryStore, makeRuns, SCHEDULE, specOf } from './world.js';

const START = Date.UTC(2026, 4, 1, 12, 0, 10);
const MINUTE_MS = 60_000;
/** Of any call to the store, or to what starts jobs. */
const CALL_MS = 5;

function setUp() {
  const clock = makeFakeClock(START);
  const store = makeMemoryStore();
  const runs = makeRuns(clock);
  const deps = asProcess(store, runs.calls, clock, () => 'none');
  const warnings: string[] = [];
  const tickers: Ticker[] = [];
  function start(name: string, next: (call: string) => Fault = () => 'none', timing: Partial<TickerTiming> = {}): Ticker {
    const { store: faulty, start, stateOf, stop } = asProcess(store, runs.calls, clock, next, () => clock.sleep(CALL_MS));
    const ticker = makeTicker({ name, store: faulty, start, stateOf, stop, clock, log: { warn: (_fields, message) => void warnings.push(message) }, timing });
    tickers.push(ticker);
    ticker.start();
    return ticker;
  }
  async function close(): Promise<void> {
    const closed = Promise.all(tickers.map((ticker) => ticker.close()));
    await clock.runUntil(clock.now().getTime() + 10_000);
    await closed;
  }
  return { clock, store, runs, deps, warnings, start, close };
}

describe('a ticker', () => {
  it('looks at once at a schedule that is noted, and finds others by itself', async () => {
    const { clock, deps, runs, start, close } = setUp();
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
    const { clock, deps, runs, start, close } = setUp();
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
    const { clock, deps, runs, start, close } = setUp();
    await createSchedule(deps, SCHEDULE, { spec: specOf({ overlap_policy: 'buffer_one' }), paused: false });
    start('a');
    await clock.runUntil(START + 2 * MINUTE_MS);
    expect(runs.all.size).toBe(1);
    [...runs.all.values()][0]!.state = 'succeeded';
    await clock.runUntil(START + 2 * MINUTE_MS + 1_500);
    expect(runs.all.size).toBe(2);
    await close();
  });

  it('hears of failed runs by looking, and forgets paused and removed schedules', async () => {
    const { clock, deps, runs, store, start, close, warnings } = setUp();
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
    const { clock, deps, runs, start, close, warnings } = setUp();
    await createSchedule(deps, SCHEDULE, { spec: specOf({ overlap_policy: 'allow_all' }), paused: false });
    start('a', () => (clock.now().getTime() < START + 3 * MINUTE_MS ? 'lost before' : 'none'));
    await clock.runUntil(START + 4 * MINUTE_MS);
    expect(warnings.length).toBeGreaterThan(0);
    expect([...runs.all.values()].map(({ schedule }) => schedule.nominal_time.slice(11, 19))).toEqual(['12:03:00', '12:04:00']);
    await close();
  });

  it('follows a change of the rule, and a pause, when it is noted', async () => {
    const { clock, deps, runs, start, close } = setUp();
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

it('starts each fire of 10,000 schedules once and within a second, while its controllers are killed', { timeout: 120_000 }, async () => {
  const { clock, deps, runs, start, close } = setUp();
  const stateOf = runs.calls.stateOf;
  runs.calls.stateOf = async (run) => ((runs.all.get(run.id)?.startedMs ?? Infinity) < clock.now().getTime() - 5_000 ? 'succeeded' : stateOf(run));
  const specs = new Map<string, ScheduleSpec>();
  for (let index = 0; index < 10_000; index++) {
    const id = `sch_${String(index).padStart(26, '0')}`;
    const cron = index % 25 === 0 ? '* * * * *' : index % 500 === 1 ? '*/10 * * * * *' : `${(index * 7) % 60} ${index % 3 === 0 ? '*' : '12-14'} * * *`;
    specs.set(id, specOf({ cron, timezone: ['UTC', 'Europe/Berlin', 'Asia/Kathmandu'][index % 3]!, overlap_policy: index % 2 === 0 ? 'skip' : 'allow_all', jitter: index % 10 === 0 ? 8 : 0 }));
    await createSchedule(deps, id, { spec: specs.get(id)!, paused: false });
  }
  const deaths: string[] = [];
  /** Dies in the middle of its work on a burst, at a call that nobody foresees. */
  const dying = (minute: number, calls: number) => {
    let left = calls;
    return (): Fault => {
      if (clock.now().getTime() < Date.UTC(2026, 4, 1, 12, minute) || left-- > 0) return 'none';
      deaths.push(clock.now().toISOString());
      return deaths.length % 2 === 0 ? 'last' : 'last before';
    };
  };
  start('a', dying(1, 237));
  start('b', dying(2, 610));
  await clock.runUntil(START + 55_000);
  start('c', dying(3, 55));
  await clock.runUntil(START + 2 * MINUTE_MS - 20_000);
  start('d');
  const end = START + 3 * MINUTE_MS + 5_000;
  await clock.runUntil(end);
  await close();

  const started = new Map<string, { nominalMs: number; lateMs: number }[]>([...specs.keys()].map((id) => [id, []]));
  for (const { schedule, startedMs } of runs.all.values()) started.get(schedule.id)!.push({ nominalMs: Date.parse(schedule.nominal_time), lateMs: startedMs - Date.parse(schedule.nominal_time) - specs.get(schedule.id)!.jitter * 1_000 });
  let fires = 0;
  for (const [id, spec] of specs) {
    const expected: number[] = [];
    for (const ms of fireTimes(spec, START)) {
      if (ms > end - spec.jitter * 1_000) break;
      expected.push(ms);
    }
    fires += expected.length;
    expect({ id, times: started.get(id)!.map(({ nominalMs }) => nominalMs).filter((ms) => ms <= end - spec.jitter * 1_000) }).toEqual({ id, times: expected });
  }
  const late = [...started.values()].flat().map(({ lateMs }) => lateMs);
  expect(deaths).toEqual([expect.stringContaining('12:01:0'), expect.stringContaining('12:02:0'), expect.stringContaining('12:03:0')]);
  expect(fires).toBeGreaterThan(1_500);
  expect(Math.max(...late)).toBeLessThanOrEqual(1_000);
});
