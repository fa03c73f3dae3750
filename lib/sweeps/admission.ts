// What is looked at before a sweep is taken in: its spec, the job that its trials are (with parameters in the middle), and how long
// that job's training is. Everything that is wrong is said at once, and nothing is stored.
import type { SweepDryRun } from '../contract/sweep-views.js';
import type { SweepSpec } from '../contract/sweep.js';
import type { DataPlaces } from '../data/places.js';
import { isAppError, type Problem } from '../errors.js';
import { type Admission, admitSpec, refusal } from '../jobs/admission.js';
import { limitProblems } from '../jobs/spec/schema-problems.js';
import { joinPath } from '../jobs/spec/show-value.js';
import type { Store } from '../store/index.js';
import { decide, type Rules } from './decide.js';
import { middleParams } from './edges.js';
import { applyParams, inJob, type JobTemplate } from './paths.js';
import { resolveSweep } from './resolve.js';
import type { Space } from './space.js';
import { emptySweep } from './state.js';
import { rulesOf } from './log.js';

export interface SweepAdmission {
  spec: SweepSpec;
  warnings: Problem[];
}

/** @throws AppError with every problem in its details: invalid_spec, or the one code that they share; store_unavailable */
export async function admitSweep(body: unknown, places: DataPlaces, store: Store): Promise<SweepAdmission> {
  const resolved = resolveSweep(body);
  if ('problems' in resolved) throw refusal(resolved.problems);
  const { spec, space, template, warnings } = resolved;
  const missing = notYet(spec);
  if (template === null) {
    if (missing.length > 0) throw refusal(missing);
    return { spec, warnings };
  }
  const trial = await admitTrial(template, space, places, store);
  const problems = [...missing, ...('problems' in trial ? trial.problems : [])];
  if (problems.length > 0 || 'problems' in trial) throw refusal(limitProblems(problems));
  const whole = withEnd(spec, trial);
  if ('problems' in whole) throw refusal(whole.problems);
  return { spec: whole.spec, warnings };
}

/** What the spec's form allows and nothing does yet: better refused than passed over. */
function notYet({ method, metric, warm_start, failure }: SweepSpec): Problem[] {
  const problems: Problem[] = [];
  const refuse = (param: string, what: string): void => void problems.push({ param, message: `${what} is not possible yet`, code: 'not_supported' });
  if (method === 'pbt') refuse('method', 'pbt');
  if (metric !== null && metric.impute !== 'worst') refuse('metric.impute', `"${metric.impute}", or anything but "worst",`);
  if (metric !== null && metric.impute_while_running !== false) refuse('metric.impute_while_running', `"${metric.impute_while_running}", or anything but false,`);
  if (warm_start.from !== null) refuse('warm_start.from', 'to begin with another sweep');
  if (failure.on_invalid_params !== 'replace') refuse('failure.on_invalid_params', `"${failure.on_invalid_params}", or anything but "replace",`);
  return problems;
}

/** A job with parameters in the middle, as a trial's job will be looked at. */
async function admitTrial(template: JobTemplate, space: Space, places: DataPlaces, store: Store): Promise<Admission | { problems: Problem[] }> {
  try {
    return await admitSpec(applyParams(template, middleParams(space)), places, store);
  } catch (error) {
    if (!isAppError(error) || error.details.length === 0) throw error;
    return { problems: error.details.map((problem) => asOfSweep(problem, template)) };
  }
}

/** Where a parameter puts what is wrong, it is the parameter's. */
function asOfSweep(problem: Problem, { paths }: JobTemplate): Problem {
  const owner = [...paths].find(([, keys]) => problem.param === keys.join('.'));
  return owner === undefined ? inJob(problem) : { ...problem, param: joinPath('parameters', owner[0]), message: `makes a job that is refused: ${problem.param} ${problem.message}` };
}

/** With the last rung at the end of the training, where it is not said. */
function withEnd(spec: SweepSpec, { spec: { training }, checked }: Admission): { spec: SweepSpec } | { problems: Problem[] } {
  const rule = spec.early_terminate;
  if (rule.type !== 'asha' || rule.max_iter !== null) return { spec };
  const at = (key: string, message: string) => ({ problems: [{ param: `early_terminate.${key}`, message }] });
  if (checked === null) return at('max_iter', 'is required: the data is not on this machine, so how long the training is cannot be known here');
  const end = rule.resource === 'samples' ? checked.totalUpdates * training.batch_size * training.accum_iters : checked.totalUpdates;
  if (rule.min_iter > end) return at('min_iter', `must be at most ${end}, the ${rule.resource} of the whole training, got ${rule.min_iter}`);
  const resolved = resolveSweep({ ...spec, early_terminate: { ...rule, max_iter: end } });
  return 'problems' in resolved ? resolved : { spec: resolved.spec };
}

const FIRST_TRIALS = 10;

export function sweepDryRun({ spec, warnings }: SweepAdmission): SweepDryRun {
  const { warnings: _, ...rules }: Rules & { warnings: Problem[] } = rulesOf({ spec });
  const decisions = decide({ ...rules, spec: { ...spec, budget: { ...spec.budget, max_concurrent: FIRST_TRIALS } } }, emptySweep(spec), spec.execution === 'jobs' ? { type: 'created' } : { type: 'asked', client: null, count: FIRST_TRIALS });
  const trials = decisions.flatMap((decision) => (decision.type === 'start' ? [{ number: decision.trial, params: { ...decision.params } }] : []));
  return { object: 'dry_run', spec, warnings: warnings.map(({ param, message }) => ({ param, message })), trials };
}
