import { expect, it } from 'vitest';
import { planModel } from '../../../lib/model/plan-model.js';
import { expectedState } from '../../../lib/model/slots.js';
import { stateFiles, tensorsOfFile } from '../../../lib/model/state-files.js';
import type { HostTensor } from '../../../lib/training/state.js';
import { layersOf } from './layers-of.js';

const planned = planModel(layersOf({ type: 'conv2d', filters: 1, kernel_size: 1, use_bias: false }, { type: 'batch_normalization', center: false }, { type: 'flatten' }, { type: 'dense', units: 2, use_bias: false, trainable: false }), [2, 2, 1]);
if ('problems' in planned) throw new Error(JSON.stringify(planned.problems));
const { plan } = planned;
const optimizer = { type: 'sgd', lr: 0.1, momentum: 0.9, nesterov: false, decay: 0, weight_decay: 0 } as const;
const names = (files: ReturnType<typeof stateFiles>) => Object.fromEntries([...files].map(([role, entries]) => [role, entries.map(({ name, tensor }) => (name === tensor ? name : `${name} ← ${tensor}`))]));

it('a file a role, under the state’s names', () => {
  expect(names(stateFiles(expectedState(plan, { optimizer, ema: null }, true)))).toEqual({
    weights: ['conv2d_1/kernel', 'batch_normalization_1/gamma', 'batch_normalization_1/moving_mean', 'batch_normalization_1/moving_variance', 'dense_1/kernel'],
    slots: ['optimizer/conv2d_1/kernel/momentum', 'optimizer/batch_normalization_1/gamma/momentum'],
    window: ['accumulator/conv2d_1/kernel', 'accumulator/batch_normalization_1/gamma', 'statistics/batch_normalization_1/count', 'statistics/batch_normalization_1/mean', 'statistics/batch_normalization_1/m2'],
  });
  expect([...stateFiles(expectedState(plan, { optimizer: { ...optimizer, momentum: 0 }, ema: null }, false))].map(([role, entries]) => [role, entries.length])).toEqual([['weights', 5], ['slots', 0]]);
});

it('the moving averages are a whole model, under its names', () => {
  const files = stateFiles(expectedState(plan, { optimizer, ema: { momentum: 0.99 } }, false));
  expect(names(files)['ema']).toEqual(['conv2d_1/kernel ← ema/conv2d_1/kernel', 'batch_normalization_1/gamma ← ema/batch_normalization_1/gamma', 'batch_normalization_1/moving_mean', 'batch_normalization_1/moving_variance', 'dense_1/kernel']);
  const tensor = (value: number): HostTensor => ({ dtype: 'F32', shape: [1], data: Float32Array.of(value) });
  const entries = files.get('ema')!;
  const file = new Map(entries.map(({ name }, index) => [name, tensor(index)]));
  // only the averages come from it
  expect(tensorsOfFile('ema', entries, file)).toEqual([['ema/conv2d_1/kernel', tensor(0)], ['ema/batch_normalization_1/gamma', tensor(1)]]);
  expect(tensorsOfFile('weights', files.get('weights')!, file)).toHaveLength(5);
});
