// Resolves a sweep's spec once, at submit: everything wrong with it at once, or the spec with every default written, its space, and
// the template of its jobs. The counterpart of lib/jobs/spec/resolve.ts.
import { IGNORED_KEYS, type MetricSpec, type PbtSpec, REFUSED_KEYS, type SweepSpec, SweepSpecSchema } from '../contract/sweep.js';
import type { Problem } from '../errors.js';
import { toSeconds } from '../jobs/spec/durations.js';
import { fillDefaults } from '../jobs/spec/fill-defaults.js';
import { limitProblems, makeValidator } from '../jobs/spec/schema-problems.js';
import { duration } from '../jobs/spec/sections/section.js';
import { joinPath, showValue } from '../jobs/spec/show-value.js';
import { edgeProblems } from './edges.js';
import { bindTemplate, type JobTemplate } from './paths.js';
import { gridProblems } from './samplers/grid.js';
import { parseSpace, problemsOfParams, type Space } from './space.js';

export interface ResolvedSweep {
  spec: SweepSpec;
  space: Space;
  /** null exactly if the trials are external. */
  template: JobTemplate | null;
  /** What is allowed, and surely not what was meant; what is served otherwise than it says. */
  warnings: Problem[];
}

const schemaProblems = makeValidator(SweepSpecSchema, Infinity);

/** A spec as it was sent, resolved; resolving the resulting spec again changes nothing. */
export function resolveSweep(input: unknown): ResolvedSweep | { problems: Problem[] } {
  const refused = refusedKeys(input);
  const isRefused = new Set(refused.map(({ param }) => param));
  const problems = [...refused, ...schemaProblems(input).filter(({ param }) => !isRefused.has(param))];
  if (problems.length > 0) return { problems: limitProblems(problems) };

  const { spec, problems: between } = spellOut(fillDefaults(SweepSpecSchema as object, input) as Filled);
  const parsed = parseSpace(spec.parameters);
  if ('problems' in parsed) return { problems: limitProblems([...between, ...parsed.problems]) };
  const { space } = parsed;
  const warnings = [...parsed.warnings, ...lint(spec)];
  between.push(...(spec.method === 'grid' ? gridProblems(space) : []), ...(spec.method === 'pbt' ? conditionProblems(space) : []), ...spec.warm_start.points.flatMap((point, index) => problemsOfParams(space, point, `warm_start.points.${index}`)));
  if (spec.job === null) return between.length > 0 ? { problems: limitProblems(between) } : { spec, space, template: null, warnings };

  const bound = bindTemplate(spec.job, space.dimensions.keys());
  if ('problems' in bound) return { problems: limitProblems([...between, ...bound.problems]) };
  between.push(...edgeProblems(bound.template, space), ...metricProblems(spec, bound.template));
  return between.length > 0 ? { problems: limitProblems(between) } : { spec, space, template: bound.template, warnings };
}

/** With every default written, and what is ignored still in it. */
type Filled = Omit<SweepSpec, 'metric' | 'budget' | 'execution'> & {
  metric: (Omit<MetricSpec, 'impute_while_running'> & { impute_while_running: MetricSpec['impute_while_running'] | 'false' }) | null;
  budget: Omit<SweepSpec['budget'], 'wall_clock'> & { wall_clock: number | string | null };
  execution: SweepSpec['execution'] | null;
};

function refusedKeys(input: unknown): Problem[] {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return [];
  const refused = Object.entries(REFUSED_KEYS).filter(([key]) => Object.hasOwn(input, key)).map(([key, message]) => ({ param: key, message }));
  const { job } = input as { job?: unknown };
  if (typeof job === 'string') refused.push({ param: 'job', message: `must be a job spec, an object, got ${showValue(job)}: the name of a launch job is not possible` });
  return refused;
}

function spellOut(filled: Filled): { spec: SweepSpec; problems: Problem[] } {
  const problems: Problem[] = [];
  const { metric: given, budget, method, pbt, early_terminate: stopping, job } = filled;
  duration('budget.wall_clock', budget.wall_clock, 1, problems);
  const wall_clock = budget.wall_clock === null ? null : toSeconds(budget.wall_clock);
  const execution = filled.execution ?? (job === null ? 'external' : 'jobs');
  // Rows of epochs say val_; what a program of one's own calls its metric is its own business.
  const nameOf = (name: string): string => (execution === 'jobs' ? name.replace(/^validation_/, 'val_') : name);
  const metric = given === null ? null : { ...given, name: nameOf(given.name), impute_while_running: given.impute_while_running === 'false' ? (false as const) : given.impute_while_running };
  if (execution === 'external' && job !== null) problems.push({ param: 'job', message: 'must not be there for external execution: your own program trains' });
  if (execution === 'jobs' && job === null) problems.push({ param: 'job', message: 'is required: the job spec that trials are made of (or "execution": "external", for a program of your own)' });
  if (execution === 'external' && budget.compute_seconds !== null) problems.push({ param: 'budget.compute_seconds', message: `is not possible for external execution, where nobody measures what your own program takes (wall_clock is), got ${budget.compute_seconds}` });
  const learner = ['tpe', 'bayes', 'pbt'].includes(method) ? `method ${method}` : stopping.type !== 'none' ? `early_terminate ${stopping.type}` : null;
  if (metric === null && learner !== null) problems.push({ param: 'metric', message: `is required by ${learner}: {name, goal}` });
  if (method === 'pbt' && pbt === null) problems.push({ param: 'pbt', message: 'is required by method pbt: {interval, …}' });
  if (method !== 'pbt' && pbt !== null) problems.push({ param: 'pbt', message: `is of method pbt only, got method ${method}` });
  if (method === 'pbt' && stopping.type !== 'none') problems.push({ param: 'early_terminate', message: `is not possible with method pbt, which replaces the worst trials itself, got ${stopping.type}` });
  if (method === 'pbt' && pbt !== null) problems.push(...problemsOfPopulation(pbt, filled, execution));
  problems.push(...problemsOfStopping(stopping, execution));
  const { import_trials, from } = filled.warm_start;
  if (import_trials && from === null) problems.push({ param: 'warm_start.import_trials', message: 'needs a sweep in warm_start.from' });
  const spec: SweepSpec = { ...filled, metric, budget: { ...budget, wall_clock }, execution };
  for (const key of IGNORED_KEYS) delete (spec as unknown as Record<string, unknown>)[key];
  return { spec, problems };
}

