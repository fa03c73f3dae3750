// Trials that programs of one's own run: what they are given when they ask, and what becomes of what they tell, over a real log in a
// folder. Over HTTP: test/integration/api/sweep-trials.test.ts.
import { describe, expect, onTestFinished, test } from 'vitest';
import { isAppError } from '../../../lib/errors.js';
import { makeFileStore } from '../../../lib/store/file.js';
import type { TellInput } from '../../../lib/contract/external.js';
import { sayToSweep } from '../../../lib/sweeps/control.js';
import { decide } from '../../../lib/sweeps/decide.js';
import type { LogEntry } from '../../../lib/sweeps/events.js';
import { askForTrials, isOthers, tellOfTrial, toldOf } from '../../../lib/sweeps/external.js';
import { createSweep, openLog, readLog, type SweepLog } from '../../../lib/sweeps/log.js';
import { resolveSweep } from '../../../lib/sweeps/resolve.js';
import { applied, emptySweep, type TrialState } from '../../../lib/sweeps/state.js';
import { makeTempDir } from '../../support/temp.js';

const ID = `swp_${'0'.repeat(26)}`;
const X = { method: 'random', metric: { name: 'loss' }, parameters: { x: { min: 0.0, max: 1.5 } } };
const asha = { type: 'asha', min_iter: 1, max_iter: 9, eta: 3 };
const clock = { now: () => new Date('2026-01-31T12:00:00Z') };

interface External {
  log: SweepLog;
  /** The numbers of the trials, and why there are no more. */
  ask(client?: string | null, count?: number): Promise<[number[], string | null]>;
  tell(trial: number, told: Omit<TellInput, 'id'>): Promise<TrialState>;
  entries(): Promise<LogEntry[]>;
  /** Another process that knows the same log. */
  another(): Promise<External>;
}

async function external(spec: object): Promise<External> {
  const resolved = resolveSweep(spec);
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  expect(resolved.spec.execution).toBe('external');
  const folder = await makeTempDir('external');
  onTestFinished(folder.remove);
  const store = await makeFileStore({ root: folder.path });
  onTestFinished(() => store.close());
  const record = await createSweep({ store, clock }, { id: ID, created_at: clock.now().toISOString(), spec: resolved.spec, schedule: null });
  const open = async (): Promise<External> => {
    const log = await openLog({ store, clock }, record);
    return {
      log,
      ask: async (client = null, count = 1) => {
        const { trials, shortage } = await askForTrials(log, { client, count });
        return [trials.map(({ number }) => number), shortage];
      },
      tell: (trial, told) => tellOfTrial(log, `${ID}.${trial}`, toldOf({ id: `${ID}.${trial}`, ...told })),
      entries: () => readLog(store, ID),
      another: open,
    };
  };
  return open();
}
const refused = (told: Promise<unknown>, message: RegExp) => expect(told).rejects.toSatisfy((error) => isAppError(error, 'invalid_state') && message.test(error.message));

