// What a sweep does about what it sees: decide(state, event) → decisions, and nothing else, so that a controller that was killed, or
// another one, comes to the same. The state after the event and its decisions is in state.ts. Pure.
import type { Shortage } from '../contract/external.js';
import type { SweepSpec } from '../contract/sweep.js';
import type { Decision, Step, SweepEvent } from './events.js';
import { bracketFor } from './ladder.js';
import type { JobTemplate } from './paths.js';
import { exchange } from './population.js';
import { afterDecision, afterEvent, goalOf, isOver, type SweepState, type TrialState } from './state.js';
import { judgeAtRung, lastPromotion, nextPromotion } from './stoppers/asha.js';
import { judgeAtBand } from './stoppers/hyperband.js';
import { judgeByMedian } from './stoppers/median.js';
import { nextExchange } from './stoppers/pbt.js';
import { bestOf, compareValues, isNumber } from './stoppers/ranking.js';
import { DRAWS_MAX, suggest, trialsOf } from './suggest.js';
import type { Search } from './warm-start.js';

export interface Rules extends Search {
  /** What trials' jobs are made of; null of a sweep whose trials are none. */
  template: JobTemplate | null;
}

/** Where `budget.max_concurrent` says nothing: of jobs. */
const CONCURRENT = 4;

/** What follows from an event, in this order. */
export function decide(rules: Rules, state: SweepState, event: SweepEvent): Decision[] {
  const decisions: Decision[] = [];
  // When something was seen, and when a decision is taken, decides nothing.
  let now = afterEvent(rules.spec, state, event, '');
  const take = (decision: Decision): void => {
    decisions.push(decision);
    now = afterDecision(now, decision, state.entries, '');
  };
  if (state.end) return [];
  if ((event.type === 'reached' || event.type === 'told') && now !== state) see(rules.spec, now, event, take);
  /** Of those who ask: to whom trials are given. */
  const asks = event.type === 'asked' ? event : null;
  for (const invalid = invalidIn(now); ; ) {
    const over = endingOf(rules.spec, now);
    if (over) {
      finish(now, over, take);
      return decisions;
    }
    const exchanged = exchange(rules, now);
    exchanged.forEach(take);
    if (exchanged.length > 0) continue;
    // Programs of one's own are given what they ask for, and nothing else.
    if (rules.spec.execution === 'external' && (!asks || given(decisions, now, asks.client) >= asks.count)) break;
    const next = nextOf(rules, now, invalidIn(now) - invalid);
    if (!next) break;
    take(asks && next.type !== 'fail' ? { ...next, client: asks.client } : next);
  }
  const running = now.trials.some(({ status }) => status === 'running');
  const end = running ? null : exhaustedEnd(rules, now);
  if (end) finish(now, end, take);
  return decisions;
}

/** Combinations that made no valid job, whether they were trials or not. */
const invalidIn = ({ skipped, failed }: SweepState): number => skipped + failed;

function see(spec: SweepSpec, now: SweepState, event: Extract<SweepEvent, { type: 'reached' | 'told' }>, take: (decision: Decision) => void): void {
  const trial = now.trials[event.trial]!;
  if (event.type === 'told' && event.end !== null) {
    if (!isOver(trial)) take({ type: 'prune', trial: trial.number, why: event.end === 'pruned' ? { told: 'pruned' } : { value: null } });
  } else if (trial.status === 'paused') judge(spec, now, trial, take);
}

