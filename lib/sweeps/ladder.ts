// At which steps the trials of a sweep are looked at, by its rule of early stopping: one list of them a bracket. Pure.
import type { SweepSpec } from '../contract/sweep.js';
import { bandsOf } from './stoppers/hyperband.js';
import { bracketOf, bracketsOf, rungResources } from './stoppers/rungs.js';

/** Steps at which the median is asked for, at most: of a trial without a known end. */
const MEDIAN_STEPS = 1_000;
const UNKNOWN_END = Number.MAX_SAFE_INTEGER;

/** @throws RangeError where asha has no max_iter: it is filled in when the sweep is taken in */
export function ladderOf({ early_terminate: rule }: Pick<SweepSpec, 'early_terminate'>): number[][] {
  switch (rule.type) {
    case 'none':
      return [[]];
    case 'asha': {
      if (rule.max_iter === null) throw new RangeError('asha without max_iter has no last rung');
      return bracketsOf(rungResources({ min: rule.min_iter, max: rule.max_iter, eta: rule.eta }), rule.eta).slice(0, rule.brackets).map(({ resources }) => resources);
    }
    case 'hyperband': {
      const { min_iter, max_iter, s, eta, strict } = rule;
      return [bandsOf({ ...(min_iter === null ? {} : { min_iter }), ...(max_iter === null ? {} : { max_iter }), ...(s === null ? {} : { s }), eta, strict }, max_iter ?? UNKNOWN_END)];
    }
    case 'median':
      return [Array.from({ length: MEDIAN_STEPS }, (_, k) => rule.min_iter + k * (rule.interval ?? rule.min_iter))];
  }
}

/** Which of the brackets a trial is in. */
export function bracketFor(spec: Pick<SweepSpec, 'early_terminate' | 'sampler'>, trial: number): number {
  const rule = spec.early_terminate;
  if (rule.type !== 'asha' || rule.max_iter === null || rule.brackets === 1) return 0;
  const brackets = bracketsOf(rungResources({ min: rule.min_iter, max: rule.max_iter, eta: rule.eta }), rule.eta).slice(0, rule.brackets);
  return bracketOf(trial, brackets, spec.sampler.seed);
}