describe('an ask', () => {
  test('begins as many as are wanted, and nothing begins by itself', async () => {
    const { log, ask, tell } = await external({ ...X, run_cap: 5 });
    expect(log.state().trials).toEqual([]);
    expect(await ask()).toEqual([[0], null]);
    expect(await ask(null, 2)).toEqual([[1, 2], null]);
    await tell(0, { value: 0.5 });
    expect(log.state().trials).toHaveLength(3);
    expect(await ask(null, 3)).toEqual([[3, 4], 'exhausted']);
    expect(await ask()).toEqual([[], 'exhausted']);
  });

  test('gives a client that comes back what it was given before, from the log', async () => {
    const world = await external({ ...X, run_cap: 9 });
    const { ask, tell, entries } = world;
    expect(await ask('a', 2)).toEqual([[0, 1], null]);
    expect(await ask('b')).toEqual([[2], null]);
    const length = (await entries()).length;
    expect(await ask('a', 2)).toEqual([[0, 1], null]);
    expect(await (await world.another()).ask('a', 1)).toEqual([[0], null]);
    expect((await entries()).length).toBe(length);
    await tell(0, { value: 1 });
    expect(await ask('a', 2)).toEqual([[1, 3], null]);
    expect(await ask('a', 3)).toEqual([[1, 3, 4], null]);
    expect(await ask('b', 1)).toEqual([[2], null]);
  });

  test('leaves max_concurrent and run_cap alone, and writes nothing where there is nothing to give', async () => {
    const { ask, tell, log, entries } = await external({ ...X, run_cap: 4, budget: { max_concurrent: 2 } });
    expect(await ask('a', 5)).toEqual([[0, 1], 'concurrency']);
    const length = (await entries()).length;
    for (const client of ['a', 'b', null]) expect(await ask(client, 5)).toEqual([client === 'a' ? [0, 1] : [], 'concurrency']);
    expect((await entries()).length).toBe(length);
    await tell(0, { state: 'failed' });
    expect(await ask('b', 5)).toEqual([[2], 'concurrency']);
    await tell(1, { value: 1 });
    expect(await ask('b', 5)).toEqual([[2, 3], 'exhausted']);
    await tell(2, { value: 1 });
    await tell(3, { value: 1 });
    expect(log.state().end).toMatchObject({ status: 'succeeded', why: { trials: 4 } });
    expect(await ask('b')).toEqual([[], 'over']);
  });

  test('goes through a grid once, also where many ask in two processes at once', async () => {
    const one = await external({ method: 'grid', parameters: { a: { values: [1, 2, 3] }, b: { min: 1, max: 4 } } });
    const two = await one.another();
    const given = await Promise.all(Array.from({ length: 16 }, (_, client) => (client % 2 === 0 ? one : two).ask(`client ${client}`)));
    expect(given.flatMap(([numbers]) => numbers).sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, number) => number));
    expect(given.filter(([, shortage]) => shortage === 'exhausted')).toHaveLength(4);
    expect(new Set((await two.log.catchUp()).trials.map(({ params }) => JSON.stringify(params))).size).toBe(12);
    for (const { number } of two.log.state().trials) await two.tell(number, { state: 'succeeded' });
    expect(two.log.state().end).toMatchObject({ status: 'succeeded' });
  });

  test('of a sweep that was spoken to: new ones only while it runs, its own while they do', async () => {
    const { log, ask, tell } = await external({ ...X, run_cap: 9 });
    await ask('a');
    await sayToSweep(log, 'pause');
    expect([await ask('a'), await ask('b')]).toEqual([[[0], null], [[], 'paused']]);
    await sayToSweep(log, 'suspend');
    expect(await ask('a')).toEqual([[], 'paused']);
    await tell(0, { values: [{ step: 1, value: 2 }] });
    await sayToSweep(log, 'resume');
    expect([await ask('a'), await ask('b')]).toEqual([[[0], null], [[1], null]]);
    await sayToSweep(log, 'stop');
    expect([await ask('a'), await ask('c')]).toEqual([[[0], null], [[], 'stopping']]);
    await tell(0, { value: 1 });
    await tell(1, { state: 'failed' });
    expect([log.state().end?.status, await ask('a')]).toEqual(['stopped', [[], 'over']]);
  });
});

