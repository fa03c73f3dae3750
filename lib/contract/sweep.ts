// The spec of a sweep: every key, bound and default that a user may write. Names and meanings are those of Weights & Biases
// where it has one (https://docs.wandb.ai/models/sweeps/sweep-config-keys), so that such a file loads unchanged but for what
// starts a program; the rest is ours. What keys of a distribution go together is in lib/sweeps/distributions.ts.
import Type, { type Static } from 'typebox';
import { closed, idOf, oneOf, positive, type Resolved, tagged } from './common.js';
import type { JobSpecInput } from './spec.js';

export const METHODS = ['grid', 'random', 'qmc', 'tpe', 'bayes', 'pbt'] as const;
export const DISTRIBUTIONS = [
  'constant', 'categorical', 'categorical_w_probabilities', 'int_uniform', 'uniform', 'q_uniform',
  'log_uniform', 'log_uniform_values', 'q_log_uniform', 'q_log_uniform_values', 'inv_log_uniform', 'inv_log_uniform_values',
  'normal', 'q_normal', 'log_normal', 'q_log_normal', 'beta', 'q_beta',
] as const;
export type Distribution = (typeof DISTRIBUTIONS)[number];

const nullDefault = <T>(schema: object, description: string) => Type.Optional(Type.Unsafe<T | null>({ anyOf: [schema, { type: 'null' }], description, default: null }));
const LARGEST = 1_000_000_000;

/** What `$ref`s to a parameter inside a group say. */
export const PARAMETER_ID = 'parameter';
const byName = (parameter: object) => ({
  type: 'object',
  propertyNames: { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_.-]{0,255}$' },
  minProperties: 1,
  additionalProperties: parameter,
  allows: 'at least one parameter by its name: letters, digits and _.-, beginning with a letter or _',
});
/** What a user may write for one parameter, or for a group of them. */
export interface ParameterInput {
  distribution?: Distribution;
  value?: unknown;
  values?: unknown[];
  probabilities?: number[];
  min?: number;
  max?: number;
  q?: number;
  mu?: number;
  sigma?: number;
  a?: number;
  b?: number;
  parameters?: Record<string, ParameterInput>;
  when?: Record<string, unknown[]>;
}
const number = (description: string, bounds: object = {}) => ({ type: 'number', ...bounds, description });
export const Parameter = Type.Unsafe<ParameterInput>({
  $id: PARAMETER_ID,
  type: 'object',
  properties: {
    distribution: oneOf(DISTRIBUTIONS, { description: 'how it is drawn. Without it: `value` is a constant, `values` are choices, integers as `min` and `max` bound integers, other numbers real ones. `log_uniform`, `q_log_uniform` and `inv_log_uniform` take exponents of e as `min` and `max`; their namesakes with `_values` the values themselves' }),
    value: { description: 'the only value' },
    values: { type: 'array', minItems: 1, maxItems: 10_000, description: 'the choices' },
    probabilities: { type: 'array', minItems: 1, maxItems: 10_000, items: { type: 'number', minimum: 0, maximum: 1 }, description: 'how probable each of `values` is; they sum to 1' },
    min: number('the lowest value; an exponent of e where the distribution says so'),
    max: number('the highest value, included; an exponent of e where the distribution says so'),
    q: number('values are multiples of it, within `min` and `max`; 1 unless given', { exclusiveMinimum: 0 }),
    mu: number('the mean (log_normal: of the logarithm); 0 unless given'),
    sigma: number('the standard deviation (log_normal: of the logarithm); 1 unless given', { exclusiveMinimum: 0 }),
    a: number('the first shape of a beta distribution; 1 unless given', { exclusiveMinimum: 0 }),
    b: number('the second shape of a beta distribution; 1 unless given', { exclusiveMinimum: 0 }),
    parameters: { ...byName({ $ref: PARAMETER_ID }), description: 'a group: parameters whose names begin with this one and a dot' },
    when: {
      type: 'object',
      minProperties: 1,
      additionalProperties: { type: 'array', minItems: 1, maxItems: 10_000 },
      allows: '{other parameter: [values]}',
      description: 'the values of other parameters, by their whole names, under which there is this one (all of them have to hold); other trials do not have it',
    },
  },
  additionalProperties: false,
});

