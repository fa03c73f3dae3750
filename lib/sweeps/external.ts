// What programs that run trials of their own ask and tell: entries of the sweep's log, before it is acknowledged. What an ask gives is
// read from the log, so that whoever asks again by the same name is given the same.
import type { Shortage, TellInput } from '../contract/external.js';
import { AppError } from '../errors.js';
import { showValue } from '../jobs/spec/show-value.js';
import { writeAll } from './control.js';
import { shortOf, trialsWith } from './decide.js';
import type { Step, SweepEvent, ToldEnd } from './events.js';
import type { SweepLog } from './log.js';
import { parseTrialNumber } from './names.js';
import { freshOf, isOver, type SweepState, type TrialState } from './state.js';
import { isNumber, type Value } from './stoppers/ranking.js';

/**
 * The trials that are to be run, and why they are no more.
 * @throws AppError invalid_state (its trials are jobs), store_unavailable (some may have been given: without a name to nobody)
 */
export async function askForTrials(log: SweepLog, { client = null, count = 1 }: { client?: string | null; count?: number }): Promise<{ trials: TrialState[]; shortage: Shortage | null }> {
  assertExternal(log, 'ask for trials of');
  let entry: number | null = null;
  await writeAll(log, (state, written) => {
    const wants = (client === null ? written === 0 : trialsWith(state, client).length < count) && shortOf(log.rules, state) === null;
    if (wants) entry = state.entries;
    return wants ? { type: 'asked', client, count } : null;
  });
  const state = log.state();
  const mine = client === null ? state.trials.filter(({ why }) => why.some(({ event }) => event === entry)) : trialsWith(state, client);
  // Whoever lets go of a suspended sweep's trials has none until it is resumed.
  const trials = state.verb === 'suspend' ? [] : mine.slice(0, count);
  return { trials, shortage: trials.length < count ? (shortOf(log.rules, state) ?? 'concurrency') : null };
}

/** What is told of a trial. */
export interface Told {
  values: readonly Step[];
  state: 'running' | ToldEnd;
  /** Of its end; undefined: the last of its values. */
  value: Value | undefined;
  /** Who says it; null: nobody by name, who is believed. */
  client: string | null;
}

export function toldOf({ value, values = [], state, client }: TellInput): Told {
  return { values, value, client: client ?? null, state: state ?? (value === undefined ? 'running' : 'succeeded') };
}

/**
 * Tells how a trial goes. The log has all of it when this returns: but for values beyond a rung where the trial waits, or ends, which are
 * none of its own.
 * @returns the trial as it is then
 * @throws AppError not_found, invalid_request, invalid_state (it ended otherwise, or its trials are jobs), store_unavailable (it may have been told)
 */
export async function tellOfTrial(log: SweepLog, id: string, told: Told): Promise<TrialState> {
  assertExternal(log, 'tell of trials of');
  await writeAll(log, (state) => nextEvent(log, state, id, told));
  return trialOf(log, log.state(), id);
}

function nextEvent(log: SweepLog, state: SweepState, id: string, told: Told): SweepEvent | null {
  const trial = trialOf(log, state, id);
  const fresh = freshOf(trial, told.values);
  if (told.state === 'running') {
    if (trial.status !== 'running' || isOthers(trial, told) || fresh.length === 0) return null;
    // One entry for each rung: what is decided there comes before what lies beyond.
    const there = trial.upTo === null ? -1 : fresh.findIndex(({ step }) => step >= trial.upTo!);
    return { type: 'told', trial: trial.number, values: there < 0 ? fresh : fresh.slice(0, there + 1), end: null, value: null };
  }
  const value = told.state === 'succeeded' ? endValue(log, trial, fresh, told) : null;
  if (isOver(trial)) {
    assertSameEnd(log, trial, told.state, value);
    return null;
  }
  if (isOthers(trial, told)) throw new AppError('invalid_state', `cannot tell how a trial ended that somebody else was given since: ${trial.client ?? 'one without a name'}`, { param: 'client' });
  return { type: 'told', trial: trial.number, values: fresh, end: told.state, value };
}

/** Whether a trial went to somebody else since: who does not know of it is not to end it, or to go on. */
export const isOthers = (trial: Pick<TrialState, 'client'>, { client }: Pick<Told, 'client'>): boolean => client !== null && (trial.client ?? null) !== client;

function trialOf({ record }: SweepLog, { trials }: SweepState, id: string): TrialState {
  const number = id.startsWith(`${record.id}.`) ? parseTrialNumber(id.slice(record.id.length + 1)) : null;
  const trial = number === null ? undefined : trials[number];
  if (!trial) throw new AppError('not_found', `${record.id} has no trial ${JSON.stringify(id.slice(0, 64))}`, { param: 'id' });
  return trial;
}

/** @throws AppError invalid_request */
function endValue({ rules: { spec } }: SweepLog, trial: TrialState, fresh: readonly Step[], { value, values }: Told): Value {
  if (value !== undefined) return value;
  const last = fresh.at(-1) ?? values.at(-1) ?? trial.values.at(-1);
  if (last) return last.value;
  if (spec.metric === null) return null;
  throw new AppError('invalid_request', `value: is required: the ${spec.metric.name} of a trial that succeeded, or null for NaN`, { param: 'value' });
}

/** @throws AppError invalid_state */
function assertSameEnd({ rules: { spec } }: SweepLog, trial: TrialState, end: ToldEnd, value: Value): void {
  const became = end === 'succeeded' && spec.metric !== null && !isNumber(value) ? 'pruned' : end;
  if (trial.status === became && (became !== 'succeeded' || trial.value === value)) return;
  const was = trial.status === 'succeeded' ? `succeeded with value ${showValue(trial.value)}` : trial.status;
  throw new AppError('invalid_state', `cannot tell that a trial ${end}${became === 'succeeded' ? ` with value ${showValue(value)}` : ''} which is over: it is ${was}`, { param: 'state' });
}

/** @throws AppError invalid_state */
function assertExternal({ record }: SweepLog, what: string): void {
  if (record.spec.execution !== 'external') throw new AppError('invalid_state', `cannot ${what} a sweep whose trials are jobs (execution: jobs)`);
}