describe('a tell', () => {
  test('ends a trial once: again it changes nothing, otherwise it is refused', async () => {
    const world = await external({ ...X, run_cap: 9 });
    const { ask, tell, entries, log } = world;
    await ask(null, 4);
    expect(await tell(0, { value: 0.5 })).toMatchObject({ status: 'succeeded', value: 0.5 });
    await tell(1, { state: 'failed' });
    await tell(2, { state: 'pruned', values: [{ step: 3, value: 7 }] });
    const before = [(await entries()).length, JSON.stringify(log.state())];
    await tell(0, { value: 0.5 });
    await tell(0, { value: 0.5, state: 'succeeded' });
    await tell(0, { values: [{ step: 9, value: 9 }] });
    await tell(1, { state: 'failed' });
    await tell(2, { state: 'pruned', values: [{ step: 3, value: 7 }] });
    await refused(tell(0, { value: 0.25 }), /succeeded with value 0\.25 which is over: it is succeeded with value 0\.5$/);
    await refused(tell(0, { state: 'failed' }), /cannot tell that a trial failed which is over/);
    await refused(tell(1, { value: 0.5 }), /it is failed$/);
    await refused((await world.another()).tell(2, { value: 0.5 }), /it is pruned$/);
    expect([(await entries()).length, JSON.stringify(log.state())]).toEqual(before);
    expect(log.state()).toMatchObject({ failed: 1, trials: [{}, {}, { values: [{ step: 3, value: 7 }], why: [{}, { decision: 'prune', why: { told: 'pruned' } }] }, { status: 'running' }] });
    await expect(tell(4, { value: 1 })).rejects.toSatisfy((error) => isAppError(error, 'not_found') && error.param === 'id');
  });

  test('without a number at its end prunes', async () => {
    const { ask, tell, log, entries } = await external({ ...X, run_cap: 3 });
    await ask(null, 3);
    expect(await tell(0, { value: null })).toMatchObject({ status: 'pruned' });
    expect(await tell(1, { state: 'succeeded', values: [{ step: 4, value: null }] })).toMatchObject({ status: 'pruned', values: [{ step: 4, value: null }] });
    const { length } = await entries();
    await tell(0, { value: null });
    await tell(1, { state: 'succeeded', values: [{ step: 4, value: null }] });
    expect([(await entries()).length, log.state().failed]).toEqual([length, 0]);
  });

  test('keeps values by step in order, and what was told of a step first', async () => {
    const { ask, tell, entries } = await external({ ...X, run_cap: 3 });
    await ask();
    await tell(0, { values: [{ step: 0, value: 5 }, { step: 2, value: 4 }] });
    const { length } = await entries();
    await tell(0, { values: [{ step: 1, value: 9 }, { step: 2, value: 9 }] });
    expect((await entries()).length).toBe(length);
    expect(await tell(0, { values: [{ step: 2, value: 9 }, { step: 5, value: 3 }] })).toMatchObject({ status: 'running', value: 3, values: [{ step: 0, value: 5 }, { step: 2, value: 4 }, { step: 5, value: 3 }] });
    // its last value is the one of its end
    expect(await tell(0, { state: 'succeeded' })).toMatchObject({ status: 'succeeded', value: 3 });
  });

  test('needs a value at the end of a trial that never had one, if there is a metric', async () => {
    const { ask, tell, log } = await external({ ...X, run_cap: 3 });
    await ask();
    await expect(tell(0, { state: 'succeeded' })).rejects.toSatisfy((error) => isAppError(error, 'invalid_request') && error.param === 'value');
    expect(log.state().trials[0]!.status).toBe('running');
    const without = await external({ method: 'random', parameters: X.parameters, run_cap: 3 });
    await without.ask();
    expect(await without.tell(0, { state: 'succeeded' })).toMatchObject({ status: 'succeeded', value: null });
  });
});

