// Runs the early stopping of a sweep by event time, never by waiting: so many workers, trials whose values are a function, and rungs that
// take as long as a function says. Two things that happen at the same time happen in the order in which they were begun.
import { judgeAtRung, lastPromotion, nextPromotion, type Promotion, type RungVerdict } from '../../lib/sweeps/stoppers/asha.js';
import type { Value } from '../../lib/sweeps/stoppers/ranking.js';
import { emptyRungs, enterRung, leaveRung, type Rung } from '../../lib/sweeps/stoppers/rungs.js';

export interface Simulation {
  workers: number;
  resources: readonly number[];
  eta: number;
  /** By promotion, by stopping (ranks), or every trial to its end at once. */
  rule: 'promotion' | 'stopping' | 'none';
  /** To be minimized. */
  valueOf(trial: number, resource: number): Value;
  /** Per unit of resource; 1 unless given. */
  paceOf?(trial: number): number;
  /** Every rung is trained from zero, as where nothing can be resumed. */
  restarts?: boolean;
  /** So many trials, and what the rules make of them. */
  maxTrials?: number;
  /** Nothing begins or goes on once so much resource was given out. */
  maxResource?: number;
}

export interface Simulated {
  trials: number;
  /** Resource that was given out. */
  spent: number;
  /** When the last one ended. */
  time: number;
  /** In order of time. */
  arrivals: { time: number; trial: number; rung: number; value: Value }[];
  promotions: (Promotion & { time: number })[];
  verdicts: (RungVerdict & { time: number; trial: number })[];
  /** Whole trials. */
  completed: { time: number; trial: number; value: Value }[];
}

interface Task {
  trial: number;
  rung: number;
  endsAt: number;
}

export function simulateSweep({ workers, resources, eta, rule, valueOf, paceOf = () => 1, restarts = false, maxTrials = Infinity, maxResource = Infinity }: Simulation): Simulated {
  if (maxTrials === Infinity && maxResource === Infinity) throw new RangeError('a sweep without an end');
  const top = resources.length - 1;
  let rungs: Rung[] = emptyRungs(resources);
  const running: Task[] = [];
  const result: Simulated = { trials: 0, spent: 0, time: 0, arrivals: [], promotions: [], verdicts: [], completed: [] };

  function begin(trial: number, from: number, rung: number): void {
    const resource = resources[rung]! - (restarts || from < 0 ? 0 : resources[from]!);
    result.spent += resource;
    running.push({ trial, rung, endsAt: result.time + resource * paceOf(trial) });
  }
  function promote(promotion: Promotion): void {
    rungs = leaveRung(rungs, promotion.fromRung, promotion.trial);
    result.promotions.push({ ...promotion, time: result.time });
    begin(promotion.trial, promotion.fromRung, promotion.toRung);
  }
  /** Whether a free worker got something. */
  function employ(): boolean {
    if (result.spent >= maxResource) return false;
    const promotion = rule === 'promotion' ? nextPromotion(rungs, eta) : null;
    if (promotion) promote(promotion);
    else if (result.trials < maxTrials) begin(result.trials++, -1, rule === 'none' ? top : 0);
    else {
      const last = rule === 'promotion' && running.length === 0 ? lastPromotion(rungs, eta) : null;
      if (last) promote(last);
      return last !== null;
    }
    return true;
  }
  function arrive({ trial, rung }: Task): void {
    const value = valueOf(trial, resources[rung]!);
    result.arrivals.push({ time: result.time, trial, rung, value });
    rungs = enterRung(rungs, rung, { trial, value }, 'minimize');
    if (rung === top) result.completed.push({ time: result.time, trial, value });
    else if (rule === 'stopping') {
      const judged = judgeAtRung(rungs, rung, trial, eta);
      result.verdicts.push({ ...judged, time: result.time, trial });
      if (judged.verdict === 'continue' && result.spent < maxResource) begin(trial, rung, rung + 1);
    }
  }
  for (;;) {
    while (running.length < workers && employ());
    if (running.length === 0) return result;
    const next = running.reduce((a, b) => (b.endsAt < a.endsAt ? b : a));
    running.splice(running.indexOf(next), 1);
    result.time = next.endsAt;
    arrive(next);
  }
}
