// Population based training (https://arxiv.org/abs/1711.09846): at every interval the worst quarter of a population goes on as forks of
// members of the best quarter, with their parameters changed a little. A fork begins with the parent's whole state at that step, so it
// is the parent but for what was changed. Pure, its random numbers keyed.
//
// The whole population is decided about at once, at the same step. A member that is there earlier pauses and frees its worker, so a
// population may be larger than the number of workers, and what happens depends on neither their number nor their speed.
import { deriveKey, type Key, uniformAt } from '../../training/random.js';
import type { Dimension, Params } from '../dimension.js';
import { type Change, perturb, type Perturbed, type PerturbOptions } from './perturb.js';
import { compareTrials, type Goal, isNumber, type Value } from './ranking.js';

export interface Member {
  trial: number;
  params: Params;
  /** Updates that it has made. */
  step: number;
  value: Value;
}

export interface PbtOptions extends PerturbOptions {
  goal: Goal;
  dimensions: Readonly<Record<string, Dimension>>;
  /** The part of the population that is replaced, and the part that it is replaced from; at most half. */
  quantile: number;
  /** Whether parameters make a valid job; of changes that never do, a fork has none. */
  isValid(params: Params): boolean;
}

/** Changes that are tried, until they make a valid job. */
const CHANGES_MAX = 20;

export const PBT_DEFAULTS = { quantile: 0.25, resampleProbability: 0.25, factors: [1.2, 0.8] } as const satisfies Partial<PbtOptions>;

/** Where a member stood. */
export interface Standing {
  step: number;
  value: Value;
  /** 1 is the best of the `of` members. */
  rank: number;
  of: number;
}

export type PbtDecision =
  | { trial: number; action: 'continue'; why: Standing }
  /** `from` at why.parent.step becomes what `trial` goes on with. */
  | { trial: number; action: 'fork'; from: number; params: Params; why: Standing & { parent: Standing; changes: Readonly<Record<string, Change>> } };

/** The step at which a member is compared next. */
export const nextExchange = (step: number, interval: number): number => (Math.floor(step / interval) + 1) * interval;

/**
 * One decision for each member, in the order of their numbers. The worst ⌈N·quantile⌉ (at most ⌊N/2⌋) and every member without a value fork
 * from one of as many best ones, drawn with equal chances among those that have a value; without such a one they go on.
 * @param key of this exchange; each member draws by its number
 */
export function decidePbt(population: readonly Member[], options: PbtOptions, key: Key): PbtDecision[] {
  const ranked = population.toSorted(compareTrials(options.goal));
  const of = ranked.length;
  const count = Math.min(Math.ceil(of * options.quantile), Math.floor(of / 2));
  const standings = new Map(ranked.map(({ trial, step, value }, index): [number, Standing] => [trial, { step, value: isNumber(value) ? value : null, rank: index + 1, of }]));
  const parents = ranked.slice(0, count).filter(({ value }) => isNumber(value));
  const worst = new Set(ranked.filter(({ value }, index) => index >= of - count || !isNumber(value)));
  return population.toSorted((a, b) => a.trial - b.trial).map((member): PbtDecision => {
    const { trial } = member;
    const why = standings.get(trial)!;
    if (!worst.has(member) || parents.length === 0) return { trial, action: 'continue', why };
    const own = deriveKey(key, trial);
    const parent = parents[Math.floor(uniformAt(deriveKey(own, 0), 0) * parents.length)]!;
    const { params, changes } = changed(parent, options, own);
    return { trial, action: 'fork', from: parent.trial, params, why: { ...why, parent: standings.get(parent.trial)!, changes } };
  });
}

function changed({ params }: Member, options: PbtOptions, key: Key): Perturbed {
  for (let attempt = 0; attempt < CHANGES_MAX; attempt++) {
    const perturbed = perturb(params, options.dimensions, options, deriveKey(key, 1 + attempt));
    if (options.isValid(perturbed.params)) return perturbed;
  }
  return { params, changes: {} };
}