describe('rungs', () => {
  test('by promotion: a trial waits, and whoever asks later is given it again, up to the next rung', async () => {
    const { ask, tell, log } = await external({ ...X, run_cap: 3, early_terminate: asha });
    await ask('a', 3);
    for (const [trial, value] of [3, 1, 2].entries()) expect(await tell(trial, { values: [{ step: 1, value }] })).toMatchObject({ status: 'paused', upTo: 1 });
    expect(await ask('b')).toEqual([[1], null]);
    expect(log.state().trials[1]).toMatchObject({ client: 'b', status: 'running', upTo: 3, why: [{ decision: 'start' }, { decision: 'go_on', why: { rank: 1, of: 3 } }] });
    expect(await ask('a')).toEqual([[], 'rungs']);
    await tell(1, { values: [{ step: 2, value: 1 }, { step: 3, value: 0.5 }] });
    // nobody else can come to this rung: the best goes on, to the end
    expect(await ask('a')).toEqual([[1], null]);
    expect(await tell(1, { values: [{ step: 9, value: 0.25 }] })).toMatchObject({ status: 'succeeded', value: 0.25 });
    expect(log.state()).toMatchObject({ end: { status: 'succeeded' }, trials: [{ status: 'pruned' }, { status: 'succeeded' }, { status: 'pruned' }] });
  });

  test('whoever had a trial before has no say in it once somebody else was given it', async () => {
    const { ask, tell, log, entries } = await external({ ...X, run_cap: 3, early_terminate: asha });
    await ask('a', 3);
    for (const [trial, value] of [3, 1, 2].entries()) await tell(trial, { client: 'a', values: [{ step: 1, value }] });
    await ask('b');
    const { length } = await entries();
    // the answer to the last tell was lost, and it is told again
    const again = await tell(1, { client: 'a', values: [{ step: 1, value: 1 }, { step: 2, value: 5 }] });
    expect([again.client, isOthers(again, { client: 'a' }), isOthers(again, { client: 'b' }), isOthers(again, { client: null })]).toEqual(['b', true, false, false]);
    await refused(tell(1, { client: 'a', state: 'failed' }), /somebody else was given since: b$/);
    expect([(await entries()).length, log.state().trials[1]!.status]).toEqual([length, 'running']);
    expect(await tell(1, { client: 'b', values: [{ step: 3, value: 1 }] })).toMatchObject({ upTo: 3, status: 'paused' });
    expect(await tell(1, { state: 'failed' })).toMatchObject({ status: 'failed' });
  });

  test('what lies beyond a rung where a trial waits is not counted, and told again once it goes on', async () => {
    const { ask, tell, log, entries } = await external({ ...X, run_cap: 3, early_terminate: asha });
    await ask('a', 3);
    const all = { values: [1, 2, 3, 4].map((step) => ({ step, value: 1 / step })) };
    expect(await tell(0, all)).toMatchObject({ status: 'paused', upTo: 1, values: [{ step: 1, value: 1 }] });
    const { length } = await entries();
    expect(await tell(0, all)).toMatchObject({ status: 'paused', values: [{ step: 1, value: 1 }] });
    expect((await entries()).length).toBe(length);
    for (const trial of [1, 2]) await tell(trial, { values: [{ step: 1, value: 2 }] });
    await ask('a');
    expect(await tell(0, all)).toMatchObject({ status: 'paused', upTo: 3, values: [{ step: 1 }, { step: 2 }, { step: 3 }] });
    expect(log.state().rungs[0]!.map(({ entries: at }) => at.length)).toEqual([3, 1, 0]);
  });

  test('a program that ends without waiting has ended, and its values count at the rungs on the way', async () => {
    const { ask, tell, log } = await external({ ...X, run_cap: 3, early_terminate: asha });
    await ask('a', 2);
    expect(await tell(0, { values: [{ step: 2, value: 0.5 }, { step: 4, value: 0.25 }], value: 0.125 })).toMatchObject({ status: 'succeeded', value: 0.125 });
    expect(log.state().rungs[0]!.map(({ entries }) => entries)).toEqual([[{ trial: 0, value: 0.5, waiting: false }], [{ trial: 0, value: 0.25, waiting: false }], []]);
    await tell(1, { values: [{ step: 1, value: 1 }] });
    expect(await tell(1, { state: 'failed' })).toMatchObject({ status: 'failed' });
    expect(log.state().rungs[0]![0]!.entries.map(({ waiting }) => waiting)).toEqual([false, false]);
  });

  test('a trial that says little gets to the last rung that it came past, and one without a number there is pruned', async () => {
    const { ask, tell } = await external({ ...X, run_cap: 3, early_terminate: asha });
    await ask('a', 2);
    expect(await tell(0, { values: [{ step: 5, value: 1 }] })).toMatchObject({ status: 'paused', upTo: 3, values: [{ step: 5, value: 1 }] });
    expect(await tell(1, { values: [{ step: 1, value: null }] })).toMatchObject({ status: 'pruned', why: [{}, { why: { value: null } }] });
  });

  test.each([
    ['asha by stopping', { ...asha, variant: 'stopping' }],
    ['hyperband', { type: 'hyperband', min_iter: 1, eta: 3 }],
    ['median', { type: 'median', min_iter: 2, n_startup_trials: 1 }],
  ])('%s: the answer to each tell says whether the trial goes on', async (_name, rule) => {
    const { ask, tell, log } = await external({ ...X, run_cap: 5, early_terminate: rule });
    await ask('a', 5);
    const statuses: string[] = [];
    for (const [trial, worth] of [1, 2, 3, 4, 0.5].entries()) {
      // it says nothing at the very steps of the rungs
      for (const step of [2, 5, 8]) {
        const { status } = await tell(trial, { values: [{ step, value: worth }] });
        if (status !== 'running') break;
      }
      if (log.state().trials[trial]!.status === 'running') await tell(trial, { value: worth });
      statuses.push(log.state().trials[trial]!.status);
    }
    expect(statuses).toEqual(['succeeded', 'pruned', 'pruned', 'pruned', 'succeeded']);
    expect(log.state().end).toMatchObject({ status: 'succeeded' });
  });
});

