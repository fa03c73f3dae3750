// What a sweep does about what it sees: decide(state, event) → decisions, and nothing else, so that a controller that was killed, or
// another one, comes to the same. The state after the event and its decisions is in state.ts. Pure.
import type { SweepSpec } from '../contract/sweep.js';
import type { Params } from './dimension.js';
import type { Decision, Step, SweepEvent } from './events.js';
import { bracketFor } from './ladder.js';
import type { JobTemplate } from './paths.js';
import type { Space } from './space.js';
import { afterDecision, afterEvent, goalOf, isOver, type SweepState, type TrialState } from './state.js';
import { judgeAtRung, lastPromotion, nextPromotion } from './stoppers/asha.js';
import { judgeAtBand } from './stoppers/hyperband.js';
import { judgeByMedian } from './stoppers/median.js';
import { bestOf, compareValues, isNumber } from './stoppers/ranking.js';
import { suggest, trialsOf } from './suggest.js';
import type { Shortage } from '../contract/external.js';

export interface Rules {
  spec: SweepSpec;
  space: Space;
  /** What trials' jobs are made of; null of a sweep whose trials are none. */
  template: JobTemplate | null;
  /** Whether parameters make a valid job. */
  isValid: (params: Params) => boolean;
}

/** Of jobs, where `budget.max_concurrent` says nothing. */
const CONCURRENT = 4;

/** What follows from an event, in this order. */
export function decide(rules: Rules, state: SweepState, event: SweepEvent): Decision[] {
  const decisions: Decision[] = [];
  let now = afterEvent(rules.spec, state, event);
  const take = (decision: Decision): void => {
    decisions.push(decision);
    // When it was taken decides nothing.
    now = afterDecision(now, decision, state.entries, '');
  };
  if (state.end) return [];
  if ((event.type === 'reached' || event.type === 'told') && now !== state) see(rules.spec, now, event, take);
  const over = endingOf(rules.spec, now);
  if (over) {
    finish(now, over, take);
    return decisions;
  }
  if (rules.spec.execution === 'jobs') {
    for (let next = nextOf(rules, now); next; next = nextOf(rules, now)) take(next);
  } else if (event.type === 'asked') {
    for (let missing = event.count - trialsWith(now, event.client).length; missing > 0; missing--) {
      const next = nextOf(rules, now);
      if (!next) break;
      take({ ...next, client: event.client });
    }
  }
  const running = now.trials.some(({ status }) => status === 'running');
  if (!running && (now.verb === 'stop' || (now.verb === 'resume' && isExhausted(rules, now)))) {
    finish(now, { status: now.verb === 'stop' ? 'stopped' : 'succeeded', why: { trials: now.trials.length } }, take);
  }
  return decisions;
}

function see(spec: SweepSpec, now: SweepState, event: Extract<SweepEvent, { type: 'reached' | 'told' }>, take: (decision: Decision) => void): void {
  const trial = now.trials[event.trial]!;
  if (event.type === 'told' && event.end !== null) {
    if (!isOver(trial)) take({ type: 'prune', trial: trial.number, why: event.end === 'pruned' ? { told: 'pruned' } : { value: null } });
  } else if (trial.status === 'paused') judge(spec, now, trial, take);
}

/** A trial has come to a step where it is looked at: it ends, goes on at once, or waits to be promoted. */
function judge(spec: SweepSpec, now: SweepState, trial: TrialState, take: (decision: Decision) => void): void {
  const rule = spec.early_terminate;
  const rungs = now.rungs[trial.bracket]!;
  const rung = rungs.findIndex(({ resource }) => resource === trial.upTo);
  const goesOn = (why: object): void => take({ type: 'go_on', trial: trial.number, upTo: rungs[rung + 1]?.resource ?? null, why: { ...why } });
  const ends = (why: object): void => take({ type: 'prune', trial: trial.number, why: { ...why } });
  switch (rule.type) {
    case 'none':
      return goesOn({});
    case 'asha': {
      const isLast = rung === rungs.length - 1;
      if (isLast) return isNumber(trial.value) ? take({ type: 'complete', trial: trial.number, why: { rung, resource: trial.upTo } }) : ends({ rung, resource: trial.upTo, value: null });
      if (rule.variant === 'promotion') {
        if (!isNumber(trial.value)) ends({ rung, resource: trial.upTo, value: null });
        return;
      }
      const { verdict, why } = judgeAtRung(rungs, rung, trial.number, rule.eta);
      return verdict === 'continue' ? goesOn(why) : ends(why);
    }
    case 'hyperband': {
      const { verdict, why } = judgeAtBand(rungs, rung, trial.number, bestOf(trial.values.map(({ value }) => value), goalOf(spec)), { eta: rule.eta, strict: rule.strict, goal: goalOf(spec) });
      return verdict === 'continue' ? goesOn(why) : ends(why);
    }
    case 'median': {
      const completed = now.trials.filter(({ number, status }) => number !== trial.number && status === 'succeeded').map(({ values }) => upTo(values, trial.upTo!));
      const { verdict, why } = judgeByMedian(upTo(trial.values, trial.upTo!), completed, { startupTrials: rule.n_startup_trials, warmup: rule.min_iter }, goalOf(spec));
      return verdict === 'continue' ? goesOn(why) : ends(why);
    }
  }
}

