import { expect, it } from 'vitest';
import type { ScheduleSpec } from '../../../lib/contract/schedule.js';
import { createSchedule } from '../../../lib/schedules/control.js';
import { fireTimes } from '../../../lib/schedules/next.js';
import { setUpTickers, START } from '../../support/schedules/tickers.js';
import type { Fault } from '../../support/fate.js';
import { specOf } from '../../support/schedules/world.js';

const MINUTE_MS = 60_000;

it('starts each fire of 10,000 schedules once and within a second, while its controllers are killed', { timeout: 120_000 }, async () => {
  const { clock, deps, runs, start, close } = setUpTickers();
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
  /** Dies in the middle of its work on a burst, at a call that nobody foresees, together with those that it makes in the same moment. */
  const dying = (minute: number, calls: number, how: Fault) => {
    let left = calls;
    return (): Fault => {
      if (clock.now().getTime() < Date.UTC(2026, 4, 1, 12, minute) || left-- > 0) return 'none';
      if (left === -1) deaths.push(clock.now().toISOString());
      return how;
    };
  };
  start('a', dying(1, 237, 'last before'));
  start('b', dying(2, 610, 'last'));
  await clock.runUntil(START + 55_000);
  start('c', dying(3, 55, 'last before'));
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
