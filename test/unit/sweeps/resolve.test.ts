import { describe, expect, it } from 'vitest';
import type { SweepSpecInput } from '../../../lib/contract/sweep.js';
import { Parameter, SweepSpecSchema } from '../../../lib/contract/sweep.js';
import type { Schema } from '../../../lib/jobs/spec/describe-schema.js';
import { type ResolvedSweep, resolveSweep } from '../../../lib/sweeps/resolve.js';
import { everyDistribution, told } from './spaces.js';

const job = { data: { type: 'builtin', name: 'digits', validation: { split: 0.2 } }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] } } as SweepSpecInput['job'];
const sweep = (keys: object = {}): SweepSpecInput => ({ method: 'random', parameters: { lr: { min: 0.1, max: 0.5 } }, run_cap: 4, job, ...keys }) as SweepSpecInput;
const problemsOf = (input: unknown) => {
  const resolved = resolveSweep(input);
  return 'problems' in resolved ? told(resolved.problems) : [];
};
function resolvedOf(input: unknown): ResolvedSweep {
  const resolved = resolveSweep(input);
  if ('problems' in resolved) throw new Error(told(resolved.problems).join('\n'));
  return resolved;
}

describe('a resolved sweep', () => {
  it('has every default written', () => {
    expect(resolvedOf(sweep()).spec).toEqual({
      spec_version: 1, name: null, method: 'random', metric: null, parameters: { lr: { min: 0.1, max: 0.5 } }, early_terminate: { type: 'none' }, run_cap: 4,
      budget: { compute_seconds: null, wall_clock: null, max_failed: null, max_concurrent: null },
      sampler: { seed: 0, n_startup_trials: 10, n_ei_candidates: 24, constant_liar: true, group: false, preset: 'pawl' },
      warm_start: { points: [], from: null, import_trials: false }, failure: { retries: 3, on_invalid_params: 'replace' }, pbt: null, job, execution: 'jobs',
    });
  });

  it.each([
    ['of the shortest spec', sweep()],
    ['of Weights & Biases', everyDistribution()],
    ['with everything', sweep({
      name: 'nightly', method: 'tpe', metric: { name: 'val_loss', target: 0.2, impute_while_running: 'false' }, budget: { compute_seconds: 3600, wall_clock: '6h', max_failed: 10, max_concurrent: 4 },
      early_terminate: { type: 'asha', variant: 'promotion', resource: 'updates', min_iter: 50, max_iter: 1350 }, sampler: { seed: 42, preset: 'watanabe2023' },
      warm_start: { points: [{ lr: 0.2 }], from: 'previous', import_trials: true }, failure: { retries: 0, on_invalid_params: 'fail' }, execution: 'jobs',
    })],
    ['of hyperband', sweep({ metric: { name: 'loss' }, early_terminate: { type: 'hyperband', max_iter: 27, s: 2 } })],
    ['of the median rule', sweep({ metric: { name: 'loss' }, early_terminate: { type: 'median', min_iter: 10 } })],
    ['of pbt', sweep({ method: 'pbt', metric: { name: 'accuracy', goal: 'maximize' }, pbt: { interval: 100, population: 4 } })],
  ])('%s resolves to itself, to the last byte', (_, input) => {
    const { spec } = resolvedOf(input);
    expect(JSON.stringify(resolvedOf(spec).spec)).toBe(JSON.stringify(spec));
    expect(JSON.stringify(resolvedOf(JSON.parse(JSON.stringify(spec))).spec)).toBe(JSON.stringify(spec));
  });

  it('calls a metric of validation data as rows of epochs do; a program of your own as it likes', () => {
    const { spec } = resolvedOf(sweep({ metric: { name: 'validation_loss' } }));
    expect(spec.metric!.name).toBe('val_loss');
    expect(resolvedOf(spec).spec).toEqual(spec);
    expect(resolvedOf(sweep({ job: null, metric: { name: 'validation_loss' } })).spec.metric!.name).toBe('validation_loss');
    expect(problemsOf(sweep({ metric: { name: 'validation_loss' }, job: { ...job, data: { type: 'builtin', name: 'digits' } } }))).toEqual([expect.stringContaining('metric.name: "val_loss" needs validation data')]);
  });

  it('has durations in seconds', () => {
    expect(resolvedOf(sweep({ budget: { wall_clock: '6h' } })).spec.budget.wall_clock).toBe(21_600);
    expect(resolvedOf(sweep({ budget: { wall_clock: 90 } })).spec.budget.wall_clock).toBe(90);
  });
});

