import Type from 'typebox';
import { describe, expect, it } from 'vitest';
import { idOf } from '../../../lib/contract/common.js';
import { Fire, Schedule, ScheduleHead, type ScheduleSpec } from '../../../lib/contract/schedule.js';
import { AppError } from '../../../lib/errors.js';
import { makeValidator } from '../../../lib/jobs/spec/schema-problems.js';
import { backfillSchedule, createSchedule, pauseSchedule, removeSchedule, resumeSchedule, triggerSchedule, updateSchedule } from '../../../lib/schedules/control.js';
import { tickSchedule } from '../../../lib/schedules/fires.js';
import { readFires, type RecordDeps, requireSchedule } from '../../../lib/schedules/record.js';
import { scheduleView } from '../../../lib/schedules/view.js';
import { faultsOfLedger } from '../../support/schedules/ledger.js';
import type { Fault } from '../../support/fate.js';
import { makeMemoryStore } from '../../support/memory-store.js';
import { asProcess, makeFakeClock, makeRuns, SCHEDULE, specOf } from '../../support/schedules/world.js';

const MINUTE_MS = 60_000;
const noon = Date.UTC(2026, 4, 1, 12);

async function setUp(spec: Partial<ScheduleSpec> = {}, faults: readonly Fault[] = []) {
  const clock = makeFakeClock(noon);
  const store = makeMemoryStore();
  const runs = makeRuns(clock);
  const deps = asProcess(store, runs.calls, clock, () => 'none');
  const queue = [...faults];
  const faulty = asProcess(store, runs.calls, clock, (call) => (call === 'get' ? 'none' : (queue.shift() ?? 'none')));
  await createSchedule(deps, SCHEDULE, { spec: specOf(spec), paused: false });
  const at = (minutes: number): void => clock.set(noon + minutes * MINUTE_MS);
  const tick = async () => (await tickSchedule(deps, SCHEDULE, clock.now()))!.head;
  const end = (): void => runs.all.forEach((run) => (run.state = 'succeeded'));
  const fires = async () => (await readFires(store, SCHEDULE, { after: null, limit: 1_000 })).map(({ nominal_time, cause, outcome, reason }) => `${nominal_time.slice(11, 19)} ${cause} ${outcome}${reason ? ` ${reason}` : ''}`);
  return { clock, store, runs, deps, faulty, at, tick, end, fires };
}

