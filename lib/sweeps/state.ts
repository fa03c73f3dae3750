// A sweep as its log tells it: one entry after the other, each applied as it was written. What to decide next is in decide.ts. Pure.
import type { SweepSpec } from '../contract/sweep.js';
import type { SweepStatus, TrialStatus } from '../contract/sweep-views.js';
import type { Params } from './dimension.js';
import type { Decision, Fork, LogEntry, Step, SweepEvent, SweepVerb, Why } from './events.js';
import { ladderOf } from './ladder.js';
import { emptyRungs, enterRung, leaveRung, leaveRungs, type Rung } from './stoppers/rungs.js';
import { bestOf, compareValues, type Goal, isNumber, type Value } from './stoppers/ranking.js';

export interface TrialState {
  number: number;
  params: Params;
  started_at: string;
  /** Null while it is not over. */
  ended_at: string | null;
  /** `paused`: at a rung, and nobody has decided to let it go on. */
  status: Exclude<TrialStatus, 'waiting'>;
  bracket: number;
  /** Null: it began by itself. */
  fork: Fork | null;
  /** The step that it goes to or waits at; null: its own end. */
  upTo: number | null;
  /** The last one, or of its end. */
  value: Value;
  /** At its rungs; of an external trial all that were told, in the order of their steps. */
  values: readonly Step[];
  /** Of an external trial: who was given it last; null: somebody without a name. */
  client?: string | null;
  why: { event: number; decision: Decision['type']; why: Why }[];
}

export interface SweepState {
  /** Of the next entry. */
  entries: number;
  /** What was last said; `resume` at first. */
  verb: SweepVerb;
  spent: string | null;
  end: Extract<Decision, { type: 'end' }> | null;
  ended_at: string | null;
  trials: readonly TrialState[];
  /** Of each bracket. */
  rungs: readonly (readonly Rung[])[];
  failed: number;
  /** Combinations of parameters that made no valid job, of all trials. */
  skipped: number;
}

export function emptySweep(spec: SweepSpec): SweepState {
  return { entries: 0, verb: 'resume', spent: null, end: null, ended_at: null, trials: [], rungs: ladderOf(spec).map(emptyRungs), failed: 0, skipped: 0 };
}

export const goalOf = ({ metric }: Pick<SweepSpec, 'metric'>): Goal => metric?.goal ?? 'minimize';
export const isOver = ({ status }: Pick<TrialState, 'status'>): boolean => ['succeeded', 'pruned', 'failed', 'cancelled'].includes(status);
/** Whether its parameters make no valid job, so that it never had one. */
export const isRefused = ({ why }: Pick<TrialState, 'why'>): boolean => why[0]?.decision === 'fail';

export const applied = (spec: SweepSpec, state: SweepState, { at, event, decisions }: Pick<LogEntry, 'at' | 'event' | 'decisions'>): SweepState =>
  decisions.reduce((now, decision) => afterDecision(now, decision, state.entries, at), { ...afterEvent(spec, state, event, at), entries: state.entries + 1 });

/** What was seen, before anything is decided about it. */
export function afterEvent(spec: SweepSpec, state: SweepState, event: LogEntry['event'], at: string): SweepState {
  switch (event.type) {
    case 'created':
      return state;
    case 'reached': {
      const { trial: number, step, value } = event;
      const trial = state.trials[number];
      if (!trial || isOver(trial) || trial.upTo !== step || trial.status === 'paused') return state;
      const told = withTrial(state, number, { status: 'paused', value, values: [...trial.values, { step, value }] });
      const rung = told.rungs[trial.bracket]!.findIndex(({ resource }) => resource === step);
      return rung < 0 ? told : withRungs(told, trial.bracket, enterRung(told.rungs[trial.bracket]!, rung, { trial: number, value }, goalOf(spec)));
    }
    case 'ended': {
      const { trial: number, outcome, value } = event;
      const trial = state.trials[number];
      if (!trial || isOver(trial)) return state;
      return afterEnd(spec, state, number, outcome, value, at);
    }
    case 'said':
      // Who was told to end does not begin again.
      if (state.verb === 'cancel' || (state.verb === 'stop' && event.verb !== 'cancel')) return state;
      return { ...state, verb: event.verb };
    case 'spent':
      return { ...state, spent: state.spent ?? event.budget };
    case 'asked':
      return state;
    case 'told':
      return afterTold(spec, state, event, at);
  }
}

/**
 * What a program says of a trial. What it says again, or of one that is over, changes nothing, and neither do values of one that waits at
 * a rung: that one has been counted there.
 */
function afterTold(spec: SweepSpec, state: SweepState, { trial: number, values, end, value }: Extract<SweepEvent, { type: 'told' }>, at: string): SweepState {
  const trial = state.trials[number];
  if (!trial || isOver(trial) || (trial.status === 'paused' && end === null)) return state;
  const fresh = freshOf(trial, values);
  const last = fresh.at(-1);
  if (end === null && last === undefined) return state;
  const told = withTrial(state, number, { values: [...trial.values, ...fresh], ...(last && { value: last.value }) });
  const rungs = told.rungs[trial.bracket]!;
  if (end === null) {
    if (trial.upTo === null || last!.step < trial.upTo) return told;
    // One that says little in between gets to the last of the rungs that it has come past.
    const rung = rungs.findLastIndex(({ resource }) => resource <= last!.step);
    return withRungs(withTrial(told, number, { status: 'paused', upTo: rungs[rung]!.resource }), trial.bracket, enterRung(rungs, rung, { trial: number, value: last!.value }, goalOf(spec)));
  }
  // Whoever has come to an end is not asked to wait: its values count at the rungs on the way.
  const from = trial.upTo;
  const passed = told.trials[number]!.values;
  const on = rungs.reduce((now, { resource }, rung) => {
    const there = from !== null && resource >= from ? passed.find(({ step }) => step >= resource) : undefined;
    return there ? enterRung(now, rung, { trial: number, value: there.value }, goalOf(spec)) : now;
  }, [...rungs]);
  const entered = withRungs(told, trial.bracket, on);
  switch (end) {
    case 'succeeded':
      // Without a value it is pruned: that is for decide to say.
      return spec.metric !== null && !isNumber(value) ? entered : afterEnd(spec, entered, number, 'succeeded', value, at);
    case 'failed':
      return afterEnd(spec, entered, number, 'failed', null, at);
    case 'pruned':
      return entered;
  }
}

