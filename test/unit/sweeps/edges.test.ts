import { describe, expect, it } from 'vitest';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import type { ParameterInput } from '../../../lib/contract/sweep.js';
import { edgeProblems } from '../../../lib/sweeps/edges.js';
import { bindTemplate } from '../../../lib/sweeps/paths.js';
import { spaceOf, told } from './spaces.js';

const job: JobSpecInput = {
  data: { type: 'builtin', name: 'digits', validation: { split: 0.2 } },
  model: { layers: [{ type: 'flatten' }, { type: 'dropout', rate: 0.5 }, { type: 'dense', units: 10, activation: 'softmax' }] },
};
function problemsOf(parameters: Record<string, ParameterInput>, template = job) {
  const space = spaceOf(parameters);
  const bound = bindTemplate(template, space.dimensions.keys());
  if ('problems' in bound) throw new Error(told(bound.problems).join('\n'));
  return told(edgeProblems(bound.template, space));
}

describe('the edges of parameters', () => {
  it('are valid jobs, in a good sweep', () => {
    expect(problemsOf({
      lr: { distribution: 'log_uniform_values', min: 1e-5, max: 0.1 }, accum_iters: { values: [1, 2, 5] }, rate: { min: 0.0, max: 0.7, distribution: 'uniform' },
      'optimizer.type': { values: ['sgd', 'adam'] }, 'training.optimizer.momentum': { min: 0.5, max: 0.9, when: { 'optimizer.type': ['sgd'] } },
      'training.clip_norm': { values: [null, 1] },
    })).toEqual([]);
  });

  it('are named with their value and with what is allowed', () => {
    expect(problemsOf({ rate: { min: 0.5, max: 1.5 }, lr: { min: -0.5, max: 0.9 }, tail: { values: ['carry', 'flsh'] } })).toEqual([
      'parameters.rate: as 1.5 makes a job that is refused: model.layers.1.rate must be a number ≥ 0 and < 1, got 1.5',
      'parameters.lr: as -0.5 makes a job that is refused: training.optimizer.lr must be a number > 0 and ≤ 1000000, got -0.5',
      'parameters.tail: as "flsh" makes a job that is refused: training.tail must be one of carry, flush, drop, got "flsh"',
    ]);
  });

  it('are not the only values: numbers between them are tried too', () => {
    expect(problemsOf({ batch_size: { distribution: 'uniform', min: 8, max: 64 } })).toEqual([expect.stringMatching(/^parameters.batch_size: as 29\.\d+ makes a job that is refused: training.batch_size must be an integer from 1 to 65536, got 29/)]);
  });

  it('are taken in a little where a distribution has tails', () => {
    expect(problemsOf({ lr: { distribution: 'log_normal', mu: -7, sigma: 1 } })).toEqual([]);
    expect(problemsOf({ lr: { distribution: 'beta', a: 2, b: 5 } })).toEqual([]);
    expect(problemsOf({ lr: { distribution: 'normal', mu: 0.01, sigma: 0.01 } })).toEqual([expect.stringMatching(/^parameters.lr: as -0\.01/)]);
  });

  it('are tried under the conditions that they have, through a chain of them', () => {
    const parameters: Record<string, ParameterInput> = {
      'optimizer.type': { values: ['adam', 'sgd'] },
      'training.optimizer.nesterov': { values: [false, true], when: { 'optimizer.type': ['sgd'] } },
      'training.optimizer.momentum': { min: 0.5, max: 1.5, when: { 'training.optimizer.nesterov': [true] } },
    };
    expect(problemsOf(parameters)).toEqual([expect.stringMatching(/^parameters."training.optimizer.momentum": as 1.5 makes a job that is refused: training.optimizer.momentum must be a number ≥ 0 and < 1, got 1.5/)]);
  });

  it('say which value of another parameter makes one wrong', () => {
    const [problem] = problemsOf({ 'optimizer.type': { values: ['sgd', 'adam'] }, 'training.optimizer.momentum': { min: 0.5, max: 0.9 } });
    expect(problem).toMatch(/^parameters."training.optimizer.momentum": as 0\.6\d* makes a job that is refused: training.optimizer.momentum is not a known key.* \(with optimizer.type = "adam"\)$/);
  });

  it('leave a problem of the template alone to the template', () => {
    const broken = { ...job, checkpoint: { keep_last: 0 }, training: { epochs: 1.5 } } as JobSpecInput;
    expect(problemsOf({ 'training.optimizer.lr': { min: 0.1, max: 0.5 } }, broken)).toEqual(['job.training.epochs: must be an integer from 1 to 1000000000 or null, got 1.5', 'job.checkpoint.keep_last: must be an integer from 2 to 100, got 0']);
  });

  it('are few, of many choices', () => {
    const values = Array.from({ length: 5000 }, (_, index) => index + 1);
    const startedMs = performance.now();
    expect(problemsOf({ batch_size: { values } })).toEqual([]);
    expect(problemsOf({ batch_size: { values: [...values, 100_000] } })).toHaveLength(1);
    expect(performance.now() - startedMs).toBeLessThan(15_000);
  });
});