export const Metric = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 256, description: 'what is made better: a column of the rows of epochs, such as `val_loss`; of an external sweep any name' }),
    goal: Type.Optional(oneOf(['minimize', 'maximize'], { default: 'minimize', description: 'which way it gets better' })),
    target: nullDefault<number>({ type: 'number' }, 'a value as good as this one ends the sweep'),
    impute: Type.Optional(oneOf(['latest', 'best', 'worst'], { default: 'worst', description: 'tpe: what a trial counts as that failed, was cancelled, or ended without a value: its latest or its best value, or worse than all others (`worst`, and where it has none)' })),
    impute_while_running: Type.Optional(Type.Unsafe<'latest' | 'best' | 'worst' | 'false' | false>({ anyOf: [{ type: 'string', enum: ['latest', 'best', 'worst', 'false'] }, { type: 'boolean', enum: [false] }], allows: 'one of latest, best, worst, or false', description: 'tpe: what a trial counts as that runs or waits at a rung: its latest or its best value, as soon as it has one, or worse than all others; `false`: as none, it only keeps others away (`constant_liar`), but where trials are stopped early all count by their values at the highest step that enough have come to, until enough have ended', default: false })),
  },
  { ...closed, description: 'what the sweep is about' },
);

const resource = Type.Optional(oneOf(['updates', 'samples'], { default: 'updates', description: 'what the iterations count: updates, or samples, counted as updates times `batch_size` times `accum_iters` of the trial: a smaller last micro-batch of an epoch, and a window that `tail: flush` ends early, count as whole ones. Both go on where a resumed trial stood. Of external trials: the steps that are told' }));
const eta = Type.Optional(Type.Number({ exclusiveMinimum: 1, maximum: 1000, default: 3, description: 'of so many trials one goes on; for asha an integer' }));
const iterations = (description: string) => nullDefault<number>(positive(LARGEST), description);
const Hyperband = Type.Object(
  {
    type: Type.Literal('hyperband'),
    min_iter: iterations('the first iteration at which trials are stopped; the next ones are eta times as far'),
    max_iter: iterations('with `s`, instead of `min_iter`: the end, from which the iterations are counted back'),
    s: nullDefault<number>(positive(100), 'how many times trials are stopped before `max_iter`: at max_iter / eta, and so on'),
    eta,
    strict: Type.Optional(Type.Boolean({ default: true, description: 'whether the value at the iteration counts; otherwise the best one so far' })),
    resource,
  },
  { ...closed, description: 'at each of some iterations a trial goes on if it is among the best 1/eta of those that came so far; for good or not at all' },
);
const Asha = Type.Object(
  {
    type: Type.Literal('asha'),
    variant: Type.Optional(oneOf(['promotion', 'stopping'], { default: 'promotion', description: '`promotion`: a trial pauses at each rung and is resumed if it turns out to be among the best 1/eta; `stopping`: it goes on or ends at once' })),
    resource,
    min_iter: positive(LARGEST, { description: 'the first rung; the next ones are eta times as far' }),
    max_iter: iterations('the last rung; null: the end of the training that `job` describes, which is refused of external trials, and where the API cannot read the data'),
    eta,
    brackets: Type.Optional(Type.Integer({ minimum: 1, maximum: 16, default: 1, description: 'with how many first rungs: each bracket begins one rung later than the one before' })),
  },
  { ...closed, description: 'successive halving without waiting: rungs at min_iter · etaⁿ' },
);
const Median = Type.Object(
  {
    type: Type.Literal('median'),
    resource,
    min_iter: positive(LARGEST, { description: 'the first iteration at which a trial is looked at' }),
    interval: iterations('iterations between two looks; null: `min_iter`'),
    n_startup_trials: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, default: 5, description: 'trials that have to be through before one is stopped' })),
  },
  { ...closed, description: 'a trial ends whose best value so far is worse than the median of the others at that iteration' },
);
const NoStopping = Type.Object({ type: Type.Literal('none') }, { ...closed, description: 'every trial runs to its end' });
export const EarlyTerminate = tagged([Hyperband, Asha, Median, NoStopping], { default: { type: 'none' }, description: 'which trials end before their time' });