/** Those of steps that nothing was told of yet: what was said first stands. */
export function freshOf({ values }: Pick<TrialState, 'values'>, told: readonly Step[]): Step[] {
  const known = values.at(-1)?.step ?? -1;
  return told.filter(({ step }) => step > known);
}

function afterEnd(spec: SweepSpec, state: SweepState, number: number, outcome: 'succeeded' | 'failed' | 'cancelled', value: Value, at: string): SweepState {
  const trial = state.trials[number]!;
  // One that ended on the way to a rung never got there; at the last rung its end counts as its value there.
  const left = leaveRungs(state.rungs[trial.bracket]!, number);
  const last = left.length - 1;
  const isWhole = outcome === 'succeeded' && last >= 0 && (trial.upTo === null || trial.upTo === left[last]!.resource);
  const whole = isWhole ? leaveRung(enterRung(left, last, { trial: number, value }, goalOf(spec)), last, number) : left;
  const isNew = isWhole && trial.upTo !== null && (trial.values.at(-1)?.step ?? -1) < trial.upTo;
  const values = isNew ? [...trial.values, { step: trial.upTo!, value }] : trial.values;
  const ended = withTrial(state, number, { status: outcome, ended_at: at, values, ...(outcome === 'succeeded' ? { value } : {}) });
  return { ...withRungs(ended, trial.bracket, whole), failed: state.failed + (outcome === 'failed' ? 1 : 0) };
}

export function afterDecision(state: SweepState, decision: Decision, event: number, at: string): SweepState {
  if (decision.type === 'end') return { ...state, end: decision, ended_at: at };
  const because = { event, decision: decision.type, why: decision.why };
  switch (decision.type) {
    case 'start': {
      const { trial, params, bracket, upTo, fork = null } = decision;
      return { ...state, skipped: state.skipped + decision.draws, trials: [...state.trials, { number: trial, params, started_at: at, ended_at: null, status: 'running', bracket, fork, upTo, value: null, values: [], why: [because], ...givenTo(decision) }] };
    }
    case 'fail': {
      const { trial, params, bracket } = decision;
      return { ...state, failed: state.failed + 1, trials: [...state.trials, { number: trial, params, started_at: at, ended_at: at, status: 'failed', bracket, fork: null, upTo: null, value: null, values: [], why: [because] }] };
    }
    case 'go_on': {
      const trial = state.trials[decision.trial]!;
      const rung = state.rungs[trial.bracket]!.findIndex(({ resource }) => resource === trial.upTo);
      const left = rung < 0 ? state : withRungs(state, trial.bracket, leaveRung(state.rungs[trial.bracket]!, rung, trial.number));
      return withTrial(left, trial.number, { status: 'running', upTo: decision.upTo, why: [...trial.why, because], ...givenTo(decision) });
    }
    case 'prune':
    case 'complete':
    case 'cancel': {
      const trial = state.trials[decision.trial]!;
      const rungs = leaveRungs(state.rungs[trial.bracket]!, trial.number);
      const status = { prune: 'pruned', complete: 'succeeded', cancel: 'cancelled' } as const;
      return withTrial(withRungs(state, trial.bracket, rungs), trial.number, { status: status[decision.type], ended_at: at, why: [...trial.why, because] });
    }
  }
}

const givenTo = ({ client }: { client?: string | null }): Pick<TrialState, 'client'> => (client === undefined ? {} : { client });
const withTrial = (state: SweepState, number: number, part: Partial<TrialState>): SweepState => ({ ...state, trials: state.trials.with(number, { ...state.trials[number]!, ...part }) });
const withRungs = (state: SweepState, bracket: number, rungs: readonly Rung[]): SweepState => ({ ...state, rungs: state.rungs.with(bracket, rungs) });

/** What is seen from outside; what is wanted and not done yet ends in -ing. @param owned whether a worker has one of its trials */
export function sweepStatus({ end, verb, trials }: SweepState, owned: boolean): SweepStatus {
  if (end) return end.status;
  const busy = verb === 'suspend' ? owned : trials.some(({ status }) => status === 'running');
  switch (verb) {
    case 'resume':
      return 'running';
    case 'pause':
      return busy ? 'pausing' : 'paused';
    case 'suspend':
      return busy ? 'suspending' : 'suspended';
    case 'stop':
      return 'stopping';
    case 'cancel':
      return 'cancelling';
  }
}

/** The best of what is known of each trial that has a value: of those that ran to their end, if there are any. */
export function bestTrial(spec: SweepSpec, { trials }: SweepState): TrialState | null {
  const goal = goalOf(spec);
  const whole = trials.filter(({ status, value }) => status === 'succeeded' && value !== null);
  const known = whole.length > 0 ? whole : trials.filter(({ values }) => bestOf(values.map(({ value }) => value), goal) !== null);
  const score = (trial: TrialState): Value => (whole.length > 0 ? trial.value : bestOf(trial.values.map(({ value }) => value), goal));
  return known.reduce<TrialState | null>((best, trial) => (best === null || compareValues(score(trial), score(best), goal) < 0 ? trial : best), null);
}