/** A fork's parameters are its parent's, each changed by itself. */
const conditionProblems = ({ conditions }: Space): Problem[] => [...conditions.keys()].map((name) => ({ param: joinPath('parameters', name), message: 'must not depend on another parameter: not possible with method pbt' }));

function problemsOfPopulation({ population }: PbtSpec, { budget: { max_concurrent: concurrent }, run_cap: cap }: Filled, execution: SweepSpec['execution']): Problem[] {
  const problems: Problem[] = [];
  if (execution === 'external') problems.push({ param: 'method', message: 'pbt needs a `job`: whole states of trials are copied, and those of your own program are not known here' });
  if (concurrent !== null && concurrent < population) problems.push({ param: 'budget.max_concurrent', message: `must be null or at least pbt.population, ${population}, got ${concurrent}: a population goes on as one, and those without a worker wait in the line` });
  if (cap !== null && cap < population) problems.push({ param: 'run_cap', message: `must be null or at least pbt.population, ${population}, got ${cap}` });
  return problems;
}

function problemsOfStopping(stopping: SweepSpec['early_terminate'], execution: SweepSpec['execution']): Problem[] {
  const at = (key: string, message: string) => [{ param: `early_terminate.${key}`, message }];
  switch (stopping.type) {
    case 'none':
    case 'median':
      return [];
    case 'hyperband': {
      const { min_iter, max_iter, s, eta } = stopping;
      if (min_iter === null && (max_iter === null || s === null)) return at('min_iter', 'is required, or max_iter and s');
      if (min_iter === null && max_iter !== null && s !== null && max_iter < eta ** s) return at('s', `must be at most ${Math.floor(Math.log(max_iter) / Math.log(eta))} for max_iter ${max_iter} and eta ${eta}, got ${s}`);
      return min_iter !== null && max_iter !== null && max_iter < min_iter ? at('max_iter', `must be at least min_iter, ${min_iter}, got ${max_iter}`) : [];
    }
    case 'asha': {
      const { min_iter, max_iter, eta, brackets } = stopping;
      if (!Number.isInteger(eta)) return at('eta', `must be an integer for asha, got ${eta}`);
      if (max_iter === null) return execution === 'external' ? at('max_iter', 'is required for external execution') : [];
      if (max_iter < min_iter) return at('max_iter', `must be at least min_iter, ${min_iter}, got ${max_iter}`);
      return min_iter * eta ** (brackets - 1) > max_iter ? at('brackets', `must be at most the number of rungs from min_iter to max_iter, got ${brackets}`) : [];
    }
  }
}

/** What a sweep that is valid was surely not meant to be. */
export function lint({ method, metric, run_cap, budget, warm_start }: SweepSpec): Problem[] {
  const warnings: Problem[] = [];
  if (method === 'bayes') warnings.push({ param: 'method', message: 'bayes is served by tpe' });
  if (metric?.goal === 'minimize' && /acc(uracy)?$/.test(metric.name)) warnings.push({ param: 'metric.goal', message: `is minimize (the default): for more ${metric.name} say "goal": "maximize"` });
  const isEndless = method !== 'grid' && method !== 'pbt' && run_cap === null && budget.compute_seconds === null && budget.wall_clock === null && (metric?.target ?? null) === null;
  if (isEndless) warnings.push({ param: 'run_cap', message: 'is not given, and neither are a budget or a target: the sweep goes on until it is stopped' });
  if (method === 'tpe' || method === 'bayes') return warnings;
  const unused = { 'metric.impute': (metric?.impute ?? 'worst') !== 'worst', 'metric.impute_while_running': (metric?.impute_while_running ?? false) !== false, 'warm_start.import_trials': warm_start.import_trials };
  for (const [param, isSet] of Object.entries(unused)) if (isSet) warnings.push({ param, message: `has no effect: method ${method} does not learn from trials` });
  return warnings;
}

/** A metric that no row will have. Whether there is a validation set a parameter may decide; then only the name counts. */
function metricProblems({ metric }: SweepSpec, { resolved, paths }: JobTemplate): Problem[] {
  if (metric === null || resolved === null) return [];
  const decided = [...paths.values()].map((keys) => keys.join('.'));
  const name = metric.name.replace(/^val_/, '');
  const metrics = ['loss', ...resolved.training.metrics.map((each) => (typeof each === 'string' ? each : each.type))];
  if (!metrics.includes(name) && !decided.some((path) => path.startsWith('training.metrics'))) return [{ param: 'metric.name', message: `must be a column of the job's rows of epochs: one of ${metrics.join(', ')}, or val_ and one of them, got ${showValue(metric.name)}` }];
  if (name !== metric.name && resolved.data.validation === null && !decided.some((path) => path.startsWith('data'))) return [{ param: 'metric.name', message: `"${metric.name}" needs validation data; there is none (job.data.validation)` }];
  return [];
}

