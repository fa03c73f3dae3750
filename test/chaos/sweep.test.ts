// A sweep with early stopping on real workers, its controllers and workers killed on the way: what survives has the bits of a plain job
// with its parameters, and the log is what one controller alone would have written.
import { afterEach, expect, test } from 'vitest';
import { ulid } from 'ulid';
import { systemClock } from '../../lib/clock.js';
import { readSegments } from '../../lib/jobs/history.js';
import type { Manifest } from '../../lib/contract/records.js';
import type { UpdateRow } from '../../lib/contract/rows.js';
import { isWorkedOn } from '../../lib/sweeps/drive.js';
import { createSweep, openLog, readLog, requireSweep, rulesOf } from '../../lib/sweeps/log.js';
import { trialJob } from '../../lib/sweeps/names.js';
import type { SweepRecord } from '../../lib/sweeps/record.js';
import { resolveSweep } from '../../lib/sweeps/resolve.js';
import { bestTrial, isOver, type SweepState } from '../../lib/sweeps/state.js';
import { type Proc, startTestSystem, type TestSystem, waitFor } from '../support/system.js';
import { undisturbed } from './recipe.js';
import { decisionProblems } from './run/invariants/decisions.js';

let system: TestSystem;
afterEach(() => system.stop());

const SPEC = {
  method: 'random',
  metric: { name: 'val_loss' },
  parameters: { lr: { distribution: 'log_uniform_values', min: 1e-4, max: 1e-1 }, 'training.accum_iters': { values: [2, 5] } },
  run_cap: 9,
  budget: { max_concurrent: 2 },
  early_terminate: { type: 'asha', min_iter: 15, max_iter: 135, eta: 3 },
  sampler: { seed: 7 },
  job: {
    data: { type: 'builtin', name: 'digits', normalize: 'unit', validation: { split: 0.2 } },
    model: { layers: [{ type: 'conv2d', filters: 16, kernel_size: 3, activation: 'relu' }, { type: 'flatten' }, { type: 'dropout', rate: 0.2 }, { type: 'dense', units: 10, activation: 'softmax' }] },
    training: { batch_size: 10, max_updates: 135, epochs: 100, optimizer: { type: 'adam', lr: 0.001 }, seed: 3 },
    checkpoint: { every_micro_batches: 20 },
  },
};

async function create(): Promise<SweepRecord> {
  const resolved = resolveSweep(SPEC);
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  return createSweep({ store: system.store, clock: systemClock }, { id: `swp_${ulid().toLowerCase()}`, created_at: new Date().toISOString(), spec: resolved.spec, schedule: null });
}

const stateOf = async (record: SweepRecord): Promise<SweepState> => (await openLog({ store: system.store, clock: systemClock }, record)).state();
const progress = ({ trials }: SweepState): number => trials.reduce((sum, { values }) => sum + values.length, 0) + trials.filter(isOver).length;

test('its controllers and workers killed, and with two controllers: the same decisions, and survivors with the bits of plain jobs', async () => {
  system = await startTestSystem();
  const controllers: Proc[] = [await system.startController(), await system.startController()];
  const workers: Proc[] = [await system.startWorker(), await system.startWorker()];
  const { id } = await create();
  const record = await requireSweep(system.store, id);
  await waitFor('a worker has a trial', async () => isWorkedOn(system.store, id, await stateOf(record)));

  const strikes = [
    async () => {
      controllers[0]!.kill('SIGKILL');
      controllers.push(await system.startController());
    },
    async () => {
      workers[0]!.kill('SIGKILL');
      workers.push(await system.startWorker());
    },
    async () => {
      controllers[1]!.kill('SIGKILL');
      await system.redis.flush();
      controllers.push(await system.startController());
    },
  ];
  for (const [index, strike] of strikes.entries()) {
    await waitFor(`${2 * index + 2} steps of progress`, async () => progress(await stateOf(record)) >= 2 * index + 2, 90_000);
    await strike();
  }
  const state = await waitFor('the sweep is over, and its jobs are', async () => {
    const seen = await stateOf(record);
    return seen.end !== null && (await system.store.head(`open-sweeps/${record.id}`)) === null ? seen : null;
  }, 240_000);

  expect(await isWorkedOn(system.store, id, state)).toBe(false);
  expect(state.end!.status).toBe('succeeded');
  expect(state.trials).toHaveLength(9);
  expect(state.trials.filter((trial) => !isOver(trial))).toEqual([]);
  const whole = state.trials.filter(({ status }) => status === 'succeeded');
  expect(whole.length).toBeGreaterThanOrEqual(1);
  expect(bestTrial(record.spec, state)!.status).toBe('succeeded');

  // The log, decided again from its events alone; that each trial has its job is seen below.
  expect(decisionProblems(rulesOf(record), await readLog(system.store, record.id), () => true).problems).toEqual([]);

  for (const trial of state.trials) {
    const head = await system.head(trialJob(record.id, trial));
    expect(['succeeded', 'cancelled']).toContain(head.state);
    expect(head.owner).toBeNull();
    if (trial.status === 'pruned') expect([head.state, head.reason]).toEqual(['cancelled', 'sweep_pruned']);
  }
  for (const survivor of whole) {
    const head = await system.head(trialJob(record.id, survivor));
    const job = structuredClone(SPEC.job) as Record<string, Record<string, unknown>>;
    job['training']!['optimizer'] = { type: 'adam', lr: survivor.params['lr'] };
    job['training']!['accum_iters'] = survivor.params['training.accum_iters'];
    const plain = await undisturbed(job as never);
    expect([head.result!.weights_sha256, head.result!.state_sha256]).toEqual([plain.weights, plain.state]);
    const manifest = JSON.parse((await system.store.get(head.manifest!))!.body.toString()) as Manifest;
    const rows = (await readSegments<UpdateRow>(system.store, manifest.rows.update)).map(({ wall_time: _wallTime, ...row }) => row);
    expect(rows).toEqual(plain.rows);
    expect(survivor.value).toBe(head.result!.validation!['val_loss']);
  }
});
