import { describe, expect, it } from 'vitest';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { resolveSpec } from '../../../lib/jobs/spec/resolve.js';
import type { Params } from '../../../lib/sweeps/dimension.js';
import { applyParams, bindTemplate, type JobTemplate } from '../../../lib/sweeps/paths.js';
import { told } from './spaces.js';

const job = (sections: Partial<JobSpecInput> = {}): JobSpecInput => ({
  data: { type: 'builtin', name: 'digits' },
  model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 32, activation: 'relu' }, { type: 'dense', units: 10, activation: 'softmax' }] },
  training: { epochs: 2, loss: 'categorical_crossentropy' },
  ...sections,
});
function bound(names: string[], template = job()): JobTemplate {
  const result = bindTemplate(template, names);
  if ('problems' in result) throw new Error(told(result.problems).join('\n'));
  return result.template;
}
const problemsOf = (names: string[], template = job()) => {
  const result = bindTemplate(template, names);
  return 'problems' in result ? told(result.problems) : [];
};
const pathOf = (name: string) => bound([name]).paths.get(name)?.join('.');
const applied = (params: Params, template = job()) => applyParams(bound(Object.keys(params), template), params);

describe('a name', () => {
  it.each([
    ['training.optimizer.lr', 'training.optimizer.lr'],
    ['model.layers.1.units', 'model.layers.1.units'],
    ['lr', 'training.optimizer.lr'],
    ['optimizer.lr', 'training.optimizer.lr'],
    ['optimizer.type', 'training.optimizer.type'],
    ['batch_size', 'training.batch_size'],
    ['1.units', 'model.layers.1.units'],
    ['loss.label_smoothing', 'training.loss.label_smoothing'],
    // a whole path comes before the end of another
    ['name', 'name'],
    ['data', 'data'],
    // the template does not have it, a trial's job may
    ['training.optimizer.momentum', 'training.optimizer.momentum'],
    ['training.ema.momentum', 'training.ema.momentum'],
  ])('%s means %s', (name, path) => {
    expect(pathOf(name)).toBe(path);
  });

  it('that is the end of several paths is refused with all of them', () => {
    expect(problemsOf(['units', 'optimizer.type'])).toEqual(['parameters.units: is the end of 2 paths of the job; say which one: model.layers.1.units, model.layers.2.units']);
    expect(problemsOf(['type'])).toEqual([expect.stringMatching(/^parameters.type: is the end of 7 paths of the job; say which one: data.type, model.layers.0.type/)]);
  });

  it('that is the end of none is refused, with what is near', () => {
    expect(problemsOf(['batch', 'nothing_like_it'])).toEqual([
      'parameters.batch: names nothing in the job (did you mean training.batch_size?)',
      'parameters.nothing_like_it: names nothing in the job; a parameter is a path into it, such as training.optimizer.lr, or the end of one',
    ]);
  });

  it('may not mean what another means', () => {
    expect(problemsOf(['lr', 'training.optimizer.lr'])).toEqual(['parameters."training.optimizer.lr": means training.optimizer.lr, and so does lr']);
  });

  it('of an element that a list does not have is refused', () => {
    expect(problemsOf(['model.layers.3.units'])).toEqual(['parameters."model.layers.3.units": names an element that model.layers does not have: it has elements 0 to 2, got 3']);
    expect(problemsOf(['training.metrics.1'])).toEqual(['parameters."training.metrics.1": names an element that training.metrics does not have: it has only element 0, got 1']);
  });

  it('is not missed before the job itself is right', () => {
    expect(problemsOf(['lr'], job({ training: { epochs: 0 } }))).toEqual(['job.training.epochs: must be an integer from 1 to 1000000000 or null, got 0']);
  });

  it('is looked for in what was sent if the template is no valid job by itself', () => {
    const open = { ...job(), model: { layers: [{ type: 'flatten' }, { type: 'dense', activation: 'relu' }, { type: 'dense', units: 10 }] } } as JobSpecInput;
    const template = bound(['model.layers.1.units', 'epochs'], open);
    expect(template.resolved).toBeNull();
    expect(resolveSpec(applyParams(template, { 'model.layers.1.units': 3, epochs: 4 }))).toMatchObject({ spec: { training: { epochs: 4 } } });
  });
});

describe('applied parameters', () => {
  it('are in the job, and the rest is as it was', () => {
    const template = job();
    expect(applied({ epochs: 7, 'model.layers.1.units': 64 }, template)).toEqual({ ...template, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 64, activation: 'relu' }, { type: 'dense', units: 10, activation: 'softmax' }] }, training: { epochs: 7, loss: 'categorical_crossentropy' } });
    expect(template).toEqual(job());
  });

  it('bring what they stand in along, of the type that it has by default', () => {
    expect(applied({ lr: 0.5 }).training).toEqual({ epochs: 2, loss: 'categorical_crossentropy', optimizer: { type: 'adam', lr: 0.5 } });
    expect(applied({ 'checkpoint.keep_best.n': 3 }).checkpoint).toEqual({ keep_best: { n: 3 } });
    expect(applied({ 'training.ema.momentum': 0.5, 'training.ema': null }).training).toMatchObject({ ema: { momentum: 0.5 } });
  });

  it('spell a shorthand out', () => {
    expect(applied({ 'loss.label_smoothing': 0.1 }).training?.loss).toEqual({ type: 'categorical_crossentropy', label_smoothing: 0.1 });
    expect(applied({ 'training.loss': 'binary_crossentropy', 'loss.label_smoothing': 0.1 }).training?.loss).toEqual({ type: 'binary_crossentropy', label_smoothing: 0.1 });
    expect(applied({ 'training.metrics.0': 'accuracy' }).training?.metrics).toEqual(['accuracy']);
  });

  it('go into each other, whatever their order', () => {
    const params = { 'training.optimizer.lr': 0.3, 'training.optimizer': { type: 'sgd', momentum: 0.9 } };
    expect(applied(params).training?.optimizer).toEqual({ type: 'sgd', momentum: 0.9, lr: 0.3 });
  });

  it('leave other choices of a tagged object valid, because the defaults of the first are not written', () => {
    expect(resolveSpec(applied({ 'optimizer.type': 'sgd', 'training.optimizer.momentum': 0.9 }))).toMatchObject({ spec: { training: { optimizer: { type: 'sgd', momentum: 0.9, lr: 0.01 } } } });
  });

  it('cannot reach behind objects', () => {
    const made = applied({ 'training.__proto__.polluted': true });
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(resolveSpec(made)).toEqual({ problems: [{ param: 'training.__proto__', message: expect.stringContaining('is not a known key') as string }] });
  });

  it('that do not fit make a job that is refused, not a failure here', () => {
    const template = bound(['training', 'training.optimizer.lr', 'model.layers', 'model.layers.1.units']);
    for (const params of [{ training: 3, 'training.optimizer.lr': 1 }, { 'model.layers': [{ type: 'flatten' }], 'model.layers.1.units': 4 }, { 'model.layers': 'x', 'model.layers.1.units': 4 }]) {
      expect(resolveSpec(applyParams(template, params))).toHaveProperty('problems');
    }
  });
});
