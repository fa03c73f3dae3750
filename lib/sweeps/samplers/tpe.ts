// The tree-structured Parzen estimator: draws from where good trials lie, and takes the draw that speaks most for the good ones (l) and
// against the others (g). Optuna 5's algorithm, with its rules for trials that still run and for conditional parameters; what a preset may
// change is in tpe-presets.ts. A pure function of its arguments: every random number is keyed by the seed, the trial's number and what
// it is for.
import { keyOf, uniformAt } from '../../training/random.js';
import type { Dimension, JsonValue, Params } from '../dimension.js';
import { type Axis, axisOf, drawFromPrior, isConstant, pointOf, valueAt } from './axis.js';
import { drawPoints, logDensities, makeParzen, type Parzen } from './parzen.js';
import { isFinished, type PastTrial, scoreOf, type Split, splitTrials } from './past-trials.js';
import { commonSubspace, groupSubspaces } from './subspaces.js';
import { type Preset, PRESETS, type Rules } from './tpe-presets.js';

export interface TpeOptions {
  seed: number;
  /** Of the trial that asks; what is known of it is left out. */
  number: number;
  /** Finished trials before which the prior is sampled. */
  nStartupTrials?: number;
  nEiCandidates?: number;
  /** Trials that run count among those that are not good: simultaneous asks keep apart. */
  constantLiar?: boolean;
  /** Parameters that the same trials have are drawn together; without it, only those that all trials have. */
  group?: boolean;
  /** `pawl` unless given. */
  preset?: Preset;
}

export interface Suggestion {
  params: Params;
  why: Why;
}

/** Where parameters come from. */
export type Why =
  | { kind: 'startup'; finished: number }
  | {
      kind: 'tpe';
      /** Trials that are taken for good ones, and all others. */
      below: number;
      above: number;
      /** The worst value among the good ones; null without any. */
      cutoff: number | null;
      /** ln l(x) − ln g(x) of what was drawn. */
      ratio: number;
      /** The parameter whose choice came from the prior; null without any. */
      explored: string | null;
    };

/** What the trials are, on the axes that are looked at. */
interface History {
  split: Split;
  axes: ReadonlyMap<string, Axis>;
  /** By name and the trial's number. */
  points: ReadonlyMap<string, ReadonlyMap<number, number>>;
}

/** @param dimensions in the order in which the parameters are named */
export function suggestTpe(dimensions: readonly (readonly [name: string, dimension: Dimension])[], trials: readonly PastTrial[], options: TpeOptions): Suggestion {
  const { seed, number, nStartupTrials = 10, nEiCandidates = 24, constantLiar = true, group = false, preset = 'pawl' } = options;
  const rules = PRESETS[preset];
  const others = trials.filter((trial) => trial.number !== number && (constantLiar || trial.state !== 'running'));
  const finished = others.filter(isFinished);
  const startup = finished.length < nStartupTrials;
  const axes = new Map(dimensions.filter(([, dimension]) => !isConstant(dimension)).map(([name, dimension]) => [name, axisOf(dimension)]));
  const drawn = new Map<string, JsonValue>();
  if (startup) {
    for (const [name, axis] of axes) drawn.set(name, valueAt(axis, drawFromPrior(axis, keyOf(seed, `sweep/prior/${name}`, number))));
    return { params: paramsOf(dimensions, drawn), why: { kind: 'startup', finished: finished.length } };
  }
  const split = splitTrials(others, rules.good(finished.length));
  const history: History = { split, axes, points: pointsOf(axes, others) };
  const has = (trial: PastTrial, name: string): boolean => history.points.get(name)!.has(trial.number);
  const subspaces = (group ? groupSubspaces : commonSubspace)([...axes.keys()], finished, has);
  const explored = exploredChoice(axes, rules, seed, number);
  let ratio = 0;
  for (const names of subspaces) {
    const best = bestOf(history, names, rules, { count: nEiCandidates, seed, number, explored });
    for (const [index, name] of names.entries()) drawn.set(name, valueAt(axes.get(name)!, best.point[index]!));
    ratio += best.ratio;
  }
  const cutoff = split.below.reduce((worst, trial) => Math.max(worst, scoreOf(trial)), -Infinity);
  const why: Why = { kind: 'tpe', below: split.below.length, above: split.above.length, cutoff: Number.isFinite(cutoff) ? cutoff : null, ratio, explored: explored?.name ?? null };
  return { params: paramsOf(dimensions, drawn), why };
}