/** A trial has come to a step where it is looked at: it ends, goes on at once, or waits to be promoted. */
function judge(spec: SweepSpec, now: SweepState, trial: TrialState, take: (decision: Decision) => void): void {
  // A population is looked at as a whole.
  if (spec.method === 'pbt') return;
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

/** How many trials whoever asks has: by name those from before too. */
const given = (decisions: readonly Decision[], now: SweepState, client: string | null): number => (client === null ? decisions.length : trialsWith(now, client).length);

/** Why nobody who asks is given more trials; null: somebody would be. */
export function shortOf(rules: Rules, now: SweepState): Shortage | null {
  const { spec } = rules;
  if (now.end) return 'over';
  if (now.verb === 'stop' || now.verb === 'cancel') return 'stopping';
  if (now.verb !== 'resume') return 'paused';
  const running = now.trials.filter(({ status }) => status === 'running').length;
  if (now.trials.length < trialsOf(rules) || promotionOf(spec, now, nextPromotion)) return running < concurrencyOf(spec) ? null : 'concurrency';
  if (running === 0) return promotionOf(spec, now, lastPromotion) ? null : 'exhausted';
  return spec.early_terminate.type === 'asha' && spec.early_terminate.variant === 'promotion' ? 'rungs' : 'exhausted';
}

/** Programs of one's own are as many as there are: only who says so limits them. A population goes on as one. */
const concurrencyOf = ({ budget, execution, pbt }: SweepSpec): number => budget.max_concurrent ?? (execution === 'external' ? Infinity : (pbt?.population ?? CONCURRENT));

/**
 * The next trial that goes on or begins, while there is room for it.
 * @param invalid combinations that made no valid job, so far at this event: after very many, others begin at the next one
 */
function nextOf(rules: Rules, now: SweepState, invalid: number): Extract<Decision, { type: 'start' | 'go_on' | 'fail' }> | null {
  const { spec } = rules;
  if (now.verb !== 'resume') return null;
  const running = now.trials.filter(({ status }) => status === 'running').length;
  if (running >= concurrencyOf(spec)) return null;
  const promoted = promotionOf(spec, now, nextPromotion);
  if (promoted) return promoted;
  const number = now.trials.length;
  const suggested = running > 0 && invalid > DRAWS_MAX ? null : suggest(rules, now);
  if (suggested !== null && suggested.params !== null) {
    const bracket = bracketFor(spec, number);
    if (suggested.refused !== null) return { type: 'fail', trial: number, params: suggested.params, bracket, why: { ...suggested.why, refused: suggested.refused } };
    return { type: 'start', trial: number, params: suggested.params, bracket, upTo: spec.pbt ? nextExchange(0, spec.pbt.interval) : (now.rungs[bracket]![0]?.resource ?? null), draws: suggested.draws, why: suggested.why };
  }
  // Nothing else can happen: the best that waits becomes a whole trial, if there is none.
  return running === 0 ? promotionOf(spec, now, lastPromotion) : null;
}

function promotionOf(spec: SweepSpec, now: SweepState, of: typeof nextPromotion): Extract<Decision, { type: 'go_on' }> | null {
  const rule = spec.early_terminate;
  if (rule.type !== 'asha' || rule.variant !== 'promotion') return null;
  for (const [bracket, rungs] of now.rungs.entries()) {
    const promotion = of(rungs, rule.eta);
    if (!promotion) continue;
    // Of a training that ends before the last rung no trial ever gets there: one that ended, and is no worse than the best that waits, is the whole one.
    const isWhole = (trial: TrialState): boolean => trial.bracket === bracket && trial.status === 'succeeded' && isNumber(trial.value) && compareValues(trial.value, promotion.why.value, goalOf(spec)) <= 0;
    if (of !== lastPromotion || !now.trials.some(isWhole)) return { type: 'go_on', trial: promotion.trial, upTo: rungs[promotion.toRung]!.resource, why: { ...promotion.why } };
  }
  return null;
}

/** What the sweep ends with if no trial can begin or go on any more. Asked when none runs, and of jobs when nothing was next. */
function exhaustedEnd(rules: Rules, now: SweepState): End | null {
  const trials = now.trials.length;
  if (now.verb === 'stop') return { status: 'stopped', why: { trials } };
  if (now.verb !== 'resume') return null;
  if (rules.spec.execution === 'external') return shortOf(rules, now) === 'exhausted' ? { status: 'succeeded', why: { trials } } : null;
  const { params, why } = suggest(rules, now);
  if (params !== null) return null;
  // One that was given up, and of which no trial ever ran, has found nothing.
  const isFruitless = why['gave_up'] !== undefined && now.trials.every(({ status }) => status === 'failed');
  return { status: isFruitless ? 'failed' : 'succeeded', why: { trials, ...why } };
}