test('a sweep ends by its target, by what has failed and by its time, with what ran cancelled', async () => {
  const target = await external({ ...X, run_cap: 9, metric: { name: 'loss', target: 0.1 } });
  await target.ask('a', 2);
  await target.tell(0, { value: 0.05 });
  expect(target.log.state()).toMatchObject({ end: { status: 'succeeded', why: { target: 0.1, trial: 0 } }, trials: [{ status: 'succeeded' }, { status: 'cancelled' }] });
  expect(await target.tell(1, { values: [{ step: 1, value: 1 }] })).toMatchObject({ status: 'cancelled', values: [] });
  await refused(target.tell(1, { value: 1 }), /it is cancelled$/);
  const failing = await external({ ...X, run_cap: 9, budget: { max_failed: 1 } });
  await failing.ask('a', 3);
  await failing.tell(0, { state: 'failed' });
  expect(failing.log.state().end).toBeNull();
  await failing.tell(1, { state: 'failed' });
  expect(failing.log.state()).toMatchObject({ end: { status: 'failed', why: { budget: 'max_failed' } }, trials: [{}, {}, { status: 'cancelled' }] });
  const late = await external({ ...X, run_cap: 9 });
  await late.ask('a');
  await late.log.append({ type: 'spent', budget: 'wall_clock' });
  expect([late.log.state().end, await late.ask('a')]).toMatchObject([{ why: { budget: 'wall_clock' } }, [[], 'over']]);
});

test.each([
  ['tpe, asha by promotion', { method: 'tpe', early_terminate: asha, sampler: { n_startup_trials: 3 } }],
  ['grid', { method: 'grid', parameters: { a: { values: [1, 2, 3] }, b: { min: 1, max: 4 } } }],
])('%s: whoever reads the log from any entry on comes to the same bytes', async (_name, spec) => {
  const { ask, tell, log, entries } = await external({ ...X, ...spec, run_cap: 12 });
  for (let turn = 0; log.state().end === null; turn++) {
    expect(turn).toBeLessThan(200);
    await ask(`client ${turn % 3}`, 1 + (turn % 2));
    const running = log.state().trials.filter(({ status }) => status === 'running');
    const trial = running[turn % running.length]!;
    if (turn % 7 === 3) await tell(trial.number, { state: 'failed' });
    else if (trial.upTo === null) await tell(trial.number, { value: turn });
    else await tell(trial.number, { values: [{ step: trial.upTo, value: turn % 5 }] });
  }
  const all = await entries();
  let state = emptySweep(log.rules.spec);
  for (const { n, event, decisions, at } of all) {
    expect([n, JSON.stringify(decide(log.rules, state, event))]).toEqual([n, JSON.stringify(decisions)]);
    state = applied(log.rules.spec, state, { at, event, decisions });
  }
  expect(JSON.stringify(state)).toBe(JSON.stringify(log.state()));
  expect(state.trials).toHaveLength(12);
});