export const Budget = Type.Object(
  {
    compute_seconds: nullDefault<number>({ type: 'number', exclusiveMinimum: 0 }, 'time in attempts, of all trials together, after which no more is trained; not of external trials, whose time nobody measures'),
    wall_clock: Type.Optional(Type.Unsafe<number | string | null>({ anyOf: [{ type: 'number', minimum: 1 }, { type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?[smhd]$' }, { type: 'null' }], allows: 'seconds (at least 1), or a string such as 30s, 10m, 6h, 1d', description: 'time since the sweep began, after which no more is trained', default: null })),
    max_failed: nullDefault<number>({ type: 'integer', minimum: 0, maximum: LARGEST }, 'trials that may fail before the sweep does'),
    // all of them may begin at one event
    max_concurrent: nullDefault<number>(positive(1_000), 'trials that run at a time; null: 4, with method pbt its whole population, of external trials as many as are asked for'),
  },
  { ...closed, default: {}, description: 'what the sweep may take; null: no limit' },
);
export const Sampler = Type.Object(
  {
    seed: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, default: 0, description: 'decides what is drawn; 0 is a seed like any other' })),
    n_startup_trials: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000, default: 10, description: 'tpe: trials that are drawn at random before it learns from them' })),
    n_ei_candidates: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 24, description: 'tpe: candidates of which the most promising becomes a trial' })),
    constant_liar: Type.Optional(Type.Boolean({ default: true, description: 'tpe: whether trials that run keep others away from where they are' })),
    group: Type.Optional(Type.Boolean({ default: false, description: 'tpe: whether parameters are modelled together only with those that trials have them with, where some have conditions' })),
    preset: Type.Optional(oneOf(['pawl', 'optuna5', 'watanabe2023'], { default: 'pawl', description: "tpe: `pawl`, Optuna 5's with two changes: good trials count by how good they are, and one trial in ten tries a choice that good ones did not have; `optuna5`, the same without them; `watanabe2023`, what arXiv 2304.11127 recommends" })),
  },
  { ...closed, default: {}, description: 'how trials are chosen' },
);
export const WarmStart = Type.Object(
  {
    points: Type.Optional(Type.Array(Type.Unsafe<Record<string, unknown>>({ type: 'object', minProperties: 1, allows: 'an object of values by the names of their parameters' }), { maxItems: 10_000, default: [], description: 'the first trials: some or all of their parameters; the others are drawn' })),
    from: Type.Optional(Type.Unsafe<string | null>({ anyOf: [idOf('swp'), { type: 'string', enum: ['previous'] }, { type: 'null' }], allows: 'an id such as swp_01j…, "previous" (in a schedule: the sweep that it started last), or null', description: 'a sweep whose best parameters, as it is when this one is sent, become a first trial after `points`; what this one cannot have of them is drawn', default: null })),
    import_trials: Type.Optional(Type.Boolean({ default: false, description: 'whether the trials of `from` that are over and have a value (at most 500, the newest) count for tpe as if they were of this sweep; they count for nothing else. Both have to have the same metric' })),
  },
  { ...closed, default: {}, description: 'what is known beforehand' },
);
export const Failure = Type.Object(
  {
    retries: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000, default: 3, description: 'attempts that may fail before a trial does; an external one fails when its program says so' })),
    on_invalid_params: Type.Optional(oneOf(['replace', 'fail'], { default: 'replace', description: 'parameters that make no valid job: `replace` draws others, without counting them as a trial; `fail` makes them a failed trial without a job' })),
  },
  { ...closed, default: {}, description: 'what becomes of trials that go wrong' },
);
export const Pbt = Type.Object(
  {
    population: Type.Optional(Type.Integer({ minimum: 2, maximum: 10_000, default: 10, description: 'how many trials there are' })),
    interval: positive(LARGEST, { description: 'iterations between two comparisons' }),
    resource,
    quantile: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 0.5, default: 0.25, description: 'the share of the worst that go on as copies of as many best' })),
    resample_probability: Type.Optional(Type.Number({ minimum: 0, maximum: 1, default: 0.25, description: 'how often a copy draws a parameter anew instead of changing it a little' })),
    factors: Type.Optional(Type.Array(Type.Number({ exclusiveMinimum: 0, maximum: 1000 }), { minItems: 1, maxItems: 16, default: [0.8, 1.2], description: 'a copy multiplies a number by one of them; of choices it takes a neighbour' })),
  },
  { ...closed, description: 'population based training: when all trials of a population have come `interval` further, the worst end, and copies of the best, with their whole state but changed parameters, begin in their places as trials of their own' },
);

/** Of Weights & Biases: allowed, and without effect here. */
const ignored = (schema: object, what: string) => Type.Optional(Type.Unsafe<unknown>({ ...schema, description: `${what}; accepted and ignored` }));
const text = { type: 'string', maxLength: 10_000 };
export const IGNORED_KEYS = ['apiVersion', 'kind', 'controller', 'description', 'project', 'entity'] as const;

