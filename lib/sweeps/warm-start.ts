// What a sweep begins with: the points that its spec has, and what it takes from a sweep before it. The other sweep is looked at once,
// when this one is taken in, and what was found is part of this one's record: nothing that happens to the other one later changes it. Pure.
import type { SweepSpec } from '../contract/sweep.js';
import type { Problem } from '../errors.js';
import type { JsonValue, Params } from './dimension.js';
import type { Step, Why } from './events.js';
import { ladderOf } from './ladder.js';
import type { RefusalOf } from './refusals.js';
import { randomParams } from './samplers/random.js';
import { contains, isActive, paramsOf, problemsOfParams, type Space } from './space.js';
import { bestTrial, type SweepState, type TrialState } from './state.js';
import { isNumber } from './stoppers/ranking.js';

/** What was taken from another sweep. */
export interface WarmStart {
  /** The sweep that was looked at; null: "previous" where the schedule had started none. */
  from: string | null;
  /** A first trial, all of it: its best parameters as far as this sweep can have them, the others drawn. */
  best: { trial: number; params: Params; leftOut: readonly string[] } | null;
  /** Trials that samplers count as if they were of this sweep. */
  trials: readonly ImportedTrial[];
  /** What was not taken, and why. */
  warnings: readonly Problem[];
}

export type ImportedTrial = Pick<TrialState, 'number' | 'params' | 'status' | 'value' | 'values'>;

/** Trials that are taken over: the newest ones. */
export const IMPORTED_MAX = 500;
/** Draws for what a point leaves open, before it is given up. */
const DRAWS_MAX = 100;

/** What a sweep's trials come from. */
export interface Beginner {
  spec: SweepSpec;
  space: Space;
  refusalOf: RefusalOf;
}

/** With what was taken over. */
export interface Search extends Beginner {
  warm: WarmStart | null;
}

/** A sweep as it was when it was looked at. */
export interface Earlier {
  id: string;
  spec: SweepSpec;
  state: SweepState;
}

/** Refused where values of the other sweep mean something else. */
export function importProblems({ warm_start, metric }: SweepSpec, { id, spec: { metric: other } }: Earlier): Problem[] {
  if (!warm_start.import_trials || (metric?.name === other?.name && metric?.goal === other?.goal)) return [];
  return [{ param: 'warm_start.import_trials', message: `needs a sweep with the same metric, ${told(metric)}; ${id} has ${told(other)}` }];
}

const told = (metric: SweepSpec['metric']): string => (metric === null ? 'none' : `${metric.name} (${metric.goal})`);

export function beginWith(beginner: Beginner, earlier: Earlier | null): WarmStart {
  if (earlier === null) return { from: null, best: null, trials: [], warnings: [inFrom('the schedule has started no sweep before this one: nothing is taken over')] };
  const { best, warnings } = bestOf(beginner, earlier);
  if (!beginner.spec.warm_start.import_trials) return { from: earlier.id, best, trials: [], warnings };
  // Refused where somebody named the sweep.
  const problems = importProblems(beginner.spec, earlier);
  if (problems.length > 0) return { from: earlier.id, best, trials: [], warnings: [...warnings, ...problems] };
  const taken = importedTrials(beginner, earlier);
  return { from: earlier.id, best, trials: taken.trials, warnings: [...warnings, ...taken.warnings] };
}

const inFrom = (message: string): Problem => ({ param: 'warm_start.from', message });

function bestOf({ spec, space, refusalOf }: Beginner, { id, spec: otherSpec, state }: Earlier): Pick<WarmStart, 'best'> & { warnings: Problem[] } {
  const found = bestTrial(otherSpec, state);
  if (found === null) return { best: null, warnings: [inFrom(`no trial of ${id} has a value yet: its best is no first trial`)] };
  const outside = new Map(Object.entries(found.params).flatMap(([name, value]) => problemsOfParams(space, { [name]: value }, '').map(({ message }): [string, string] => [name, message])));
  const point = Object.fromEntries(Object.entries(found.params).filter(([name]) => !outside.has(name)));
  const trial = `${id}.${found.number}`;
  const warnings = [...outside].map(([name, message]) => inFrom(`${name} of ${trial} is left out: it ${message}`));
  if (Object.keys(point).length === 0) return { best: null, warnings: [...warnings, inFrom(`nothing is left of ${trial}: it is no first trial`)] };
  const completed = complete({ spec, space, refusalOf }, point, spec.warm_start.points.length);
  if (completed.refused !== null) return { best: null, warnings: [...warnings, inFrom(`${trial} makes no valid job here, and is no first trial: ${completed.refused}`)] };
  return { best: { trial: found.number, params: completed.params, leftOut: [...outside.keys()] }, warnings };
}

