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
import type { Params } from './dimension.js';
import { middleParams } from './edges.js';
import { applyParams, inJob, type JobTemplate } from './paths.js';
import { resolveSweep } from './resolve.js';
import { forkProblems } from './forks.js';
import { emptySweep } from './state.js';
import { loadSweep, readState, rulesOf } from './log.js';
import { beginWith, type Earlier, importProblems, type WarmStart } from './warm-start.js';

export interface SweepAdmission {
  spec: SweepSpec;
  /** What it takes from another sweep, as that is now; null where its spec names none. */
  warm_start: WarmStart | null;
  /** Of the warnings those that nobody finds out again. */
  noted: Problem[];
  warnings: Problem[];
}

/** What a schedule knows of its sweeps: the one that it started last; null: none. */
export interface Series {
  previous: string | null;
}

/**
 * @param series null where no schedule starts it
 * @throws AppError with every problem in its details: invalid_spec, or the one code that they share; store_unavailable
 */
export async function admitSweep(body: unknown, places: DataPlaces, store: Store, series: Series | null = null): Promise<SweepAdmission> {
  const resolved = resolveSweep(body);
  if ('problems' in resolved) throw refusal(resolved.problems);
  const { spec, space, template } = resolved;
  const found = await findEarlier(spec, store, series);
  const missing = 'problems' in found ? found.problems : [];
  if (template === null) {
    if ('problems' in found) throw refusal(missing);
    return begun(spec, found.earlier, []);
  }
  const trial = await admitJob(template, middleParams(space), places, store);
  const problems = [...missing, ...('problems' in trial ? trial.problems : [])];
  if (problems.length > 0 || 'problems' in trial || 'problems' in found) throw refusal(limitProblems(problems));
  if (spec.method === 'pbt') {
    const unlike = await forkProblems(space, trial, async (params) => {
      const edge = await admitJob(template, params, places, store);
      return 'problems' in edge ? null : edge;
    });
    if (unlike.length > 0) throw refusal(limitProblems(unlike));
  }
  const whole = withEnd(spec, trial);
  if ('problems' in whole) throw refusal(whole.problems);
  return begun(whole.spec, found.earlier, whole.noted);
}

/** With what it takes from the sweep that it begins with. */
function begun(spec: SweepSpec, earlier: Earlier | null, noted: Problem[]): SweepAdmission {
  const warm_start = spec.warm_start.from === null ? null : beginWith(rulesOf({ spec }), earlier);
  return { spec, warm_start, noted, warnings: rulesOf({ spec, warm_start, noted }).warnings };
}

/** The sweep that a spec begins with; null where it names none, or there is no previous one. */
async function findEarlier(spec: SweepSpec, store: Store, series: Series | null): Promise<{ earlier: Earlier | null } | { problems: Problem[] }> {
  const { from } = spec.warm_start;
  const refuse = (message: string): { problems: Problem[] } => ({ problems: [{ param: 'warm_start.from', message }] });
  if (from === 'previous' && series === null) return refuse('must be the id of a sweep, or null, got "previous", which is the sweep that a schedule started last: no schedule starts this one');
  const id = from === 'previous' ? (series?.previous ?? null) : from;
  if (id === null) return { earlier: null };
  const record = await loadSweep(store, id);
  if (!record) return from === 'previous' ? { earlier: null } : refuse(`must be the id of a sweep, "previous" in a schedule, or null: there is no sweep ${id}`);
  const earlier: Earlier = { id, spec: record.spec, state: await readState(store, record) };
  // Of a schedule whose metric was changed, the sweep before the change is no reason to start none.
  const problems = from === 'previous' ? [] : importProblems(spec, earlier);
  return problems.length > 0 ? { problems } : { earlier };
}

/** A job with these parameters, as a trial's job will be looked at. */
async function admitJob(template: JobTemplate, params: Params, places: DataPlaces, store: Store): Promise<Admission | { problems: Problem[] }> {
  try {
    return await admitSpec(applyParams(template, params), places, store);
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

/** With the last rung at the end of the training, where it is not said; where it is, whether a trial with parameters in the middle gets there. */
function withEnd(spec: SweepSpec, { spec: { training }, checked }: Admission): { spec: SweepSpec; noted: Problem[] } | { problems: Problem[] } {
  const rule = spec.early_terminate;
  if (rule.type !== 'asha') return { spec, noted: [] };
  const at = (key: string, message: string): Problem[] => [{ param: `early_terminate.${key}`, message }];
  const end = checked && (rule.resource === 'samples' ? checked.totalUpdates * training.batch_size * training.accum_iters : checked.totalUpdates);
  if (rule.max_iter !== null) {
    const isBeyond = end !== null && rule.max_iter > end;
    return { spec, noted: isBeyond ? at('max_iter', `is ${rule.max_iter}, and the whole training of a trial with parameters in the middle ends at ${end} ${rule.resource}: the last rungs may never be reached`) : [] };
  }
  if (end === null) return { problems: at('max_iter', 'is required: the data is not on this machine, so how long the training is cannot be known here') };
  if (rule.min_iter > end) return { problems: at('min_iter', `must be at most ${end}, the ${rule.resource} of the whole training, got ${rule.min_iter}`) };
  const resolved = resolveSweep({ ...spec, early_terminate: { ...rule, max_iter: end } });
  return 'problems' in resolved ? resolved : { spec: resolved.spec, noted: [] };
}

const FIRST_TRIALS = 10;

export function sweepDryRun({ spec, warm_start, warnings }: SweepAdmission): SweepDryRun {
  const { warnings: _, ...rules }: Rules & { warnings: Problem[] } = rulesOf({ spec, warm_start });
  const decisions = decide({ ...rules, spec: { ...spec, budget: { ...spec.budget, max_concurrent: FIRST_TRIALS } } }, emptySweep(spec), spec.execution === 'jobs' ? { type: 'created' } : { type: 'asked', client: null, count: FIRST_TRIALS });
  const trials = decisions.flatMap((decision) => (decision.type === 'start' ? [{ number: decision.trial, params: { ...decision.params } }] : []));
  return { object: 'dry_run', spec, warnings: warnings.map(({ param, message }) => ({ param, message })), trials };
}
