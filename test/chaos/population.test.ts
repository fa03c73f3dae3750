// Population based training on real workers, a controller killed at every exchange: a fork whose parameters are not changed is its parent,
// bit for bit, and no parent goes on before its fork holds its state.
import { afterEach, expect, test } from 'vitest';
import { ulid } from 'ulid';
import { systemClock } from '../../lib/clock.js';
import { loadRecord } from '../../lib/jobs/record.js';
import { createSweep, openLog, requireSweep } from '../../lib/sweeps/log.js';
import { trialJob } from '../../lib/sweeps/names.js';
import type { SweepRecord } from '../../lib/sweeps/record.js';
import { resolveSweep } from '../../lib/sweeps/resolve.js';
import { isOver, type SweepState, type TrialState } from '../../lib/sweeps/state.js';
import { startTestSystem, type TestSystem, waitFor } from '../support/system.js';
import { undisturbed } from './recipe.js';

let system: TestSystem;
afterEach(() => system.stop());

const JOB = {
  data: { type: 'builtin', name: 'digits', normalize: 'unit', validation: { split: 0.2 } },
  model: { layers: [{ type: 'conv2d', filters: 12, kernel_size: 3, activation: 'relu' }, { type: 'batch_normalization' }, { type: 'flatten' }, { type: 'dropout', rate: 0.2 }, { type: 'dense', units: 10, activation: 'softmax' }] },
  training: { batch_size: 10, accum_iters: 3, max_updates: 75, epochs: 100, optimizer: { type: 'adam', lr: 0.001, amsgrad: true }, seed: 3 },
  checkpoint: { every_micro_batches: 20 },
};
const SPEC = {
  method: 'pbt', metric: { name: 'val_loss' }, parameters: { 'training.optimizer.lr': { distribution: 'log_uniform_values', min: 1e-4, max: 1e-1 } },
  pbt: { population: 4, interval: 25, resample_probability: 0, factors: [1] }, sampler: { seed: 7 }, job: JOB,
};

const stateOf = async (record: SweepRecord): Promise<SweepState> => (await openLog({ store: system.store, clock: systemClock }, record)).state();
const forksOf = ({ trials }: SweepState): TrialState[] => trials.filter(({ fork }) => fork !== null);

test('controllers killed at its exchanges: forks go on from the bits of their parents', async () => {
  system = await startTestSystem();
  let controller = await system.startController();
  for (let count = 0; count < 2; count++) await system.startWorker();
  const resolved = resolveSweep(SPEC);
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  const { id } = await createSweep({ store: system.store, clock: systemClock }, { id: `swp_${ulid().toLowerCase()}`, created_at: new Date().toISOString(), spec: resolved.spec, schedule: null });
  const record = await requireSweep(system.store, id);

  for (const exchanges of [1, 2]) {
    await waitFor(`exchange ${exchanges}`, async () => forksOf(await stateOf(record)).length === exchanges, 120_000);
    controller.kill('SIGKILL');
    await controller.exited;
    controller = await system.startController();
  }
  const state = await waitFor('the sweep is over, and its jobs are', async () => {
    const seen = await stateOf(record);
    return seen.end !== null && (await system.store.head(`open-sweeps/${id}`)) === null ? seen : null;
  }, 240_000);

  expect(state.end!.status).toBe('succeeded');
  expect(state.trials).toHaveLength(6);
  expect(state.trials.filter((trial) => !isOver(trial))).toEqual([]);
  expect(forksOf(state).map(({ fork }) => fork!.step)).toEqual([25, 50]);
  for (const { fork, ...trial } of forksOf(state)) {
    const parent = state.trials[fork!.trial]!;
    const { init } = (await loadRecord(system.store, trialJob(id, trial)))!.spec.model;
    expect(init).toMatchObject({ job: trialJob(id, parent), include: 'state' });
    expect((await system.head(trialJob(id, parent))).pins).toContain((init as { checkpoint: string }).checkpoint);
    expect(trial.params).toEqual(parent.params);
  }
  const whole = state.trials.filter(({ status }) => status === 'succeeded');
  expect(whole).toHaveLength(4);
  expect(whole.some(({ fork }) => fork !== null)).toBe(true);
  for (const trial of whole) {
    const plain = await undisturbed({ ...JOB, training: { ...JOB.training, optimizer: { ...JOB.training.optimizer, lr: trial.params['training.optimizer.lr'] } } } as never);
    const { result } = await system.head(trialJob(id, trial));
    expect(result!.weights_sha256, `trial ${trial.number}`).toBe(plain.weights);
  }
});