/** Of Weights & Biases: refused, and why. */
export const REFUSED_KEYS: Readonly<Record<string, string>> = {
  program: 'is not possible: trials are jobs, and start no program. Leave it out, and describe the training in `job`; without `job` your own program can ask for parameters and tell results',
  command: 'is not possible: trials are jobs, and run no command. Leave it out, and describe the training in `job`; without `job` your own program can ask for parameters and tell results',
  image_uri: 'is not possible: trials are jobs, and run no image. Leave it out, and describe the training in `job`',
};

export const SweepSpecSchema = Type.Object(
  {
    spec_version: Type.Optional(Type.Literal(1, { default: 1, description: 'the version of the form of specs' })),
    name: Type.Optional(Type.Unsafe<string | null>({ anyOf: [{ type: 'string', minLength: 1, maxLength: 128 }, { type: 'null' }], default: null, description: 'for people, and to filter by; need not be unique' })),
    method: oneOf(METHODS, { description: '`grid`: every combination; `random`; `qmc`: random, but spread evenly (Sobol); `tpe`: learns from the trials so far; `bayes`: served by tpe; `pbt`: changes parameters while trials are trained' }),
    metric: Type.Optional(Type.Unsafe<Static<typeof Metric> | null>({ anyOf: [Metric, { type: 'null' }], allows: 'null, or {name, goal, target, impute, impute_while_running}', description: 'what is made better; needed by tpe, bayes, pbt and early_terminate', default: null })),
    parameters: Type.Unsafe<Record<string, ParameterInput>>({ ...byName(Parameter), description: 'what is searched: with `job`, a name is a path into it, or the unique end of one' }),
    early_terminate: Type.Optional(EarlyTerminate),
    run_cap: nullDefault<number>(positive(LARGEST), 'trials after which there are no more; null: no limit'),
    budget: Type.Optional(Budget),
    sampler: Type.Optional(Sampler),
    warm_start: Type.Optional(WarmStart),
    failure: Type.Optional(Failure),
    pbt: Type.Optional(Type.Unsafe<Static<typeof Pbt> | null>({ anyOf: [Pbt, { type: 'null' }], allows: 'null, or {population, interval, resource, quantile, resample_probability, factors}', description: 'of method pbt only, which needs it', default: null })),
    job: Type.Optional(Type.Unsafe<JobSpecInput | null>({ type: ['object', 'null'], allows: 'a job spec', description: 'the job that trials are: a job spec, into which the parameters are put', default: null })),
    execution: Type.Optional(Type.Unsafe<'jobs' | 'external' | null>({ anyOf: [{ type: 'string', enum: ['jobs', 'external'] }, { type: 'null' }], allows: '"jobs" or "external"', description: '`jobs`: trials are jobs, made of `job`; `external`: your own program asks for trials (`POST /v1/sweeps/{id}/trials/ask`) and tells how they go (`…/tell`). By whether there is a `job`', default: null })),
    apiVersion: ignored(text, 'a version'),
    kind: ignored(text, 'a kind of file'),
    controller: ignored({ type: 'object' }, 'where the controller runs'),
    description: ignored(text, 'a text'),
    project: ignored(text, 'a project'),
    entity: ignored(text, 'a user or team'),
  },
  closed,
);

/** What a user may send. */
export type SweepSpecInput = Static<typeof SweepSpecSchema>;

export type MetricSpec = Omit<Resolved<Static<typeof Metric>>, 'impute_while_running'> & { impute_while_running: 'latest' | 'best' | 'worst' | false };
export type EarlyTerminateSpec = Resolved<Static<typeof EarlyTerminate>>;
/** With its durations in seconds. */
export type BudgetSpec = Omit<Resolved<Static<typeof Budget>>, 'wall_clock'> & { wall_clock: number | null };
export type SamplerSpec = Resolved<Static<typeof Sampler>>;
export type PbtSpec = Resolved<Static<typeof Pbt>>;
/** A resolved spec: every default written, nothing in it that is ignored. Resolving it again changes nothing. */
export interface SweepSpec {
  spec_version: 1;
  name: string | null;
  method: (typeof METHODS)[number];
  metric: MetricSpec | null;
  /** As they were sent, in that order: samplers go by it. */
  parameters: Record<string, ParameterInput>;
  early_terminate: EarlyTerminateSpec;
  run_cap: number | null;
  budget: BudgetSpec;
  sampler: SamplerSpec;
  warm_start: Resolved<Static<typeof WarmStart>>;
  failure: Resolved<Static<typeof Failure>>;
  pbt: PbtSpec | null;
  /** null exactly if `execution` is external. */
  job: JobSpecInput | null;
  execution: 'jobs' | 'external';
}
