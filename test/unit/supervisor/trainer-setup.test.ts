// Engine and threads inside operations shape bits: chosen once, then read back from the numerics class, whatever the machine.
import { expect, test } from 'vitest';
import type { JobSpec } from '../../../lib/contract/spec.js';
import { chooseTrainerSetup, partsOf } from '../../../worker/supervisor/trainer-setup.js';
import { trainerEnvironment } from '../../../worker/trainer-environment.js';

const CLASS = 'tensorflow graph; libtensorflow 2.20.0; intra-op 6; onednn 1';
const choose = (training: object, numericsClass: string | null, engine = 'auto', worker = 'auto') =>
  chooseTrainerSetup({ training, resources: { engine } } as unknown as JobSpec, numericsClass, { cores: 4, engine: worker as 'auto', gpu: null });

test.each([
  ['a window of several micro-batches computes each on one thread, as many at a time as there are cores', { accum_iters: 8, lanes: 'auto' }, null, { intraOpThreads: 1, interOpThreads: 4 }],
  ['never more at a time than a window has', { accum_iters: 3, lanes: 'auto' }, null, { intraOpThreads: 1, interOpThreads: 3 }],
  ['or as many as the job says, cores or not', { accum_iters: 8, lanes: 6 }, null, { intraOpThreads: 1, interOpThreads: 6 }],
  ['a window of one spreads its operations over the cores', { accum_iters: 1, lanes: 'auto' }, null, { intraOpThreads: 4, interOpThreads: 1 }],
  ['a job that began elsewhere keeps the threads inside its operations', { accum_iters: 1, lanes: 'auto' }, CLASS, { intraOpThreads: 6, interOpThreads: 1 }],
  ['and its lanes are this machine\'s', { accum_iters: 8, lanes: 'auto' }, CLASS, { intraOpThreads: 6, interOpThreads: 4 }],
] as const)('%s', (_, training, numericsClass, expected) => expect(choose(training, numericsClass)).toMatchObject(expected));

test.each([
  ['what there is, if nobody says', 'auto', 'auto', null, 'auto'],
  ['the worker\'s', 'auto', 'wasm', null, 'wasm'],
  ['the job\'s before the worker\'s', 'tensorflow', 'wasm', null, 'tensorflow'],
  ['that of its first attempt before all others', 'auto', 'wasm', CLASS, 'tensorflow'],
  ['that of its first attempt, a wasm', 'auto', 'tensorflow', 'wasm; tfjs-backend-wasm 4.22.0', 'wasm'],
] as const)('the engine is %s', (_, job, worker, numericsClass, expected) => {
  expect(choose({ accum_iters: 1, lanes: 'auto' }, numericsClass, job, worker).engine).toBe(expected);
});

test('no GPU is seen by a job that is to have none', () => {
  const setup = (gpu: 'none' | 'preferred') => chooseTrainerSetup({ training: { accum_iters: 1, lanes: 1 }, resources: { engine: 'auto', gpu } } as unknown as JobSpec, null, { cores: 2, engine: 'auto', gpu: '3' });
  expect(trainerEnvironment(setup('none'))['CUDA_VISIBLE_DEVICES']).toBe('');
  expect(trainerEnvironment(setup('preferred'))['CUDA_VISIBLE_DEVICES']).toBe('3');
});

test('how many slices a micro-batch is computed in is read from the numerics class', () => {
  expect(partsOf('')).toBe(1);
  expect(partsOf(`${CLASS}; batch 32; program 0f`)).toBe(1);
  expect(partsOf(`${CLASS}; batch 32 in 4 parts; program 0f`)).toBe(4);
});