function paramsOf(dimensions: readonly (readonly [string, Dimension])[], drawn: ReadonlyMap<string, JsonValue>): Params {
  return Object.fromEntries(dimensions.map(([name, dimension]) => [name, drawn.has(name) ? drawn.get(name)! : constantOf(dimension)]));
}

const constantOf = (dimension: Dimension): JsonValue => (dimension.kind === 'categorical' ? dimension.choices[0]! : dimension.toValue(dimension.low));

function pointsOf(axes: ReadonlyMap<string, Axis>, trials: readonly PastTrial[]): Map<string, Map<number, number>> {
  const points = new Map<string, Map<number, number>>();
  for (const [name, axis] of axes) {
    const ofName = new Map<number, number>();
    for (const { number, params } of trials) {
      const point = pointOf(axis, Object.hasOwn(params, name) ? params[name] : undefined);
      if (!Number.isNaN(point)) ofName.set(number, point);
    }
    points.set(name, ofName);
  }
  return points;
}

interface Explored {
  name: string;
  choice: number;
}

/** In some trials, of one parameter with choices. */
function exploredChoice(axes: ReadonlyMap<string, Axis>, { exploration }: Rules, seed: number, number: number): Explored | null {
  const key = keyOf(seed, 'sweep/tpe-explore', number);
  const categorical = [...axes].filter(([, { kind }]) => kind === 'categorical');
  const chosen = categorical[Math.floor(uniformAt(key, 1) * categorical.length)];
  if (!chosen || uniformAt(key, 0) >= exploration) return null;
  const [name, axis] = chosen;
  return { name, choice: drawFromPrior(axis, keyOf(seed, `sweep/tpe-explore/${name}`, number)) };
}

interface Draw {
  count: number;
  seed: number;
  number: number;
  explored: Explored | null;
}

/** The draw from the good ones' density whose ratio is the greatest; of equal ones the first. */
function bestOf(history: History, names: readonly string[], rules: Rules, { count, seed, number, explored }: Draw): { point: number[]; ratio: number } {
  const below = estimate(history, names, rules, 'below');
  const above = estimate(history, names, rules, 'above');
  // subspaces share no name: the first one's names the subspace
  const candidates = drawPoints(below, count, keyOf(seed, `sweep/tpe/${names[0]!}`, number));
  if (explored && names.includes(explored.name)) candidates[names.indexOf(explored.name)]!.fill(explored.choice);
  const [l, g] = [logDensities(below, candidates), logDensities(above, candidates)];
  let best = 0;
  for (let i = 1; i < count; i++) if (l[i]! - g[i]! > l[best]! - g[best]!) best = i;
  return { point: candidates.map((points) => points[best]!), ratio: l[best]! - g[best]! };
}

function estimate({ split, axes, points }: History, names: readonly string[], rules: Rules, side: 'below' | 'above'): Parzen {
  const columns = names.map((name) => points.get(name)!);
  const trials = split[side].filter(({ number }) => columns.every((column) => column.has(number)));
  const weights = side === 'below' ? rules.weightsBelow(trials, split.threshold) : rules.weightsAbove(trials.length);
  return makeParzen(names.map((name) => axes.get(name)!), columns.map((column) => Float64Array.from(trials, ({ number }) => column.get(number)!)), weights, rules.bandwidths);
}
