// A sweep in simulated time, decided by what decides in production: so many workers, trials that take as long as their steps, values that
// are a function.
import { decide, type Rules } from '../../../lib/sweeps/decide.js';
import type { Params } from '../../../lib/sweeps/dimension.js';
import type { SweepEvent } from '../../../lib/sweeps/events.js';
import { resolveSweep } from '../../../lib/sweeps/resolve.js';
import { applied, emptySweep, isOver } from '../../../lib/sweeps/state.js';

export interface Decided {
  /** A sweep of the external kind: its trials begin as those of jobs do. */
  spec: object;
  /** Steps of a whole trial. */
  max: number;
  /** Nothing begins or goes on once so many steps were given out. */
  budget: number;
  valueOf(trial: number, params: Params, step: number): number;
}

/** Values of whole trials, and how many trials there were. */
export function simulateDecided({ spec, max, budget, valueOf }: Decided): { whole: number[]; trials: number } {
  const resolved = resolveSweep(spec);
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  const rules: Rules = { spec: { ...resolved.spec, execution: 'jobs' }, space: resolved.space, template: null, warm: null, refusalOf: () => null };
  let state = emptySweep(rules.spec);
  let now = 0;
  let spent = 0;
  let running: { trial: number; step: number; endsAt: number }[] = [];
  const whole: number[] = [];

  function happen(event: SweepEvent): void {
    const decisions = decide(rules, state, event);
    const before = state;
    state = applied(rules.spec, state, { at: '', event, decisions });
    for (const decision of decisions) {
      if (decision.type !== 'start' && decision.type !== 'go_on') continue;
      const from = decision.type === 'start' ? 0 : (before.trials[decision.trial]?.upTo ?? 0);
      const step = decision.upTo ?? max;
      spent += step - from;
      running.push({ trial: decision.trial, step, endsAt: now + step - from });
    }
    if (spent >= budget && state.verb === 'resume') happen({ type: 'said', verb: 'pause' });
  }

  happen({ type: 'created' });
  while (running.length > 0) {
    const next = running.reduce((first, each) => (each.endsAt < first.endsAt ? each : first));
    running = running.filter((each) => each !== next);
    now = next.endsAt;
    const { trial, step } = next;
    const value = valueOf(trial, state.trials[trial]!.params, step);
    if (step === max) whole.push(value);
    if (isOver(state.trials[trial]!)) continue;
    happen(state.trials[trial]!.upTo === null ? { type: 'ended', trial, outcome: 'succeeded', value, message: null } : { type: 'reached', trial, step, value });
  }
  return { whole, trials: state.trials.length };
}