describe('a file of Weights & Biases', () => {
  it('loads as it is, with every distribution; what is of no use here is left out', () => {
    const { spec, space, template, warnings } = resolvedOf(everyDistribution());
    expect(space.dimensions.size).toBe(27);
    expect(template).toBeNull();
    expect(spec).toMatchObject({ name: 'every distribution', execution: 'external', early_terminate: { type: 'hyperband', min_iter: 3, eta: 3, strict: true }, metric: { impute_while_running: false } });
    for (const key of ['apiVersion', 'kind', 'controller', 'project', 'entity', 'description']) expect(spec).not.toHaveProperty(key);
    expect(told(warnings)).toEqual(['method: bayes is served by tpe']);
  });

  it('may not start a program, and is told why', () => {
    expect(problemsOf({ ...sweep(), program: 'train.py', command: ['${env}', 'python'], image_uri: 'x' })).toEqual([
      expect.stringMatching(/^program: is not possible: trials are jobs, and start no program/),
      expect.stringMatching(/^command: is not possible: trials are jobs, and run no command/),
      expect.stringMatching(/^image_uri: is not possible/),
    ]);
    expect(problemsOf(sweep({ job: 'team/project/job:v1' }))).toEqual(['job: must be a job spec, an object, got "team/project/job:v1": the name of a launch job is not possible']);
  });
});

describe('problems', () => {
  it.each<[string, unknown, string[]]>([
    ['what is unknown', sweep({ methud: 1, budget: { gpu_seconds: 3 } }), ['methud: is not a known key (did you mean method?)', 'budget.gpu_seconds: is not a known key']],
    ['what is required', {}, ['method: is required: one of grid, random, qmc, tpe, bayes, pbt', 'parameters: is required: at least one parameter']],
    ['an empty search', sweep({ parameters: {} }), ['parameters: must be at least one parameter by its name']],
    ['a name that cannot be', sweep({ parameters: { '1st': { value: 1 } } }), ['parameters.1st: is not allowed as a key; allowed: at least one parameter by its name']],
    ['a key of a parameter that there is not', sweep({ parameters: { g: { parameters: { lr: { minimum: 1 } } } } }), ['parameters.g.parameters.lr.minimum: is not a known key (did you mean min?)']],
    ['a wrong value of a parameter', sweep({ parameters: { lr: { distribution: 'gaussian' } } }), ['parameters.lr.distribution: must be one of constant, categorical']],
    ['a distribution', sweep({ parameters: { lr: { min: 2, max: 1 } } }), ['parameters.lr.max: must be above min']],
    ['a path', sweep({ parameters: { units: { values: [3] }, batch: { value: 1 } } }), ['parameters.batch: names nothing in the job (did you mean training.batch_size?)']],
    ['a value that makes no job', sweep({ parameters: { lr: { values: [0.1, 'fast'] } } }), ['parameters.lr: as "fast" makes a job that is refused: training.optimizer.lr must be a number']],
    ['the job itself', sweep({ job: { ...job, training: { epochs: 0 } } }), ['job.training.epochs: must be']],
    ['a metric that a learner needs', sweep({ method: 'tpe' }), ['metric: is required by method tpe']],
    ['a metric that stopping needs', sweep({ early_terminate: { type: 'median', min_iter: 3 } }), ['metric: is required by early_terminate median']],
    ['a metric that no row has', sweep({ metric: { name: 'f1' } }), ['metric.name: must be a column']],
    ['a metric without its validation data', sweep({ metric: { name: 'val_loss' }, job: { ...job, data: { type: 'builtin', name: 'digits' } } }), ['metric.name: "val_loss" needs validation data']],
    ['a grid of what has no steps', sweep({ method: 'grid' }), ['parameters.lr: is not possible in a grid']],
    ['pbt without its settings', sweep({ method: 'pbt', metric: { name: 'loss' } }), ['pbt: is required by method pbt']],
    ['settings of pbt without it', sweep({ pbt: { interval: 3 } }), ['pbt: is of method pbt only, got method random']],
    ['hyperband without its iterations', sweep({ metric: { name: 'loss' }, early_terminate: { type: 'hyperband', max_iter: 9 } }), ['early_terminate.min_iter: is required, or max_iter and s']],
    ['hyperband with too many of them', sweep({ metric: { name: 'loss' }, early_terminate: { type: 'hyperband', max_iter: 26, s: 3 } }), ['early_terminate.s: must be at most 2 for max_iter 26 and eta 3, got 3']],
    ['asha with its rungs upside down', sweep({ metric: { name: 'loss' }, early_terminate: { type: 'asha', min_iter: 9, max_iter: 3 } }), ['early_terminate.max_iter: must be at least min_iter, 9, got 3']],
    ['asha with more brackets than rungs', sweep({ metric: { name: 'loss' }, early_terminate: { type: 'asha', min_iter: 1, max_iter: 9, brackets: 4 } }), ['early_terminate.brackets: must be at most the number of rungs']],
    ['asha of a program of your own without an end', sweep({ job: null, metric: { name: 'loss' }, early_terminate: { type: 'asha', min_iter: 1 } }), ['early_terminate.max_iter: is required for external execution']],
    ['an unknown way to stop', sweep({ early_terminate: { type: 'envelope' } }), ['early_terminate.type: must be one of hyperband, asha, median, none, got "envelope"']],
    ['a duration', sweep({ budget: { wall_clock: '6 hours' } }), ['budget.wall_clock: must be seconds (at least 1), or a string such as 30s, 10m, 6h, 1d']],
    ['a first point that cannot be', sweep({ warm_start: { points: [{ lr: 0.2 }, { lr: 3 }] } }), ['warm_start.points.1.lr: must be a number from 0.1 to 0.5, got 3']],
    ['trials of no sweep', sweep({ warm_start: { import_trials: true } }), ['warm_start.import_trials: needs a sweep in warm_start.from']],
    ['a job of an external sweep', sweep({ execution: 'external' }), ['job: must not be there for external execution']],
    ['jobs without a job', sweep({ job: null, execution: 'jobs' }), ['job: is required']],
  ])('name %s', (_, input, problems) => {
    expect(problemsOf(input)).toEqual(problems.map((text) => expect.stringContaining(text) as string));
  });

  it.each([null, 3, 'sweep', [], [sweep()]])('are found in %j', (input) => {
    expect(problemsOf(input)).toHaveLength(1);
  });
});

