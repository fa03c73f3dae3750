// What is looked at before a job is taken in: the spec resolved, the model against its data where this machine has the data,
// first weights against the model. Everything that is wrong is said at once, and nothing is stored.
import type { DryRun } from '../contract/job.js';
import type { JobRecord } from '../contract/records.js';
import type { DataSourceSpec, JobSpec } from '../contract/spec.js';
import { describeSource, locationsOf } from '../data/describe.js';
import { checkLocation, openLocation, type DataPlaces } from '../data/places.js';
import type { DataDescription } from '../data/source.js';
import { AppError, type ErrorCode, isAppError, type Problem } from '../errors.js';
import { checkpointBytes, estimateMemory } from '../model/memory.js';
import type { ModelPlan } from '../model/plan.js';
import type { Store } from '../store/index.js';
import { courseOf } from '../training/course.js';
import { type Beginning, checkBeginning, settleBeginning } from './beginnings.js';
import { FIRST_WEIGHTS, firstWeightsProblems } from './first-weights.js';
import { findFirst, type Sent } from './idempotency.js';
import { acknowledged, loadRecord } from './record.js';
import { checkAgainstData, type CheckedSpec, structuralCheck } from './spec/check.js';
import { resolveSpec } from './spec/resolve.js';
import { limitProblems } from './spec/schema-problems.js';

export interface Admission {
  spec: JobSpec;
  /** The checkpoint of another job that this one begins with, to be pinned; null without one. */
  beginning: Beginning | null;
  /** Null where the data is not on this machine: a worker that has it will decide. */
  checked: CheckedSpec | null;
}

/**
 * @param resolved what resolveSpec makes of the body, where somebody knows it
 * @throws AppError with every problem in its details: invalid_spec, or the one code that they share
 */
export async function admitSpec(body: unknown, places: DataPlaces, store: Store, resolved = resolveSpec(body)): Promise<Admission> {
  if ('problems' in resolved) throw refusal(resolved.problems);
  const { spec } = resolved;
  const problems: Problem[] = [];
  const train = await describe(spec.data, places, 'data', problems);
  const own = spec.data.validation !== null && 'type' in spec.data.validation ? spec.data.validation : null;
  const validation = own === null ? null : await describe(own, places, 'data.validation', problems);
  const checked = train === null || (own !== null && validation === null) ? { problems: structuralCheck(spec) } : checkAgainstData(spec, train, validation);
  const plan = 'problems' in checked ? null : checked.plan;
  await checkFirstWeights(spec, places, plan, problems);
  const beginning = await findBeginning(store, spec, 'problems' in checked ? null : checked, problems);
  if ('problems' in checked) problems.push(...checked.problems);
  if (problems.length > 0) throw refusal(limitProblems(problems));
  return { spec: beginning === null ? spec : { ...spec, model: { ...spec.model, init: beginning.init } }, checked: 'problems' in checked ? null : checked, beginning };
}

export function dryRun({ spec, checked }: Admission): DryRun {
  if (checked === null) return { object: 'dry_run', spec, parameters: null, total_updates: null, checkpoint_bytes: null, memory_bytes: null };
  const { plan, totalUpdates } = checked;
  return {
    object: 'dry_run',
    spec,
    parameters: { trainable: plan.parameters.trainable, non_trainable: plan.parameters.nonTrainable },
    total_updates: totalUpdates,
    checkpoint_bytes: checkpointBytes(plan, spec.training),
    memory_bytes: estimateMemory(plan, spec.training.batch_size, spec.training),
  };
}

/**
 * The job that a key already stands for, null without one. Its spec was admitted once and is not looked at again, because what
 * it needed may have gone since.
 * @throws AppError idempotency_key_reused (another body), store_unavailable
 */
export async function findRepeat(store: Pick<Store, 'get' | 'confirm'>, sent: Sent, now: Date): Promise<JobRecord | null> {
  const first = await findFirst(store, sent, now);
  const record = first && (await loadRecord(store, first.id));
  return record && acknowledged(store, record);
}

/** One error for many problems; its own message and param are those of the first. */
export function refusal(problems: readonly Problem[]): AppError {
  const codes = new Set<ErrorCode>(problems.map((problem) => problem.code ?? 'invalid_spec'));
  const first = problems[0] ?? { param: '', message: 'the spec cannot be used' };
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more ${problems.length === 2 ? 'problem' : 'problems'})` : '';
  const code = codes.size === 1 ? ([...codes][0] ?? 'invalid_spec') : 'invalid_spec';
  const message = first.param === '' ? `the body ${first.message}${more}` : `${first.param}: ${first.message}${more}`;
  return new AppError(code, message, { ...(first.param === '' ? {} : { param: first.param }), details: problems });
}

/** Null if it is not here; what is here and wrong becomes a problem. */
async function describe(source: DataSourceSpec, places: DataPlaces, param: string, problems: Problem[]): Promise<DataDescription | null> {
  const wrong = problems.length;
  // all of them, also where the first one's file is not here
  for (const [key, location] of locationsOf(source)) await orProblem(`${param}.${key}`, problems, async () => checkLocation(location, places, `${param}.${key}`));
  if (problems.length > wrong) return null;
  return orProblem(param, problems, () => describeSource(source, (location, field) => openLocation(places, location, field), param));
}

async function checkFirstWeights({ model: { init } }: JobSpec, places: DataPlaces, plan: ModelPlan | null, problems: Problem[]): Promise<void> {
  if (init === null || !('from' in init)) return;
  const found = await orProblem(FIRST_WEIGHTS, problems, async () => {
    const file = await openLocation(places, init.from, FIRST_WEIGHTS);
    try {
      return await firstWeightsProblems(file, plan);
    } finally {
      await file.close();
    }
  });
  for (const problem of found ?? []) problems.push(problem); // there may be many
}

/** Null without one, or where it is a problem. */
async function findBeginning(store: Store, spec: JobSpec, checked: CheckedSpec | null, problems: Problem[]): Promise<Beginning | null> {
  const { init } = spec.model;
  if (init === null || 'from' in init) return null;
  const beginning = await orProblem('model.init.job', problems, () => settleBeginning(store, init));
  if (beginning !== null && checked !== null) problems.push(...(await checkBeginning(store, beginning, spec, checked.plan, courseOf(spec.training, checked.trainSamples))));
  return beginning;
}

async function orProblem<T>(param: string, problems: Problem[], look: () => Promise<T>): Promise<T | null> {
  try {
    return await look();
  } catch (error) {
    if (!isAppError(error)) throw error;
    if (error.code === 'data_missing') return null;
    // What a description needs too much memory for is the spec's fault, not this machine's.
    problems.push({ param: error.param ?? param, message: error.message, ...(error.code === 'oom' ? {} : { code: error.code }) });
    return null;
  }
}
