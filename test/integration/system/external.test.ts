// An external sweep as many programs run it: sixteen clients of two API processes, two controllers beside them, answers that are lost,
// requests that are cut off and sent again, and processes that are killed on the way.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../lib/clock.js';
import type { Asked, TellInput, ToldTrial } from '../../../lib/contract/external.js';
import { applied, emptySweep } from '../../../lib/sweeps/state.js';
import { loadSweep, readLog, rulesOf } from '../../../lib/sweeps/log.js';
import { openSweepKey } from '../../../lib/sweeps/names.js';
import { type Proc, startTestSystem, type TestSystem, waitFor } from '../../support/system.js';
import { makeXorshift } from '../../support/xorshift.js';

type Api = Proc & { url: string };
let system: TestSystem;
let apis: Api[];
let controllers: Proc[];
beforeAll(async () => {
  system = await startTestSystem();
  controllers = [await system.startController(), await system.startController()];
  apis = [await system.startApi(), await system.startApi()];
});
afterAll(() => system.stop());

const CLIENTS = 16;

interface Run {
  /** What was acknowledged of each trial. */
  told: Map<number, number>;
  asked: Map<number, string>;
  faults: { lost: number; cut: number; refused: number };
}

/** @param onTold is awaited after each end of a trial that was acknowledged */
async function runClients(id: string, seed: number, onTold: (ends: number) => Promise<void>): Promise<Run> {
  const run: Run = { told: new Map(), asked: new Map(), faults: { lost: 0, cut: 0, refused: 0 } };
  let ends = 0;

  /** Says it until it is answered and the answer gets here. */
  async function insist<T>(random: () => number, path: string, body: object): Promise<T> {
    for (;;) {
      const { url } = apis[Math.floor(random() * apis.length)]!;
      const isCut = random() < 0.15;
      const cut = new AbortController();
      const timer = isCut ? setTimeout(() => cut.abort(), random() * 15) : undefined;
      try {
        const answer = await fetch(`${url}/v1/sweeps/${id}/trials/${path}`, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' }, signal: cut.signal });
        const text = await answer.text();
        if (answer.status === 503) continue;
        if (answer.status !== 200) throw new TypeError(`${path} ${JSON.stringify(body)}: ${answer.status} ${text}`);
        if (random() >= 0.15) return JSON.parse(text) as T;
        run.faults.lost++;
      } catch (error) {
        if (error instanceof TypeError && /^(ask|tell) /.test(error.message)) throw error;
        run.faults[cut.signal.aborted ? 'cut' : 'refused']++;
        await systemClock.sleep(5);
      } finally {
        clearTimeout(timer);
      }
    }
  }

  async function client(name: string, random: () => number): Promise<void> {
    for (;;) {
      const asked = await insist<Asked>(random, 'ask', { client: name });
      const trial = asked.trials[0];
      if (!trial && !asked.ask_again) return;
      if (!trial) {
        await systemClock.sleep(20);
        continue;
      }
      expect([trial.client, trial.status]).toEqual([name, 'running']);
      run.asked.set(trial.number, name);
      const value = (trial.number * 7919) % 1_009;
      const told: TellInput = trial.up_to === null ? { id: trial.id, client: name, value } : { id: trial.id, client: name, values: [{ step: trial.up_to, value: value + 1 / trial.up_to }] };
      const { status, values } = await insist<ToldTrial>(random, 'tell', told);
      // Of a trial that was told about once more than was heard of, another client may have told the end meanwhile.
      const isMine = trial.up_to === null || values.at(-1)?.step === trial.up_to;
      if (status === 'succeeded' && isMine) {
        run.told.set(trial.number, trial.up_to === null ? value : value + 1 / trial.up_to);
        await onTold(++ends);
      }
    }
  }

  await Promise.all(Array.from({ length: CLIENTS }, (_, n) => client(`client ${n}`, makeXorshift(seed * 1_000 + n))));
  return run;
}

async function start(spec: object): Promise<string> {
  const answer = await fetch(`${apis[0]!.url}/v1/sweeps`, { method: 'POST', body: JSON.stringify(spec), headers: { 'content-type': 'application/json' } });
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { id: string }).id;
}

/** As the log has it, read from its first entry; every number of it once. */
async function stateOf(id: string) {
  const entries = await readLog(system.store, id);
  expect(entries.map(({ n }) => n)).toEqual(entries.map((_, n) => n));
  const { spec } = rulesOf((await loadSweep(system.store, id))!);
  return entries.reduce((state, entry) => applied(spec, state, entry), emptySweep(spec));
}

test('500 trials of a grid: run_cap is exact, no point comes twice, and nothing that was told is lost', { timeout: 300_000 }, async () => {
  const range = { min: 1, max: 25 };
  const id = await start({ method: 'grid', parameters: { a: range, b: range }, metric: { name: 'loss' }, run_cap: 500 });
  const killed: number[] = [];
  const kill = async (proc: Proc): Promise<void> => {
    proc.kill('SIGKILL');
    await proc.exited;
    killed.push(proc.pid);
  };
  const { told, asked, faults } = await runClients(id, 1, async (ends) => {
    if (ends === 150) await kill(controllers[0]!);
    if (ends === 250) {
      await kill(apis[1]!);
      apis[1] = await system.startApi();
    }
  });
  expect(killed).toHaveLength(2);
  for (const count of Object.values(faults)) expect(count).toBeGreaterThan(0);
  expect(faults.lost + faults.cut).toBeGreaterThan(100);

  const state = await stateOf(id);
  expect(state.end).toMatchObject({ status: 'succeeded', why: { trials: 500 } });
  expect(state.trials).toHaveLength(500);
  expect(new Set(state.trials.map(({ params }) => JSON.stringify(params))).size).toBe(500);
  expect(told.size).toBe(500);
  for (const { number, status, value, client } of state.trials) expect([number, status, value, client]).toEqual([number, 'succeeded', told.get(number), asked.get(number)]);
  // the controller that is left closes it
  await waitFor('the sweep is no longer open', async () => (await system.store.head(openSweepKey(id))) === null);
});

test('successive halving: whoever asks goes on with what others left at a rung, and each rung is come to once', { timeout: 300_000 }, async () => {
  const id = await start({ method: 'tpe', parameters: { x: { min: 0.0, max: 1.0 } }, metric: { name: 'loss' }, run_cap: 60, early_terminate: { type: 'asha', min_iter: 1, max_iter: 9, eta: 3 }, budget: { max_concurrent: 10 } });
  const { told, faults } = await runClients(id, 2, () => Promise.resolve());
  expect(faults.lost + faults.cut).toBeGreaterThan(10);
  const state = await stateOf(id);
  expect(state.end).toMatchObject({ status: 'succeeded', why: { trials: 60 } });
  const whole = state.trials.filter(({ status }) => status === 'succeeded');
  expect(whole.length).toBeGreaterThan(0);
  expect(whole.map(({ number, value }) => [number, value])).toEqual([...told].sort(([a], [b]) => a - b));
  expect(whole.every(({ values }) => values.length === 3)).toBe(true);
  expect(state.rungs[0]!.map(({ entries }) => entries.length)).toEqual([60, state.trials.filter(({ values }) => values.length >= 2).length, whole.length]);
  // at no time more than may
  const { spec } = rulesOf((await loadSweep(system.store, id))!);
  let now = emptySweep(spec);
  let most = 0;
  for (const entry of await readLog(system.store, id)) {
    now = applied(spec, now, entry);
    most = Math.max(most, now.trials.filter(({ status }) => status === 'running').length);
  }
  expect(most).toBe(10);
});
