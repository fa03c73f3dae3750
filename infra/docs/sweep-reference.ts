// The part of docs/spec-reference.md that is about sweeps: every field as the schemas of lib/contract have it. Here are only the order
// and what holds between fields.
import { Budget, DISTRIBUTIONS, EarlyTerminate, Failure, IGNORED_KEYS, Metric, Parameter, Pbt, REFUSED_KEYS, Sampler, SweepSpecSchema, WarmStart } from '../../lib/contract/sweep.js';
import type { Schema } from '../../lib/jobs/spec/describe-schema.js';
import { code, fieldTable, markdownTable, sharedTable } from './fields.js';

const SECTIONS: Readonly<Record<string, string>> = {
  metric: '[an object](#metric)', parameters: '[parameters](#parameters) by their names', early_terminate: '[an object](#early-terminate)', budget: '[an object](#budget)', sampler: '[an object](#sampler)',
  warm_start: '[an object](#warm-start)', failure: '[an object](#failure)', pbt: '[an object](#population)', job: '[a job spec](#the-job-spec)', distribution: '[a distribution](#distributions)', when: '`{other parameter: [values]}`',
};
const see = (field: string): string | null => SECTIONS[field] ?? null;
const fields = (schema: object, omit: readonly string[] = []): string => fieldTable(schema, { see, omit });

/** What each distribution needs, and what it may have. */
const KEYS: Readonly<Record<(typeof DISTRIBUTIONS)[number], string>> = {
  constant: '`value`', categorical: '`values`', categorical_w_probabilities: '`values`, `probabilities`', int_uniform: '`min`, `max`: integers', uniform: '`min`, `max`', q_uniform: '`min`, `max`; `q`',
  log_uniform: '`min`, `max`: exponents of e', log_uniform_values: '`min`, `max`', q_log_uniform: '`min`, `max`: exponents of e; `q`', q_log_uniform_values: '`min`, `max`; `q`', inv_log_uniform: '`min`, `max`: exponents of e', inv_log_uniform_values: '`min`, `max`',
  normal: '`mu`, `sigma`', q_normal: '`mu`, `sigma`, `q`', log_normal: '`mu`, `sigma`', q_log_normal: '`mu`, `sigma`, `q`', beta: '`a`, `b`', q_beta: '`a`, `b`, `q`',
};

const EXAMPLE = `name: digits
method: tpe
metric: { name: val_loss }
parameters:
  lr: { distribution: log_uniform_values, min: 1.0e-4, max: 1.0e-1 }   # the end of training.optimizer.lr
  training.accum_iters: { values: [1, 2, 5] }
run_cap: 40
budget: { max_concurrent: 4, wall_clock: 6h }
early_terminate: { type: asha, min_iter: 50 }
job:
  data: { type: builtin, name: digits, validation: { split: 0.2 } }
  model: { layers: [{ type: flatten }, { type: dense, units: 10, activation: softmax }] }
  training: { epochs: 20, optimizer: { type: adam } }`;

export function sweepReference(): string[] {
  const rules = new Map((EarlyTerminate as Schema).oneOf!.map((each): [string, Schema] => [String(each.properties!['type']!.const), each]));
  return [
    '# The sweep spec',
    'A sweep is a YAML or JSON object, sent with `pawl sweep start FILE` (`POST /v1/sweeps`): what is searched, what is made better, and the job that each trial is. Keys are those of Weights & Biases where it has them.',
    ['```yaml', EXAMPLE, '```'].join('\n'),
    'What is wrong is told at once, as for jobs, and so are values at the edges of parameters that make a job that is refused. `--dry-run` (`?dry_run=true`) tells the first trials, and stores nothing.',
    fields(SweepSpecSchema, IGNORED_KEYS),
    `For files of Weights & Biases ${IGNORED_KEYS.map(code).join(', ')} are accepted and ignored; ${Object.keys(REFUSED_KEYS).map(code).join(', ')} are refused, because a trial is a job and starts no program.`,
    '## Parameters',
    'The name of a parameter is a path into the job spec, or the end of exactly one path of it: `lr` is `training.optimizer.lr` where no other `lr` is. A file of YAML may say a real number by a decimal point or an exponent: from `min: 0.0` to `max: 1` is `uniform`, from `min: 0` to `max: 1` is `int_uniform`.',
    fields(Parameter),
    '### Distributions',
    markdownTable(['distribution', 'keys'], DISTRIBUTIONS.map((name) => [code(name), KEYS[name]])),
    '## Metric',
    fields(Metric),
    '## Early terminate',
    'Trials are looked at where they pause, after a count of updates or samples that goes on where a resumed trial stood: a trial that goes on has the bits of one that never paused.',
    markdownTable(['type', ''], [...rules].map(([type, { description }]) => [code(type), description ?? ''])),
    sharedTable(new Map([...rules].filter(([type]) => type !== 'none')), { see, omit: ['type'] }),
    '## Population',
    'Of method `pbt`. When all trials of a population have come `interval` further, the worst end, and copies of the best, with their whole state but changed parameters, begin in their places as trials of their own.',
    fields(Pbt),
    'Method `pbt` needs a `metric` and a `job`. `early_terminate` is refused beside it, because it replaces the worst trials itself, and so are `when` and parameters that a copy could not go on with: only such as `training.optimizer.lr` are left. `budget.max_concurrent` and `run_cap` have to be null or at least the population: it goes on as one.',
    '## Budget',
    fields(Budget),
    '## Sampler',
    fields(Sampler),
    '## Warm start',
    fields(WarmStart),
    'The other sweep is read once, when this one is taken in. What this one cannot have of it is left out with a warning: parameters that it does not have or that lie outside, trials with such parameters, and with `previous` trials of another metric, which are refused otherwise. `warm_start` of the sweep says what was taken.',
    '## Failure',
    fields(Failure),
    'A point of `warm_start.points` that leaves nothing open and makes no valid job is a failed trial either way. After 1,000 combinations in a row that make no valid job, or 100 trials that failed for it, the sweep ends, and its `why` says so.',
  ];
}
