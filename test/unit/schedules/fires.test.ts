import { describe, expect, it } from 'vitest';
import { AppError } from '../../../lib/errors.js';
import { createSchedule } from '../../../lib/schedules/control.js';
import { tickSchedule } from '../../../lib/schedules/fires.js';
import { faultsOfLedger, readLedger } from '../../support/schedules/ledger.js';
import { makeMemoryStore } from '../../support/memory-store.js';
import { asProcess, makeFakeClock, makeRuns, SCHEDULE, specOf } from '../../support/schedules/world.js';

const START = Date.UTC(2026, 4, 1, 12, 0, 30);
const MINUTE_MS = 60_000;

async function setUp(spec: Parameters<typeof specOf>[0]) {
  const store = makeMemoryStore();
  const clock = makeFakeClock(START);
  const runs = makeRuns(clock);
  const calm = asProcess(store, runs.calls, clock, () => 'none');
  await createSchedule(calm, SCHEDULE, { spec: specOf(spec), paused: false });
  return { clock, runs, store, calm, tick: () => tickSchedule(calm, SCHEDULE, clock.now()) };
}

describe('a look at a schedule', () => {
  it('starts what is due, once, with the body and the nominal time', async () => {
    const { clock, runs, tick, store } = await setUp({});
    expect((await tick())?.head.counts.started).toBe(0);
    clock.set(START + MINUTE_MS);
    await tick();
    await tick();
    expect([...runs.all.values()]).toMatchObject([{ run: { kind: 'job' }, body: { model: 'small' }, schedule: { id: SCHEDULE, nominal_time: '2026-05-01T12:01:00.000Z' } }]);
    const { head, fires } = await readLedger(store, SCHEDULE);
    expect(fires).toMatchObject([{ outcome: 'started', nominal_time: '2026-05-01T12:01:00.000Z', decided_at: '2026-05-01T12:01:30.000Z', run: { id: [...runs.all.keys()][0] } }]);
    expect(head).toMatchObject({ counts: { started: 1 }, runs: [{ state: 'running' }], unrecorded: [] });
    expect(await faultsOfLedger(store, runs, SCHEDULE, clock.now().getTime())).toEqual([]);
  });

  it('takes a run that cannot be read any more for one that failed, and goes on', async () => {
    const { clock, runs, store, calm, tick } = await setUp({ overlap_policy: 'skip' });
    clock.set(START + MINUTE_MS);
    await tick();
    const [damaged] = runs.all.keys();
    const stateOf: typeof calm.stateOf = async (run) => {
      if (run.id === damaged) throw new AppError('checkpoint_corrupt', 'HEAD is malformed');
      return calm.stateOf(run);
    };
    clock.set(START + 2 * MINUTE_MS);
    await tickSchedule({ ...calm, stateOf }, SCHEDULE, clock.now());
    const { head, fires } = await readLedger(store, SCHEDULE);
    expect(fires.map(({ outcome }) => outcome)).toEqual(['started', 'started']);
    expect(head.recent.map(({ run, run_ended: ended }) => [run?.id === damaged, ended])).toEqual([[false, null], [true, 'failed']]);
  });

  it('knows no schedule that is not there', async () => {
    const { calm, clock } = await setUp({});
    expect(await tickSchedule(calm, 'sch_00000000000000000000000009', clock.now())).toBeNull();
  });

  it('tries again what could not be started for now, and gives up what is refused', async () => {
    const { calm, runs, store, clock } = await setUp({ pause_on_failure: true });
    const refusals = [new AppError('queue_full', 'full'), new AppError('store_unavailable', 'away'), new AppError('invalid_spec', 'there is no job job_1')];
    const deps = { ...calm, start: () => Promise.reject(refusals.shift()!) };
    clock.set(START + MINUTE_MS);
    for (const code of ['queue_full', 'store_unavailable']) expect((await tickSchedule(deps, SCHEDULE, clock.now()))?.failures).toMatchObject([{ code }]);
    const last = await tickSchedule(deps, SCHEDULE, clock.now());
    expect(last).toMatchObject({ failures: [], head: { status: 'paused', note: 'a fire was refused: there is no job job_1', runs: [], counts: { started: 0, failed: 1 }, recent: [{ outcome: 'failed', message: 'there is no job job_1', run: null }] } });
    expect(await faultsOfLedger(store, runs, SCHEDULE, clock.now().getTime())).toEqual([]);
  });

  it('takes HEAD as it was for what it is as long as nobody changed it, and says what it starts for the first time', async () => {
    const { calm, clock, runs } = await setUp({});
    const known = await tickSchedule(calm, SCHEDULE, clock.now());
    const tried: boolean[] = [];
    const failing: typeof calm = { ...calm, start: (...call) => (tried.push(call[4]), Promise.reject(new AppError('store_unavailable', 'away'))) };
    clock.set(START + MINUTE_MS);
    const first = await tickSchedule(failing, SCHEDULE, clock.now(), { known });
    expect(first).toMatchObject({ failures: [{ code: 'store_unavailable' }], head: { version: 1, runs: [{ state: 'starting' }] } });
    // HEAD has moved on: what was known shows nothing of it
    const second = await tickSchedule({ ...failing, start: async (...call) => (tried.push(call[4]), runs.calls.start(...call)) }, SCHEDULE, clock.now(), { known });
    expect(second).toMatchObject({ failures: [], head: { version: 2, runs: [{ state: 'running' }], counts: { started: 1 } } });
    expect(tried).toEqual([false, true]);
    expect(runs.all.size).toBe(1);
  });

  it('leaves what others decided since it saw HEAD, and carries out what it saw', async () => {
    const { calm, clock, runs } = await setUp({});
    const seen = (await tickSchedule(calm, SCHEDULE, clock.now()))!.etag;
    clock.set(START + MINUTE_MS);
    await tickSchedule({ ...calm, start: () => Promise.reject(new AppError('store_unavailable', 'away')) }, SCHEDULE, clock.now());
    const left = await tickSchedule(calm, SCHEDULE, clock.now(), { seen });
    expect([left?.isLeft, runs.all.size]).toEqual([true, 0]);
    const taken = await tickSchedule(calm, SCHEDULE, clock.now(), { seen: left!.etag });
    expect([taken?.isLeft, runs.all.size]).toEqual([false, 1]);
  });

  it('has started all before it waits to be let on, and recorded nothing', async () => {
    const { calm, clock, runs, store } = await setUp({ overlap_policy: 'allow_all' });
    clock.set(START + MINUTE_MS);
    let at: unknown = null;
    await tickSchedule(calm, SCHEDULE, clock.now(), {
      whenStarted: async (before, after) => {
        const { head, fires } = await readLedger(store, SCHEDULE);
        at = { started: runs.all.size, fires: fires.length, states: head.runs.map(({ state }) => state), versions: [before.version, after.version] };
      },
    });
    expect(at).toEqual({ started: 1, fires: 0, states: ['starting'], versions: [0, 1] });
    expect(await faultsOfLedger(store, runs, SCHEDULE, clock.now().getTime())).toEqual([]);
  });

  it('takes for started what somebody else had started before it was refused', async () => {
    const { calm, runs, clock } = await setUp({});
    clock.set(START + MINUTE_MS);
    const deps: typeof calm = { ...calm, start: async (...call) => (await runs.calls.start(...call), Promise.reject(new AppError('invalid_spec', 'gone'))) };
    expect((await tickSchedule(deps, SCHEDULE, clock.now()))?.head).toMatchObject({ counts: { started: 1, failed: 0 }, runs: [{ state: 'running' }] });
  });

  it('pauses itself when a run fails, if it is to', async () => {
    for (const pauses of [true, false]) {
      const { tick, runs, clock } = await setUp({ pause_on_failure: pauses, overlap_policy: 'buffer_all' });
      for (const minute of [1, 2]) {
        clock.set(START + minute * MINUTE_MS);
        await tick();
      }
      const [run] = runs.all.values();
      run!.state = 'failed';
      const head = (await tick())!.head;
      expect(head.recent.at(-1)).toMatchObject({ outcome: 'started', run_ended: 'failed' });
      if (pauses) expect(head).toMatchObject({ status: 'paused', note: `${run!.run.id} failed`, buffered: [], runs: [], recent: [{ outcome: 'skipped', reason: 'paused' }, {}] });
      else expect(head).toMatchObject({ status: 'active', buffered: [], runs: [{ nominal_time: '2026-05-01T12:02:00.000Z' }] });
    }
  });

  it('pauses the old run and starts the new one once it stands still; a paused one can go on', async () => {
    const { tick, runs, clock, calm } = await setUp({ overlap_policy: 'cancel_other' });
    clock.set(START + MINUTE_MS);
    await tick();
    const stops: string[] = [];
    const slow: typeof calm = { ...calm, stop: async (_run, how) => void stops.push(how) };
    clock.set(START + 2 * MINUTE_MS);
    const waiting = (await tickSchedule(slow, SCHEDULE, clock.now()))!.head;
    expect(waiting).toMatchObject({ runs: [{ stop: 'pause', stop_said: true }], buffered: [{ nominal_time: '2026-05-01T12:02:00.000Z' }] });
    await tickSchedule(slow, SCHEDULE, clock.now());
    expect(stops).toEqual(['pause']);
    [...runs.all.values()][0]!.state = 'paused';
    expect((await tick())!.head).toMatchObject({ runs: [{ nominal_time: '2026-05-01T12:02:00.000Z', state: 'running' }], buffered: [], recent: [{ outcome: 'started' }, { outcome: 'started', run_ended: 'paused' }] });
    expect(runs.mostActive).toBe(1);
  });

  it('takes a run that a user paused for one that is not over', async () => {
    const { tick, runs, clock } = await setUp({ overlap_policy: 'skip' });
    clock.set(START + MINUTE_MS);
    await tick();
    [...runs.all.values()][0]!.state = 'paused';
    clock.set(START + 2 * MINUTE_MS);
    expect((await tick())!.head).toMatchObject({ runs: [{}], counts: { started: 1, skipped: 1 }, recent: [{ reason: 'running' }, { run_ended: null }] });
  });

  it('tells what it starts of the sweep that was started last, however many fires were skipped or refused since', async () => {
    const { runs, clock, calm } = await setUp({ job: null, sweep: { method: 'random' } });
    const previous: (string | null)[] = [];
    let refused = false;
    const deps: typeof calm = {
      ...calm,
      start: async (...call) => {
        previous.push(call[3]);
        if (refused) throw new AppError('invalid_spec', 'no');
        await runs.calls.start(...call);
      },
    };
    let minute = 0;
    const fire = async (): Promise<void> => {
      clock.set(START + ++minute * MINUTE_MS);
      await tickSchedule(deps, SCHEDULE, clock.now());
    };
    await fire();
    const [first] = runs.all.keys();
    // more than HEAD keeps of what became of fires
    for (let skipped = 0; skipped < 15; skipped++) await fire();
    runs.all.get(first!)!.state = 'succeeded';
    refused = true;
    await fire();
    refused = false;
    await fire();
    const second = [...runs.all.keys()][1]!;
    runs.all.get(second)!.state = 'failed';
    await fire();
    expect(previous).toEqual([null, first, first, second]);
  });
});