describe('creating', () => {
  it('is done once, however often it is said, and says so when the answer is lost', async () => {
    const clock = makeFakeClock(noon);
    const store = makeMemoryStore();
    for (const fault of ['lost after', 'none'] as const) {
      const head = await createSchedule(asProcess(store, makeRuns(clock).calls, clock, (call) => (call === 'putIfAbsent' ? fault : 'none')), SCHEDULE, { spec: specOf(), paused: false });
      expect(head).toMatchObject({ version: 0, status: 'active', created_at: '2026-05-01T12:00:00.000Z' });
      clock.set(noon + MINUTE_MS);
    }
    const lost = asProcess(store, makeRuns(clock).calls, clock, (call) => (call === 'putIfAbsent' ? 'lost before' : 'none'));
    await expect(createSchedule(lost, 'sch_00000000000000000000000002', { spec: specOf(), paused: false })).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  it('begins paused where it is to', async () => {
    const { deps, clock } = await setUp();
    const id = 'sch_00000000000000000000000002';
    await createSchedule(deps, id, { spec: specOf(), paused: true });
    clock.set(noon + MINUTE_MS);
    expect((await tickSchedule(deps, id, clock.now()))!.head).toMatchObject({ status: 'paused', counts: { started: 0 }, version: 0 });
  });
});

describe('pausing', () => {
  it('stops firing until it is resumed, and makes up for nothing', async () => {
    const { deps, at, tick, end, fires, runs, store } = await setUp();
    at(1);
    await tick();
    expect(await pauseSchedule(deps, SCHEDULE, 'holidays')).toMatchObject({ status: 'paused', note: 'holidays' });
    const { version } = await requireSchedule(deps, SCHEDULE);
    expect((await pauseSchedule(deps, SCHEDULE, 'holidays')).version).toBe(version);
    at(5);
    end();
    await tick();
    at(5.5);
    expect(await resumeSchedule(deps, SCHEDULE)).toMatchObject({ status: 'active', note: null, last_nominal: '2026-05-01T12:05:30.000Z' });
    expect((await resumeSchedule(deps, SCHEDULE)).version).toBe(version + 2);
    await tick();
    expect(runs.all.size).toBe(1);
    at(6);
    await tick();
    expect(await fires()).toEqual(['12:01:00 schedule started', '12:06:00 schedule started']);
    expect((await requireSchedule({ store }, SCHEDULE)).recent).toHaveLength(2);
  });
});

describe('pausing records what was about to fire', () => {
  it.each<[string, Partial<ScheduleSpec>]>([
    ['a time that nobody has looked at yet', {}],
    ['a time that waits in its jitter', { jitter: 59 }],
    ['a time that waits in a jitter longer than what is made up for', { cron: '1 * * * *', jitter: 3_599, catchup_window: 10 }],
  ])('%s', async (_, spec) => {
    const { deps, at, tick, fires, runs } = await setUp(spec);
    at(1.25);
    expect(await pauseSchedule(deps, SCHEDULE, 'holidays')).toMatchObject({ status: 'paused', note: 'holidays', counts: { skipped: 1, missed: 0 }, last_nominal: '2026-05-01T12:01:00.000Z' });
    await tick();
    at(1.5);
    await resumeSchedule(deps, SCHEDULE);
    await tick();
    expect([await fires(), runs.all.size]).toEqual([['12:01:00 schedule skipped paused'], 0]);
  });

  it('of many that nobody looked at the last, the others are missed: no time goes without a record', async () => {
    const { deps, at, tick, fires } = await setUp({ cron: '* * * * * *', jitter: 1 });
    at(300);
    const { counts, recent } = await pauseSchedule(deps, SCHEDULE, null);
    expect([counts.skipped + counts.missed, recent[0]!.nominal_time, counts.skipped]).toEqual([300 * 60, '2026-05-01T17:00:00.000Z', 11]);
    await tick();
    expect((await fires()).filter((each) => each.endsWith('skipped paused'))).toHaveLength(11);
  });

  it('of very many so that nobody else waits for all of them, whether it is paused or gets another rule', async () => {
    for (const change of [(deps: RecordDeps) => pauseSchedule(deps, SCHEDULE, null), (deps: RecordDeps) => updateSchedule(deps, SCHEDULE, specOf({ cron: '0 0 1 1 *' }))]) {
      const { deps, at } = await setUp({ cron: '* * * * * *' });
      at(600);
      let turns = 0;
      let isOver = false;
      const others = (): void => {
        turns++;
        if (!isOver) setImmediate(others);
      };
      setImmediate(others);
      const { counts, requested } = await change(deps).finally(() => (isOver = true));
      expect(counts.missed + counts.skipped + requested.length).toBe(600 * 60);
      expect(turns).toBeGreaterThanOrEqual(3);
    }
  });

  it('a time of an earlier rule that was still to fire', async () => {
    const { deps, at, tick, fires } = await setUp();
    at(1.25);
    await updateSchedule(deps, SCHEDULE, specOf({ cron: '0 0 * * *' }));
    expect(await pauseSchedule(deps, SCHEDULE, null)).toMatchObject({ requested: [], counts: { skipped: 1 } });
    await tick();
    expect(await fires()).toEqual(['12:01:00 schedule skipped paused']);
  });

  it('where a failure pauses it in the very look in which a fire is due', async () => {
    const { clock, at, tick, fires, runs, store } = await setUp({ pause_on_failure: true });
    at(1);
    await tick();
    at(2);
    runs.all.forEach((run) => (run.state = 'failed'));
    expect(await tick()).toMatchObject({ status: 'paused', note: expect.stringContaining('failed') as string });
    expect(await fires()).toEqual(['12:01:00 schedule started', '12:02:00 schedule skipped paused']);
    expect(await faultsOfLedger(store, runs, SCHEDULE, clock.now().getTime())).toEqual([]);
  });
});

describe('triggering', () => {
  it('fires now, by the policy of the schedule or its own, paused or not', async () => {
    const { deps, at, tick, fires } = await setUp();
    await pauseSchedule(deps, SCHEDULE, null);
    at(0.5);
    const { fire } = await triggerSchedule(deps, SCHEDULE, null);
    expect(fire).toMatchObject({ nominal_time: '2026-05-01T12:00:30.000Z', cause: 'trigger', overlap_policy: 'skip' });
    expect((await tick()).runs).toMatchObject([{ fire: fire.id, cause: 'trigger' }]);
    at(0.75);
    await triggerSchedule(deps, SCHEDULE, null);
    await tick();
    at(0.8);
    await triggerSchedule(deps, SCHEDULE, 'allow_all');
    await tick();
    expect(await fires()).toEqual(['12:00:30 trigger started', '12:00:45 trigger skipped running', '12:00:48 trigger started']);
  });

  it('asks once when the answer is lost', async () => {
    const { faulty, tick, runs } = await setUp({}, ['lost after']);
    await triggerSchedule(faulty, SCHEDULE, null);
    await tick();
    expect(runs.all.size).toBe(1);
  });

  it('is one fire for one asking, however late it is said again', async () => {
    const { deps, at, tick, end, fires } = await setUp({ overlap_policy: 'allow_all' });
    await pauseSchedule(deps, SCHEDULE, null);
    const asking = { at: new Date(noon + 1_000), by: 'somebody' };
    const { fire } = await triggerSchedule(deps, SCHEDULE, null, asking);
    expect(fire.nominal_time).toBe('2026-05-01T12:00:01.000Z');
    // whether it waits, runs, or has left HEAD
    const again = async (): Promise<void> => {
      const { version } = await requireSchedule(deps, SCHEDULE);
      expect(await triggerSchedule(deps, SCHEDULE, null, asking)).toMatchObject({ fire, head: { version } });
    };
    await again();
    await tick();
    await again();
    end();
    await tick();
    for (let minute = 1; minute <= 11; minute++) {
      at(minute);
      await triggerSchedule(deps, SCHEDULE, null);
      await tick();
    }
    expect((await requireSchedule(deps, SCHEDULE)).recent.map(({ id }) => id)).not.toContain(fire.id);
    await again();
    expect((await fires()).filter((each) => each.startsWith('12:00:01'))).toHaveLength(1);
    expect((await triggerSchedule(deps, SCHEDULE, null, { ...asking, by: 'somebody else' })).fire.id).not.toBe(fire.id);
  });

  it('knows no schedule that is not there', async () => {
    const { deps } = await setUp();
    await expect(triggerSchedule(deps, 'sch_00000000000000000000000009', null)).rejects.toMatchObject({ code: 'not_found', param: 'id' });
  });
});

describe('backfilling', () => {
  const between = (from: string, to: string) => ({ from: new Date(`2026-05-01T${from}Z`), to: new Date(`2026-05-01T${to}Z`), policy: 'buffer_all' as const });

  it('makes up for what was missed, one after another, and not for what had started something', async () => {
    const { clock, deps, at, tick, end, fires, runs, store } = await setUp({ cron: '0 * * * *' });
    at(60);
    await tick();
    end();
    at(5 * 60 - 5);
    expect(await tick()).toMatchObject({ counts: { started: 1, missed: 3 } });
    const { fires: asked } = await backfillSchedule(deps, SCHEDULE, between('10:00:00', '16:30:00'));
    expect(asked.map(({ nominal_time }) => nominal_time.slice(11, 16))).toEqual(['10:00', '11:00', '12:00', '14:00', '15:00', '16:00']);
    for (let run = 0; run < 8; run++) {
      await tick();
      expect(runs.active()).toBeLessThanOrEqual(1);
      end();
    }
    expect((await fires()).sort()).toEqual(['10:00:00 backfill started', '11:00:00 backfill started', '12:00:00 backfill started', '13:00:00 schedule started', '14:00:00 backfill started', '15:00:00 backfill started', '16:00:00 backfill started', '16:00:00 schedule missed']);
    expect((await backfillSchedule(deps, SCHEDULE, between('10:00:00', '16:30:00'))).fires).toEqual([]);
    expect(await faultsOfLedger(store, runs, SCHEDULE, clock.now().getTime())).toEqual([]);
  });

  it('asks once when the answer is lost, or while the first still waits', async () => {
    const { faulty, deps, tick, end, runs } = await setUp({ cron: '0 * * * *' }, ['lost after']);
    expect((await backfillSchedule(faulty, SCHEDULE, between('09:00:00', '11:59:00'))).fires).toHaveLength(3);
    expect((await backfillSchedule(deps, SCHEDULE, between('09:00:00', '11:59:00'))).fires).toEqual([]);
    for (let run = 0; run < 5; run++) {
      await tick();
      end();
    }
    expect(runs.all.size).toBe(3);
  });

  it('leaves to the rule what it has not come to yet', async () => {
    const { deps, at } = await setUp();
    at(2);
    expect((await backfillSchedule(deps, SCHEDULE, between('11:59:00', '12:02:00'))).fires.map(({ nominal_time }) => nominal_time.slice(11, 16))).toEqual(['11:59', '12:00']);
  });

  it('refuses the future, a stretch that ends before it begins, and more than anyone can wait for', async () => {
    const { deps } = await setUp();
    await expect(backfillSchedule(deps, SCHEDULE, between('11:00:00', '12:00:01'))).rejects.toMatchObject({ code: 'invalid_request', param: 'to' });
    await expect(backfillSchedule(deps, SCHEDULE, between('11:00:00', '10:00:00'))).rejects.toMatchObject({ param: 'from' });
    const month = { from: new Date('2026-04-01T00:00:00Z'), to: new Date('2026-05-01T00:00:00Z'), policy: 'skip' as const };
    await expect(backfillSchedule(deps, SCHEDULE, month)).rejects.toThrow('more than 1000');
    await backfillSchedule(deps, SCHEDULE, { ...month, from: new Date('2026-04-30T12:00:00Z') });
    await expect(backfillSchedule(deps, SCHEDULE, { ...month, from: new Date('2026-04-30T06:00:00Z'), to: new Date('2026-04-30T11:59:00Z') })).rejects.toThrow('wait already');
  });
});

describe('changing', () => {
  it('counts by the new rule from now on, and still fires what was due by the old one', async () => {
    const { deps, at, tick, end, fires } = await setUp({ jitter: 59 });
    at(1.25);
    expect(await updateSchedule(deps, SCHEDULE, specOf({ cron: '*/30 * * * * *' }))).toMatchObject({ requested: [{ nominal_time: '2026-05-01T12:01:00.000Z', cause: 'schedule' }], last_nominal: '2026-05-01T12:01:15.000Z' });
    await tick();
    end();
    at(1.5);
    await tick();
    expect(await fires()).toEqual(['12:01:00 schedule started', '12:01:30 schedule started']);
  });

  it('still fires what waits in a jitter longer than what is made up for', async () => {
    const { deps, at, tick, fires } = await setUp({ cron: '1 * * * *', jitter: 3_599, catchup_window: 10 });
    at(1.25);
    await updateSchedule(deps, SCHEDULE, specOf({ cron: '30 * * * *' }));
    await tick();
    expect(await fires()).toEqual(['12:01:00 schedule started']);
  });

  it('forgets no due time when the rule stays, and nothing is written where nothing changes', async () => {
    const { deps, at, tick, runs } = await setUp();
    at(1.25);
    const { version } = await updateSchedule(deps, SCHEDULE, specOf({ job: { model: 'large' } }));
    expect((await updateSchedule(deps, SCHEDULE, specOf({ job: { model: 'large' } }))).version).toBe(version);
    await tick();
    expect([...runs.all.values()]).toMatchObject([{ body: { model: 'large' }, schedule: { nominal_time: '2026-05-01T12:01:00.000Z' } }]);
  });
});

it('is gone with its records once it is removed, and what it started goes on', async () => {
  const { deps, store, at, tick, runs } = await setUp();
  at(1);
  await tick();
  await removeSchedule({ ...deps, store: { ...store, ...deps.store } }, SCHEDULE);
  expect([...store.objects.keys()]).toEqual([...runs.all.keys()].map((run) => `scheduled/${SCHEDULE}/${run}`));
  expect(runs.active()).toBe(1);
  expect(await tickSchedule(deps, SCHEDULE, new Date(noon))).toBeNull();
  await expect(removeSchedule(deps, SCHEDULE)).rejects.toBeInstanceOf(AppError);
});

it('shows the next ten fires, the last ten, and what runs and waits', async () => {
  const { deps, at, tick, clock, store, runs } = await setUp({ overlap_policy: 'buffer_one', timezone: 'Europe/Berlin' });
  for (let minute = 1; minute <= 12; minute++) {
    at(minute);
    await tick();
  }
  const head = await requireSchedule(deps, SCHEDULE);
  const view = scheduleView(SCHEDULE, head, clock.now());
  expect(view).toMatchObject({ object: 'schedule', status: 'active', name: 'nightly', counts: { started: 1, skipped: 10 }, buffered: ['2026-05-01T12:02:00.000Z'], running: [{ kind: 'job' }] });
  expect(view.next_fires).toHaveLength(10);
  expect(view.next_fires[0]).toEqual({ utc: '2026-05-01T12:13:00Z', local: '2026-05-01T14:13:00+02:00' });
  expect(view.last_fires.map(({ nominal_time }) => nominal_time.slice(14, 16))).toEqual(['12', '11', '10', '09', '08', '07', '06', '05', '04', '03']);
  expect(scheduleView(SCHEDULE, await pauseSchedule(deps, SCHEDULE, 'x'), clock.now()).next_fires).toEqual([]);

  // and all of it is as the contract says
  expect(makeValidator(Schedule)(view)).toEqual([]);
  expect(makeValidator(ScheduleHead)(head)).toEqual([]);
  const fires = await readFires(store, SCHEDULE, { after: null, limit: 100 });
  expect(makeValidator(Type.Array(Fire, { maxItems: 100 }))(fires)).toEqual([]);
  expect((await readFires(store, SCHEDULE, { after: fires[2]!.id, limit: 3 })).map(({ id }) => id)).toEqual(fires.slice(3, 6).map(({ id }) => id));
  expect(makeValidator(idOf('job'))([...runs.all.keys()][0])).toEqual([]);
});