/** Values until a rung. What a program tells first after it is its value there: it need not say anything at that very step. */
function upTo(values: readonly Step[], rung: number): readonly Step[] {
  const there = values.findIndex(({ step }) => step >= rung);
  return there < 0 ? values : [...values.slice(0, there), { step: rung, value: values[there]!.value }];
}

type End = Pick<Extract<Decision, { type: 'end' }>, 'status' | 'why'>;

/** Whether the sweep is over now, whatever still runs. */
function endingOf(spec: SweepSpec, now: SweepState): End | null {
  if (now.verb === 'cancel') return { status: 'cancelled', why: { said: 'cancel' } };
  if (now.spent !== null) return { status: 'succeeded', why: { budget: now.spent } };
  const { max_failed: maxFailed } = spec.budget;
  if (maxFailed !== null && now.failed > maxFailed) return { status: 'failed', why: { budget: 'max_failed', failed: now.failed } };
  const target = spec.metric?.target ?? null;
  if (target === null) return null;
  const hit = now.trials.find(({ status, value }) => status === 'succeeded' && isNumber(value) && compareValues(value, target, goalOf(spec)) <= 0);
  return hit ? { status: 'succeeded', why: { target, trial: hit.number } } : null;
}

/** Ends every trial that is not over, and then the sweep. */
function finish(now: SweepState, { status, why }: End, take: (decision: Decision) => void): void {
  for (const trial of now.trials) {
    if (isOver(trial)) continue;
    // One that waits at a rung has been passed over; of the others nobody knows what they would have become.
    take({ type: trial.status === 'paused' ? 'prune' : 'cancel', trial: trial.number, why: { sweep: status } });
  }
  take({ type: 'end', status, why });
}

/** The external trials that somebody was given and that run; of nobody by name there are none. */
export const trialsWith = ({ trials }: Pick<SweepState, 'trials'>, client: string | null): TrialState[] => (client === null ? [] : trials.filter((trial) => trial.status === 'running' && trial.client === client));

/** Why nobody who asks is given more trials; null: somebody would be. */
export function shortOf({ spec, space }: Pick<Rules, 'spec' | 'space'>, now: SweepState): Shortage | null {
  if (now.end) return 'over';
  if (now.verb === 'stop' || now.verb === 'cancel') return 'stopping';
  if (now.verb !== 'resume') return 'paused';
  const running = now.trials.filter(({ status }) => status === 'running').length;
  if (now.trials.length < trialsOf(spec, space) || promotionOf(spec, now, nextPromotion)) return running < concurrencyOf(spec) ? null : 'concurrency';
  if (running === 0) return promotionOf(spec, now, lastPromotion) ? null : 'exhausted';
  return spec.early_terminate.type === 'asha' && spec.early_terminate.variant === 'promotion' ? 'rungs' : 'exhausted';
}

/** Programs of one's own are as many as there are: only who says so limits them. */
const concurrencyOf = ({ budget, execution }: SweepSpec): number => budget.max_concurrent ?? (execution === 'jobs' ? CONCURRENT : Infinity);

/** The next trial that goes on or begins, while there is room for it. */
function nextOf(rules: Rules, now: SweepState): Extract<Decision, { type: 'start' | 'go_on' }> | null {
  const { spec, space } = rules;
  if (now.verb !== 'resume') return null;
  const running = now.trials.filter(({ status }) => status === 'running').length;
  if (running >= concurrencyOf(spec)) return null;
  const promoted = promotionOf(spec, now, nextPromotion);
  if (promoted) return promoted;
  const number = now.trials.length;
  const suggested = number < trialsOf(spec, space) ? suggest(spec, space, now, rules.isValid) : null;
  if (suggested) {
    const bracket = bracketFor(spec, number);
    return { type: 'start', trial: number, params: suggested.params, bracket, upTo: now.rungs[bracket]![0]?.resource ?? null, draws: suggested.draws, why: suggested.why };
  }
  // Nothing else can happen: the best that waits becomes a whole trial, if there is none.
  return running === 0 ? promotionOf(spec, now, lastPromotion) : null;
}

function promotionOf(spec: SweepSpec, now: SweepState, of: typeof nextPromotion): Extract<Decision, { type: 'go_on' }> | null {
  const rule = spec.early_terminate;
  if (rule.type !== 'asha' || rule.variant !== 'promotion') return null;
  for (const rungs of now.rungs) {
    const promotion = of(rungs, rule.eta);
    if (promotion) return { type: 'go_on', trial: promotion.trial, upTo: rungs[promotion.toRung]!.resource, why: { ...promotion.why } };
  }
  return null;
}

/** No trial can begin or go on any more. Asked when none runs, and of jobs when nothing was next. */
function isExhausted(rules: Rules, now: SweepState): boolean {
  const { spec, space, isValid } = rules;
  if (spec.execution === 'external') return shortOf(rules, now) === 'exhausted';
  return now.trials.length >= trialsOf(spec, space) || suggest(spec, space, now, isValid) === null;
}
