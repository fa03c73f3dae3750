// The parameters of a sweep's next trial: a first trial that was given, or what its method draws. A function of the spec, the space, what
// was taken over and the trials so far; every random number is keyed by the seed and the trial's number. Pure.
import type { Params } from './dimension.js';
import type { Why } from './events.js';
import { historyOf } from './history.js';
import { isConstant } from './samplers/axis.js';
import { gridParams, gridSize } from './samplers/grid.js';
import { qmcParams } from './samplers/qmc.js';
import { randomParams } from './samplers/random.js';
import { suggestTpe, type Why as TpeWhy } from './samplers/tpe.js';
import { paramsOf } from './space.js';
import { goalOf, isRefused, type SweepState } from './state.js';
import { firstTrial, firstTrials, type Search } from './warm-start.js';

export interface Suggested {
  params: Params;
  /** Combinations before it that make no valid job. */
  draws: number;
  /** Why it makes no valid job itself: it is a failed trial. */
  refused: string | null;
  why: Why;
}
/** There is no other one; `why` says more than that only where a search was given up. */
export interface NoMore {
  params: null;
  why: Why;
}

/** Combinations in a row that make no valid job before the sweep is given up: a space of which next to nothing is valid. */
export const DRAWS_MAX = 1_000;
/** The same of trials, where such a combination is one. */
export const INVALID_TRIALS_MAX = 100;

/** How many trials are drawn: of a grid, of a first population, or as many as run_cap says. */
export function trialsOf({ spec, space, warm }: Pick<Search, 'spec' | 'space' | 'warm'>): number {
  const cap = Math.min(spec.run_cap ?? Infinity, spec.pbt?.population ?? Infinity);
  return spec.method === 'grid' ? Math.min(cap, firstTrials({ spec, warm }) + gridSize(space)) : cap;
}

export function suggest(search: Search, state: SweepState): Suggested | NoMore {
  const { spec, refusalOf } = search;
  const number = state.trials.length;
  if (number >= trialsOf(search)) return { params: null, why: {} };
  const first = firstTrial(search, number);
  if (first) return { ...first, draws: 0 };
  const isTrial = spec.failure.on_invalid_params === 'fail';
  if (isTrial && invalidInARow(state) >= INVALID_TRIALS_MAX) return { params: null, why: { gave_up: `${INVALID_TRIALS_MAX} trials in a row have parameters that make no valid job` } };
  // Of a grid every combination has its place, valid or not.
  const before = spec.method === 'grid' ? number - firstTrials(search) + state.skipped : 0;
  for (let draws = 0, refused: string | null = null; ; draws++) {
    if (draws === DRAWS_MAX) return { params: null, why: { gave_up: `${DRAWS_MAX} combinations of parameters in a row make no valid job: ${refused}` } };
    const drawn = draw(search, state, number, before + draws, draws);
    if (drawn === null) return { params: null, why: {} };
    refused = refusalOf(drawn.params);
    if (refused === null || isTrial) return { ...drawn, draws, refused };
  }
}

const invalidInARow = ({ trials }: SweepState): number => trials.length - 1 - trials.findLastIndex((trial) => !isRefused(trial));

/**
 * @param place of all combinations that were tried, of this trial and of those before it: a grid goes on with the next one
 */
function draw({ spec, space, warm }: Search, { trials }: SweepState, number: number, place: number, draws: number): Pick<Suggested, 'params' | 'why'> | null {
  const { method, sampler } = spec;
  switch (method) {
    case 'grid': {
      const params = gridParams(space, place);
      return params && { params, why: { sampler: 'grid', index: place } };
    }
    case 'qmc':
      if (draws === 0) return { params: qmcParams(space, sampler.seed, number), why: { sampler: 'qmc', index: number } };
      break;
    case 'tpe':
    case 'bayes': {
      // The same draw would come again: what it may not have is drawn at random.
      if (draws > 0) break;
      const searched = [...space.dimensions.values()].filter((dimension) => !isConstant(dimension)).length;
      const history = historyOf(spec, searched, trials, warm);
      const { params, why } = suggestTpe([...space.dimensions], history.trials, {
        seed: sampler.seed, number, nStartupTrials: sampler.n_startup_trials, nEiCandidates: sampler.n_ei_candidates, constantLiar: sampler.constant_liar, group: sampler.group, preset: sampler.preset,
      });
      const counted = Object.fromEntries(Object.entries({ imported: history.imported, imputed: history.imputed, at_step: history.step ?? 0 }).filter(([, count]) => count > 0));
      return { params: paramsOf(space, (name) => params[name]!), why: { sampler: 'tpe', ...why, ...cutoffOf(spec, why), ...counted } };
    }
    case 'random':
    case 'pbt':
      break;
  }
  return { params: randomParams(space, sampler.seed, number, draws), why: { sampler: 'random', draw: draws } };
}

/** As the metric has it: to samplers lower is better, whatever the goal. */
function cutoffOf(spec: Search['spec'], why: TpeWhy): { cutoff?: number | null } {
  if (why.kind === 'startup') return {};
  return { cutoff: why.cutoff !== null && goalOf(spec) === 'maximize' ? 0 - why.cutoff : why.cutoff };
}