/** The newest that have a value and fit into the space; steps of pruned ones count where they are steps of the same. */
function importedTrials({ spec, space }: Beginner, { id, spec: other, state }: Earlier): { trials: ImportedTrial[]; warnings: Problem[] } {
  const counted = resourceOf(spec);
  const sameSteps = counted === null || counted === resourceOf(other);
  const valued = state.trials.filter(({ status, value }) => isNumber(value) && (status === 'succeeded' || (status === 'pruned' && sameSteps)));
  const rungs = sameSteps ? rungsOf(spec) : [];
  const fitting = valued.flatMap(({ number, params: given, status, value, values }) => {
    const params = within(space, given);
    return params === null ? [] : [{ number, params, status, value, values: keptOf(status, values, rungs) }];
  });
  const trials = fitting.slice(-IMPORTED_MAX);
  const warn = (count: number, message: string): Problem[] => (count === 0 ? [] : [{ param: 'warm_start.import_trials', message: `${count} of the ${valued.length} trials of ${id} with a value ${message}` }]);
  const none = valued.length === 0 ? [{ param: 'warm_start.import_trials', message: `no trial of ${id} has a value that counts here: none is taken over` }] : [];
  return { trials, warnings: [...none, ...warn(valued.length - fitting.length, "are left out: their parameters are none of this sweep's"), ...warn(fitting.length - trials.length, `are left out: at most ${IMPORTED_MAX}, the newest, are taken over`)] };
}

/** Where this sweep's trials are compared, if that is at a few steps: a record stays small. */
const rungsOf = (spec: SweepSpec): readonly number[] => (spec.early_terminate.type === 'median' ? [] : ladderOf(spec)[0]!);

/** Values at rungs; of a pruned one also how far it came. Of a whole one its end counts by itself. */
function keptOf(status: TrialState['status'], values: readonly Step[], rungs: readonly number[]): Step[] {
  // What a program tells first after a rung is its value there.
  const kept = new Set(rungs.map((rung) => values.find(({ step }) => step >= rung)));
  if (status === 'pruned') kept.add(values.at(-1));
  return [...kept].filter((each) => each !== undefined);
}

const resourceOf = ({ early_terminate: rule }: SweepSpec): string | null => (rule.type === 'none' ? null : rule.resource);

/** The parameters that a trial of this space would have; null: some are missing, or outside. */
function within(space: Space, params: Params): Params | null {
  const kept: [string, JsonValue][] = [];
  for (const [name, dimension] of space.dimensions) {
    if (!isActive(space, name, Object.fromEntries(kept))) continue;
    const value = Object.hasOwn(params, name) ? params[name] : undefined;
    if (value === undefined || !contains(dimension, value)) return null;
    kept.push([name, value]);
  }
  return Object.fromEntries(kept);
}

/** Trials before the method draws any. */
export const firstTrials = ({ spec, warm }: Pick<Search, 'spec' | 'warm'>): number => spec.warm_start.points.length + (warm?.best ? 1 : 0);

/** One of them, the points of the spec before another sweep's best; `refused`: why it makes no job. Null: there are no more. */
export function firstTrial(search: Search, number: number): { params: Params; refused: string | null; why: Why } | null {
  const { spec: { warm_start: { points } }, warm } = search;
  const point = points[number];
  if (point !== undefined) {
    const { params, draw, refused } = complete(search, point, number);
    return { params, refused, why: { sampler: 'warm_start', point: number, ...(draw === 0 ? {} : { draw }) } };
  }
  if (!warm?.best || number !== points.length) return null;
  const { params, trial, leftOut } = warm.best;
  return { params, refused: null, why: { sampler: 'warm_start', from: warm.from, trial, ...(leftOut.length === 0 ? {} : { left_out: leftOut }) } };
}

/** A point with what it leaves open drawn at random, again and again until it makes a job; `refused`: why it makes none. */
function complete({ spec, space, refusalOf }: Beginner, point: Readonly<Record<string, unknown>>, number: number): { params: Params; draw: number; refused: string | null } {
  // A point may bring a parameter about that the draw by itself would not have.
  const unconditional: Space = { ...space, conditions: new Map() };
  for (let draw = 0; ; draw++) {
    const drawn = randomParams(unconditional, spec.sampler.seed, number, draw);
    const params = paramsOf(space, (name) => (Object.hasOwn(point, name) ? (point[name] as JsonValue) : drawn[name]!));
    const refused = refusalOf(params);
    const isWhole = Object.keys(params).every((name) => Object.hasOwn(point, name));
    if (refused === null || isWhole || draw === DRAWS_MAX || spec.failure.on_invalid_params === 'fail') return { params, draw, refused };
  }
}
