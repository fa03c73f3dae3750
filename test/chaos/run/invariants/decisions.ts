// Decisions: a sweep's log tells, from its events alone, what was decided; it has no gap, each trial once, and as many as were asked
// for. Pure.
import { decide, type Rules } from '../../../../lib/sweeps/decide.js';
import type { LogEntry } from '../../../../lib/sweeps/events.js';
import { applied, emptySweep, isOver, type SweepState, type TrialState } from '../../../../lib/sweeps/state.js';

/** @param hasJob whether a trial's job is there */
export function decisionProblems(rules: Rules, log: readonly LogEntry[], hasJob: (trial: TrialState) => boolean): { state: SweepState; problems: string[] } {
  const problems: string[] = [];
  let state = emptySweep(rules.spec);
  for (const [index, entry] of log.entries()) {
    if (entry.n !== index) problems.push(`entry ${index} of its log says that it is ${entry.n}`);
    if (JSON.stringify(decide(rules, state, entry.event)) !== JSON.stringify(entry.decisions)) problems.push(`entry ${index} of its log does not follow from its event`);
    state = applied(rules.spec, state, entry);
  }
  const starts = log.flatMap(({ decisions }) => decisions).flatMap((decision) => (decision.type === 'start' ? [decision.trial] : []));
  if (new Set(starts).size !== starts.length) problems.push('a trial was started twice');
  if (state.end === null) return { state, problems: [...problems, 'it has no end'] };
  const { run_cap: cap } = rules.spec;
  if (cap !== null && state.end.status === 'succeeded' && starts.length !== cap) problems.push(`${starts.length} trials were started, not ${cap}`);
  const unended = state.trials.filter((trial) => !isOver(trial));
  if (unended.length > 0) problems.push(`${unended.length} trials have no end`);
  const missing = state.trials.filter((trial) => trial.status === 'succeeded' && !hasJob(trial));
  if (missing.length > 0) problems.push(`${missing.length} trials succeeded without a job`);
  return { state, problems };
}
