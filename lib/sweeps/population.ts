// Population based training of a sweep: when all of a population wait at the same step, the worst end, and forks of the best, with their
// parameters changed, begin in their places as trials of their own; the others go on. Pure.
import { deriveKey, keyOf } from '../training/random.js';
import type { PbtSpec } from '../contract/sweep.js';
import type { Decision } from './events.js';
import { goalOf, isOver, type SweepState, type TrialState } from './state.js';
import { decidePbt, nextExchange } from './stoppers/pbt.js';
import type { Search } from './warm-start.js';

/** Those that wait to be compared; null: somebody is still on the way, or has not begun. */
function waitingMembers({ population }: PbtSpec, { trials }: SweepState): TrialState[] | null {
  const members = trials.filter((trial) => !isOver(trial));
  if (trials.filter(({ fork }) => fork === null).length < population || members.length === 0) return null;
  return members.every(({ status, upTo }) => status === 'paused' && upTo === members[0]!.upTo) ? members : null;
}

/** What an exchange decides, in this order; nothing while it is not time for one. */
export function exchange({ spec, space, refusalOf }: Search, now: SweepState): Decision[] {
  const { pbt } = spec;
  const members = pbt && now.verb === 'resume' ? waitingMembers(pbt, now) : null;
  if (!pbt || !members) return [];
  const step = members[0]!.upTo!;
  const upTo = nextExchange(step, pbt.interval);
  const decided = decidePbt(
    members.map(({ number, params, value }) => ({ trial: number, params, step, value })),
    { goal: goalOf(spec), dimensions: Object.fromEntries(space.dimensions), quantile: pbt.quantile, resampleProbability: pbt.resample_probability, factors: pbt.factors, isValid: (params) => refusalOf(params) === null },
    deriveKey(keyOf(spec.sampler.seed, 'sweep/pbt'), step),
  );
  let next = now.trials.length;
  return decided.flatMap((each): Decision[] => {
    const { trial, why } = each;
    // With no trials left to begin, the worst go on as they are.
    if (each.action === 'continue' || next >= (spec.run_cap ?? Infinity)) return [{ type: 'go_on', trial, upTo, why: { ...why } }];
    const { from, params } = each;
    const { parent, changes, ...standing } = each.why;
    return [
      { type: 'prune', trial, why: { ...standing, replaced_by: next } },
      { type: 'start', trial: next++, params, bracket: 0, upTo, draws: 0, fork: { trial: from, step }, why: { sampler: 'pbt', replaces: trial, from, parent, changes } },
    ];
  });
}
