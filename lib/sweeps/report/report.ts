// What a sweep's plots and tables show, as plain data: how they look is up to whoever draws them. Pure.
import type { Sweep, SweepExport, SweepImportance, Trial } from '../../contract/sweep-views.js';
import type { Space } from '../space.js';
import { goalOf } from '../state.js';
import { compareValues, type Goal } from '../stoppers/ranking.js';
import { axesOf, placeOn, type ReportAxis } from './axes.js';
import { type Curve, curvesOf, rungFigures, type RungFigures } from './rungs.js';
import { bestSoFar, type Scored, scoredOf, type Share, spread, thinned } from './scored.js';
import { type Stay, timelineOf } from './timeline.js';
import { isWithin, type ValueWindow, valueWindow } from './value-window.js';

/** Trials drawn as points, at most. */
const POINTS_MAX = 2_000;
/** Lines across all axes, or over all rungs: more of them hide each other. */
const LINES_MAX = 500;
const STAYS_MAX = 1_000;
const AXES_MAX = 12;
const RUNGS_MAX = 60;
const ROWS_MAX = 1_000;

export interface SweepReport {
  sweep: Sweep;
  goal: Goal;
  /** What values are called. */
  metric: string;
  /** What steps count. */
  resource: string;
  at: string;
  /** The values that plots show; null: there are none. */
  window: ValueWindow | null;
  history: { points: Scored[]; best: Scored[]; share: Share; without: number; lastTrial: number };
  /** Lines from the worst to the best, so that the best lie on top. Null where nothing is searched, or nothing has a value. */
  parallel: { axes: ReportAxis[]; lines: { trial: Scored; places: (number | null)[] }[]; share: Share; axesShare: Share } | null;
  slices: { axis: ReportAxis; points: { trial: Scored; place: number }[]; without: number }[];
  slicesShare: Share;
  importance: SweepImportance;
  rungs: { figures: RungFigures[]; figuresShare: Share; curves: Curve[]; curvesShare: Share };
  timeline: { stays: Stay[]; share: Share };
  table: { columns: string[]; rows: Trial[]; share: Share };
}

export interface SweepFacts {
  whole: SweepExport;
  space: Space;
  importance: SweepImportance;
}

export function sweepReport({ whole: { sweep, trials }, space, importance }: SweepFacts, at: Date): SweepReport {
  const { spec } = sweep;
  const goal = goalOf(spec);
  const scored = scoredOf(trials);
  const window = valueWindow(scored.map(({ value }) => value), goal);
  const inside = window === null ? [] : scored.filter(({ value }) => isWithin(window, value));
  const points = thinned(inside, POINTS_MAX, goal);
  const axes = axesOf(spec, space, trials.map(({ params }) => params));
  const shownAxes = mostImportant(axes, importance);
  const figures = rungFigures(trials, spec, goal);
  const curves = curvesOf(trials, spec.early_terminate);
  const shownCurves = window === null ? [] : curves.flatMap((curve) => {
    const visible = curve.points.filter(([, value]) => isWithin(window, value));
    return visible.length === 0 ? [] : [{ ...curve, points: visible }];
  });
  const stays = timelineOf(trials, new Date(sweep.finished_at ?? at));
  const share = (shown: readonly unknown[], of: readonly unknown[]): Share => ({ shown: shown.length, of: of.length });
  const drawnCurves = spread(shownCurves, LINES_MAX);
  const drawnStays = spread(stays, STAYS_MAX);
  const drawnFigures = figures.slice(0, RUNGS_MAX);
  const rows = ranked(trials, goal);
  return {
    sweep,
    goal,
    metric: spec.metric?.name ?? 'value',
    resource: resourceOf(spec.early_terminate),
    at: at.toISOString(),
    window,
    history: { points, best: bestSoFar(scored, goal), share: share(points, inside), without: trials.length - scored.length, lastTrial: trials.length - 1 },
    parallel: parallelOf(shownAxes, axes.length, inside, goal),
    slices: shownAxes.map((axis) => sliceOf(axis, points)).filter((slice) => slice.points.length > 0),
    slicesShare: share(shownAxes, axes),
    importance,
    rungs: { figures: drawnFigures, figuresShare: share(drawnFigures, figures), curves: drawnCurves, curvesShare: share(drawnCurves, shownCurves) },
    timeline: { stays: drawnStays, share: share(drawnStays, stays) },
    table: { columns: [...space.dimensions.keys()], rows: rows.slice(0, ROWS_MAX), share: { shown: Math.min(ROWS_MAX, rows.length), of: rows.length } },
  };
}

export const resourceOf = (rule: Sweep['spec']['early_terminate']): string => ('resource' in rule ? rule.resource : 'steps');

function parallelOf(axes: ReportAxis[], of: number, inside: readonly Scored[], goal: Goal): SweepReport['parallel'] {
  if (axes.length === 0 || inside.length === 0) return null;
  const drawn = thinned(inside, LINES_MAX, goal).sort((a, b) => compareValues(b.value, a.value, goal));
  return {
    axes,
    lines: drawn.map((trial) => ({ trial, places: axes.map((axis) => placeOn(axis, trial.params)) })),
    share: { shown: drawn.length, of: inside.length },
    axesShare: { shown: axes.length, of },
  };
}

function sliceOf(axis: ReportAxis, scored: readonly Scored[]): SweepReport['slices'][number] {
  const points = scored.flatMap((trial) => {
    const place = placeOn(axis, trial.params);
    return place === null ? [] : [{ trial, place }];
  });
  return { axis, points, without: scored.length - points.length };
}

/** In the order of the spec, or of their importance where there are too many. */
function mostImportant(axes: ReportAxis[], { parameters }: SweepImportance): ReportAxis[] {
  if (axes.length <= AXES_MAX) return axes;
  const rank = new Map(parameters.map(({ name }, index) => [name, index]));
  return axes.toSorted((a, b) => (rank.get(a.name) ?? Infinity) - (rank.get(b.name) ?? Infinity)).slice(0, AXES_MAX);
}

/** Those that ran to their end first, the best of them on top; then the others with a value; then the rest. */
function ranked(trials: readonly Trial[], goal: Goal): Trial[] {
  const isWhole = ({ status }: Trial): number => Number(status === 'succeeded');
  return trials.toSorted((a, b) => isWhole(b) - isWhole(a) || compareValues(a.value, b.value, goal) || a.number - b.number);
}
