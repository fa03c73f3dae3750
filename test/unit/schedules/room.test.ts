// Fires where there is no room for another job: they wait, for as long as the catch-up window, and then are skipped with that reason.
import { describe, expect, it } from 'vitest';
import type { ScheduleSpec } from '../../../lib/contract/schedule.js';
import { backfillSchedule, createSchedule, pauseSchedule, triggerSchedule, updateSchedule } from '../../../lib/schedules/control.js';
import { nextLooks } from '../../../lib/schedules/decide.js';
import { tickSchedule } from '../../../lib/schedules/fires.js';
import { faultsOfLedger, readLedger } from '../../support/schedules/ledger.js';
import { makeMemoryStore } from '../../support/memory-store.js';
import { asProcess, makeFakeClock, makeRuns, SCHEDULE, specOf } from '../../support/schedules/world.js';

const START = Date.UTC(2026, 4, 1, 12);
const MINUTE_MS = 60_000;

async function setUp(spec: Partial<ScheduleSpec>) {
  const store = makeMemoryStore();
  const clock = makeFakeClock(START);
  const runs = makeRuns(clock);
  const deps = asProcess(store, runs.calls, clock, () => 'none');
  await createSchedule(deps, SCHEDULE, { spec: specOf(spec), paused: false });
  const look = async () => (await tickSchedule(deps, SCHEDULE, clock.now()))!.head;
  const at = async (minutes: number) => {
    clock.set(START + minutes * MINUTE_MS);
    return look();
  };
  const fires = async () => (await readLedger(store, SCHEDULE)).fires.map(({ nominal_time, cause, outcome, reason }) => `${nominal_time.slice(11, 16)} ${cause === 'schedule' ? '' : `${cause} `}${outcome}${reason === null ? '' : ` ${reason}`}`);
  const waiting = async () => (await readLedger(store, SCHEDULE)).head.buffered.map(({ nominal_time, until = null }) => [nominal_time.slice(11, 16), until === null ? null : until.slice(11, 19)]);
  const end = (): void => runs.all.forEach((run) => (run.state = 'succeeded'));
  return { store, clock, runs, deps, look, at, fires, waiting, end, wrong: () => faultsOfLedger(store, runs, SCHEDULE, clock.now().getTime()) };
}