describe('warnings', () => {
  it.each([
    [sweep({ method: 'bayes', metric: { name: 'loss' } }), 'method: bayes is served by tpe'],
    [sweep({ metric: { name: 'val_accuracy' } }), 'metric.goal: is minimize (the default): for more val_accuracy say "goal": "maximize"'],
    [sweep({ run_cap: null }), 'run_cap: is not given, and neither are a budget or a target: the sweep goes on until it is stopped'],
    [sweep({ parameters: { lr: { distribution: 'log_uniform', min: 0.01, max: 0.1 } } }), 'parameters.lr: has exponents of e as min and max: its values go from 1.01 to 1.105; for values from 0.01 to 0.1 say "distribution": "log_uniform_values"'],
    [sweep({ warm_start: { from: 'previous', import_trials: true } }), 'warm_start.import_trials: has no effect: method random does not learn from trials'],
    [sweep({ metric: { name: 'loss', impute: 'best' } }), 'metric.impute: has no effect: method random does not learn from trials'],
    [sweep({ method: 'qmc', metric: { name: 'loss', impute_while_running: 'latest' } }), 'metric.impute_while_running: has no effect: method qmc does not learn from trials'],
  ])('of %j', (input, warning) => {
    expect(told(resolvedOf(input).warnings)).toEqual([warning]);
  });
});

describe('the schema', () => {
  it('says of every key what it means', () => {
    const undescribed: string[] = [];
    const visit = (schema: Schema, path: string): void => {
      for (const [key, property] of Object.entries(schema.properties ?? {})) {
        if (property.description === undefined && property.const === undefined) undescribed.push(`${path}.${key}`);
        visit(property, `${path}.${key}`);
      }
      for (const branch of [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]) visit(branch, path);
    };
    visit(SweepSpecSchema as object, '');
    visit(Parameter as object, 'parameters');
    expect(undescribed).toEqual([]);
  });
});
