// What is looked at before a schedule is taken in: the schedule itself, and the job or sweep inside as if it were sent on its own, so
// that what fires at night was refused by day. Everything that is wrong is said at once, and nothing is stored.
import type { DataPlaces } from '../data/places.js';
import { isAppError, type Problem } from '../errors.js';
import { admitSpec, refusal } from '../jobs/admission.js';
import { limitProblems } from '../jobs/spec/schema-problems.js';
import type { Store } from '../store/index.js';
import { admitSweep } from '../sweeps/admission.js';
import { type ResolvedSchedule, resolveSchedule } from './resolve.js';

export type AdmittedSchedule = Exclude<ResolvedSchedule, { problems: unknown }>;

/** @throws AppError with every problem in its details: invalid_spec, or the one code that they share */
export async function admitSchedule(body: unknown, { places, store, now }: { places: DataPlaces; store: Store; now: Date }): Promise<AdmittedSchedule> {
  const resolved = resolveSchedule(body, now);
  const { job, sweep } = isObject(body) ? body : {};
  const problems = [
    ...('problems' in resolved ? resolved.problems : []),
    ...(isObject(job) ? inside('job', await problemsOf(admitSpec(job, places, store))) : []),
    ...(isObject(sweep) ? inside('sweep', await problemsOf(admitSweep(sweep, places, store, { previous: null }))) : []),
  ];
  if ('problems' in resolved || problems.length > 0) throw refusal(limitProblems(problems));
  return resolved;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const inside = (field: string, problems: readonly Problem[]): Problem[] => problems.map((problem) => ({ ...problem, param: problem.param === '' ? field : `${field}.${problem.param}` }));

/** What is wrong with what is inside; nothing where it would be taken in. */
async function problemsOf(admission: Promise<unknown>): Promise<readonly Problem[]> {
  try {
    await admission;
    return [];
  } catch (error) {
    if (!isAppError(error) || error.retryable || error.details.length === 0) throw error;
    return error.details;
  }
}
