// A sweep, its trials and what they tell, as users see them. Pure.
import type { Sweep, SweepImportance, SweepListItem, SweepRung, SweepStatus, Trial, TrialStatus } from '../contract/sweep-views.js';
import { TRIAL_STATUSES } from '../contract/sweep-views.js';
import type { SweepSpec } from '../contract/sweep.js';
import type { Problem } from '../errors.js';
import { pastOf } from './history.js';
import { importances } from './importance.js';
import { trialId, trialJob } from './names.js';
import type { SweepRecord } from './record.js';
import type { Space } from './space.js';
import { bestTrial, goalOf, type SweepState, type TrialState } from './state.js';
import { bestOf } from './stoppers/ranking.js';

export interface SeenSweep {
  record: SweepRecord;
  rules: { spec: SweepSpec };
  warnings: readonly Problem[];
  state: SweepState;
  status: SweepStatus;
}

export function sweepListItem({ record: { id, spec, created_at }, state, status }: Omit<SeenSweep, 'warnings'>): SweepListItem {
  const counts = Object.fromEntries(TRIAL_STATUSES.map((each) => [each, 0])) as Record<TrialStatus, number>;
  for (const trial of state.trials) counts[trialStatus(state, trial)] += 1;
  return { id, object: 'sweep', name: spec.name, status, is_terminal: state.end !== null, best: bestView(id, spec, state), counts, created_at, finished_at: state.ended_at };
}

/** @param computeSeconds in attempts of its trials' jobs, so far */
export function sweepView(seen: SeenSweep, computeSeconds: number, now: Date): Sweep {
  const { record, rules: { spec }, state, warnings } = seen;
  const until = state.ended_at === null ? now.getTime() : Date.parse(state.ended_at);
  return {
    ...sweepListItem(seen),
    why: state.end && { ...state.end.why },
    budget: { spent: { compute_seconds: computeSeconds, wall_clock: Math.max(0, until - Date.parse(record.created_at)) / 1_000, failed: state.failed }, limits: spec.budget },
    rungs: state.rungs.flatMap(rungViews),
    schedule: record.schedule,
    warm_start: warmStartView(record),
    warnings: warnings.map(({ param, message }) => ({ param, message })),
    spec,
  };
}

function warmStartView({ warm_start: warm }: SeenSweep['record']): Sweep['warm_start'] {
  if (!warm) return null;
  const { from, best, trials } = warm;
  return { from, best: from !== null && best ? trialId(from, best.trial) : null, imported: trials.length };
}

/** @param submitted whether its job is there. States that were written down before trials had an end have none. */
export function trialView(sweep: string, state: Pick<SweepState, 'verb' | 'end'>, trial: TrialState, submitted: boolean): Trial {
  const { number, params, bracket, fork, value, values, client, upTo, started_at, ended_at, why } = trial;
  return {
    id: trialId(sweep, number), object: 'trial', number, params: { ...params }, status: trialStatus(state, trial), bracket, fork: fork && { trial_id: trialId(sweep, fork.trial), step: fork.step },
    step: values.at(-1)?.step ?? null, up_to: upTo, value, values: values.map((each) => ({ ...each })),
    job_id: submitted ? trialJob(sweep, trial) : null, client: client ?? null, started_at, ended_at: ended_at ?? null, why: why.map(({ event, decision, why: because }) => ({ event, decision, ...because })),
  };
}

/** One that is to run does not while its sweep is suspended. */
const trialStatus = ({ verb, end }: Pick<SweepState, 'verb' | 'end'>, { status }: TrialState): TrialStatus => (status === 'running' && verb === 'suspend' && end === null ? 'waiting' : status);

function bestView(sweep: string, spec: SweepSpec, state: SweepState): Sweep['best'] {
  const best = bestTrial(spec, state);
  if (best === null) return null;
  const value = best.status === 'succeeded' ? best.value : bestOf(best.values.map((each) => each.value), goalOf(spec));
  return value === null ? null : { trial_id: trialId(sweep, best.number), params: { ...best.params }, value };
}

function rungViews(rungs: SweepState['rungs'][number], bracket: number): SweepRung[] {
  const last = rungs.findLastIndex(({ entries }) => entries.length > 0);
  return rungs.slice(0, last + 1).map(({ resource, entries }) => ({ bracket, resource, trials: entries.length, waiting: entries.filter(({ waiting }) => waiting).length, best: entries[0]?.value ?? null }));
}

export function importanceView(spec: SweepSpec, space: Space, { trials }: SweepState): SweepImportance {
  const sign = goalOf(spec) === 'maximize' ? -1 : 1;
  const past = trials.map((trial) => pastOf(trial, sign)).filter(({ state, value }) => state === 'complete' && value !== null);
  return { object: 'importance', trials: past.length, parameters: importances([...space.dimensions], past) };
}