describe('a fire without room', () => {
  it('waits, is looked at without being written again, and starts for its time once there is room', async () => {
    const { runs, at, fires, waiting, clock, wrong } = await setUp({ cron: '0 * * * *' });
    runs.room = 0;
    const { version } = await at(60);
    expect([await fires(), await waiting(), runs.all.size]).toEqual([[], [['13:00', '13:10:00']], 0]);
    const head = await at(69);
    expect(head.version).toBe(version);
    expect(nextLooks(head, SCHEDULE, clock.now().getTime()).dueMs).toBe(clock.now().getTime() + 5_000);
    expect(await wrong()).toEqual([]);
    runs.room = Infinity;
    await at(69.5);
    expect([await fires(), await waiting()]).toEqual([['13:00 started'], []]);
    expect([...runs.all.values()]).toMatchObject([{ schedule: { nominal_time: '2026-05-01T13:00:00.000Z' } }]);
    expect(await wrong()).toEqual([]);
  });

  it('is skipped with the reason once its catch-up window is over, and the next one has a window of its own', async () => {
    const { runs, at, fires, waiting, wrong } = await setUp({ cron: '0 * * * *', catchup_window: 120 });
    runs.room = 0;
    await at(60);
    await at(62);
    expect(await waiting()).toEqual([['13:00', '13:02:00']]);
    expect(await at(62.1)).toMatchObject({ counts: { started: 0, skipped: 1, missed: 0, failed: 0 }, recent: [{ outcome: 'skipped', reason: 'queue_full', run: null }], buffered: [] });
    await at(120);
    runs.room = Infinity;
    await at(121);
    expect([await fires(), await waiting(), await wrong()]).toEqual([['13:00 skipped queue_full', '14:00 started'], [], []]);
  });

  it.each([
    ['skip', ['12:01 started', '12:02 skipped running', '12:03 skipped running']],
    ['buffer_one', ['12:01 started', '12:02 skipped buffer_full', '12:03 skipped buffer_full']],
    ['buffer_all', ['12:01 started']],
    ['cancel_other', ['12:01 skipped superseded', '12:02 skipped superseded', '12:03 started']],
    ['terminate_other', ['12:01 skipped superseded', '12:02 skipped superseded', '12:03 started']],
    ['allow_all', ['12:01 started', '12:02 started', '12:03 started']],
  ] as const)('counts as one that is not over: %s', async (policy, expected) => {
    const { runs, at, fires, waiting, wrong } = await setUp({ overlap_policy: policy });
    runs.room = 0;
    for (const minute of [1, 2, 3]) await at(minute);
    runs.room = Infinity;
    await at(3.5);
    expect([await fires(), await wrong()]).toEqual([expected, []]);
    expect(await waiting()).toEqual(policy === 'buffer_all' ? [['12:02', null], ['12:03', null]] : []);
  });

  it('has its window from its turn on: behind one that runs, of the past, or asked for', async () => {
    const { runs, deps, at, fires, waiting, end, wrong } = await setUp({ cron: '0 0 1 1 *', overlap_policy: 'buffer_all', catchup_window: 60 });
    await triggerSchedule(deps, SCHEDULE, null);
    await at(1);
    runs.room = 0;
    const { fires: asked } = await backfillSchedule(deps, SCHEDULE, { from: new Date('2024-01-01T00:00:00Z'), to: new Date('2026-01-01T00:00:00Z'), policy: 'buffer_all' });
    expect(asked).toHaveLength(3);
    await at(30);
    expect((await waiting()).map(([, until]) => until)).toEqual([null, null, null]);
    end();
    await at(31);
    expect((await waiting()).map(([, until]) => until)).toEqual(['12:32:00', null, null]);
    await at(33);
    await at(34);
    expect((await waiting()).map(([, until]) => until)).toEqual(['12:35:00', null]);
    runs.room = Infinity;
    await at(35);
    end();
    await at(36);
    expect(await fires()).toEqual(['00:00 backfill skipped queue_full', '00:00 backfill started', '00:00 backfill started', '12:00 trigger started']);
    expect(await wrong()).toEqual([]);
  });

  it('is one of at most a thousand', async () => {
    const { runs, at, look, store, wrong } = await setUp({ overlap_policy: 'allow_all', cron: '* * * * * *', catchup_window: 86_400 });
    runs.room = 0;
    for (let second = 10; second <= 1_010; second += 10) await at(second / 60);
    const { head, fires } = await readLedger(store, SCHEDULE);
    expect([head.buffered.length, fires.map(({ reason }) => reason)]).toEqual([1_000, Array(10).fill('buffer_full')]);
    runs.room = 30;
    expect(await look()).toMatchObject({ counts: { started: 30, skipped: 10 } });
    runs.room = Infinity;
    expect(await look()).toMatchObject({ counts: { started: 100, skipped: 10 } });
    expect(await wrong()).toEqual([]);
  });

  it('does not start any more once the schedule is paused', async () => {
    const { runs, deps, at, fires } = await setUp({ cron: '0 * * * *' });
    runs.room = 0;
    await at(60);
    await pauseSchedule(deps, SCHEDULE, null);
    runs.room = Infinity;
    await at(61);
    expect(await fires()).toEqual(['13:00 skipped paused']);
  });
});

it('a sweep needs no room: its trials wait for it', async () => {
  const { runs, deps, at, fires } = await setUp({ cron: '0 * * * *', job: null, sweep: { method: 'random' } });
  runs.room = 0;
  await at(60);
  expect(await fires()).toEqual(['13:00 started']);
  await updateSchedule(deps, SCHEDULE, specOf({ cron: '0 * * * *' }));
  runs.all.forEach((run) => (run.state = 'succeeded'));
  await at(120);
  expect(await fires()).toEqual(['13:00 started']);
});

it('nobody counts jobs while nothing is to start', async () => {
  const { runs, deps, at, clock } = await setUp({ cron: '0 * * * *' });
  let asked = 0;
  const counted: typeof deps = { ...deps, takePlaces: (wanted) => (asked += wanted, deps.takePlaces(wanted)) };
  for (const minute of [0, 10, 20]) {
    clock.set(START + minute * MINUTE_MS);
    await tickSchedule(counted, SCHEDULE, clock.now());
  }
  expect(asked).toBe(0);
  clock.set(START + 60 * MINUTE_MS);
  await tickSchedule(counted, SCHEDULE, clock.now());
  expect([asked, runs.all.size]).toEqual([1, 1]);
  await at(61);
  await tickSchedule(counted, SCHEDULE, clock.now());
  expect(asked).toBe(1);
});
