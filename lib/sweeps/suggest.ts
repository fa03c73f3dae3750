// The parameters of a sweep's next trial: a warm-start point, or what its method draws. A function of the spec, the space and the
// trials so far; every random number is keyed by the seed and the trial's number. Pure.
import type { SweepSpec } from '../contract/sweep.js';
import type { Params } from './dimension.js';
import type { Why } from './events.js';
import { gridParams, gridSize } from './samplers/grid.js';
import type { PastTrial } from './samplers/past-trials.js';
import { qmcParams } from './samplers/qmc.js';
import { randomParams } from './samplers/random.js';
import { suggestTpe } from './samplers/tpe.js';
import { paramsOf, type Space } from './space.js';
import { goalOf, type SweepState, type TrialState } from './state.js';

export interface Suggested {
  params: Params;
  /** Combinations before it that make no valid job. */
  draws: number;
  why: Why;
}

/** Draws for one trial before the sweep is given up: a space of which next to nothing is valid. */
const DRAWS_MAX = 1_000;

/** How many trials there can be: of a grid, or as many as run_cap says. */
export function trialsOf(spec: SweepSpec, space: Space): number {
  const cap = spec.run_cap ?? Infinity;
  return spec.method === 'grid' ? Math.min(cap, spec.warm_start.points.length + gridSize(space)) : cap;
}

/**
 * Null: there is no other one. `isValid` says whether parameters make a job.
 * @param draw of all combinations that were tried, of this trial and of those before it: a grid goes on with the next one
 */
export function suggest(spec: SweepSpec, space: Space, state: SweepState, isValid: (params: Params) => boolean): Suggested | null {
  const number = state.trials.length;
  const point = spec.warm_start.points[number];
  if (point) return { params: paramsOf(space, (name) => (name in point ? (point[name] as Params[string]) : randomParams(space, spec.sampler.seed, number)[name]!)), draws: 0, why: { sampler: 'warm_start', point: number } };
  // Of a grid every combination has its place, valid or not.
  const before = spec.method === 'grid' ? number - spec.warm_start.points.length + state.skipped : 0;
  for (let draws = 0; draws < DRAWS_MAX; draws++) {
    const drawn = draw(spec, space, state.trials, number, before + draws, draws);
    if (drawn === null) return null;
    if (isValid(drawn.params)) return { ...drawn, draws };
  }
  return null;
}

function draw({ method, sampler, metric }: SweepSpec, space: Space, trials: readonly TrialState[], number: number, place: number, draws: number): Omit<Suggested, 'draws'> | null {
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
      const sign = goalOf({ metric } as SweepSpec) === 'maximize' ? -1 : 1;
      const { params, why } = suggestTpe([...space.dimensions], trials.map((trial) => pastOf(trial, sign)), {
        seed: sampler.seed, number, nStartupTrials: sampler.n_startup_trials, nEiCandidates: sampler.n_ei_candidates, constantLiar: sampler.constant_liar, group: sampler.group, preset: sampler.preset,
      });
      return { params: paramsOf(space, (name) => params[name]!), why: { sampler: 'tpe', ...why } };
    }
    case 'random':
    case 'pbt':
      break;
  }
  return { params: randomParams(space, sampler.seed, number, draws), why: { sampler: 'random', draw: draws } };
}

const STATES = { running: 'running', paused: 'running', succeeded: 'complete', pruned: 'pruned', failed: 'failed', cancelled: 'failed' } as const;

/** A trial as the sampler sees it: lower is better. */
export function pastOf({ number, params, status, value, values }: TrialState, sign: number): PastTrial {
  // Of what a trial reported on its way only the last counts, and only if it was pruned.
  const last = status === 'pruned' ? values.findLast((each) => each.value !== null) : undefined;
  return { number, params, state: STATES[status], value: value === null ? null : sign * value, steps: last ? [{ step: last.step, value: sign * last.value! }] : [] };
}
