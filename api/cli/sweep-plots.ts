// A sweep drawn with characters: the best so far, what became of trials at rungs, and what parameters had to do with it. Pure but for
// the libraries that draw.
import drawChart from 'simple-ascii-chart';
import type { SweepExport, SweepImportance } from '../../lib/contract/sweep-views.js';
import { resourceOf } from '../../lib/sweeps/report/report.js';
import { rungFigures } from '../../lib/sweeps/report/rungs.js';
import { bestSoFar, comparable, scoredOf } from '../../lib/sweeps/report/scored.js';
import { isWithin, valueWindow } from '../../lib/sweeps/report/value-window.js';
import { barOf, clean, figure, table } from './render.js';

/** What may be drawn on. */
export interface Canvas {
  columns: number;
  colour: boolean;
}

const CHART_MAX = 72;
const CHART_MIN = 16;
const CHART_ROWS = 8;
/** Beside a chart: its axis and the numbers on it, such as 1.00e-10. */
const CHART_MARGIN = 14;
const BARS_MAX = 8;
const BAR_MAX = 30;
const NAME_MAX = 40;
const CYAN = '\u001b[36m';
const PLAIN = '\u001b[39m';

/** Nothing where there is nothing to draw. */
export function sweepPlots(whole: SweepExport, importance: SweepImportance, canvas: Canvas): string[] {
  return [bestChart(whole, canvas), rungTable(whole), importanceBars(importance, canvas)].filter((part) => part !== null);
}

/** Null where fewer than two trials can be compared. */
function bestChart({ sweep: { spec }, trials }: SweepExport, { columns, colour }: Canvas): string | null {
  const goal = spec.metric?.goal ?? 'minimize';
  const scored = comparable(scoredOf(trials));
  const window = valueWindow(scored.map(({ value }) => value), goal);
  const best = window === null ? [] : bestSoFar(scored, goal).filter(({ value }) => isWithin(window, value));
  const [first, last] = [best[0]?.number ?? 0, trials.length - 1];
  if (scored.length < 2 || best.length === 0 || last <= first) return null;
  const width = Math.max(CHART_MIN, Math.min(CHART_MAX, columns - CHART_MARGIN));
  const points = Math.min(width, last - first + 1);
  const coordinates = Array.from({ length: points }, (_, k): [number, number] => {
    const number = first + Math.round((k * (last - first)) / (points - 1));
    return [number, best.findLast((each) => each.number <= number)!.value];
  });
  const drawn = drawChart(coordinates, { width, height: CHART_ROWS, customXAxisTicks: [first, last], formatter: (value, { axis }) => (axis === 'y' ? figure(value) : String(value)), ...(colour ? { color: 'ansiCyan' as const } : {}) });
  const lines = drawn.split('\n').map((line) => line.trimEnd()).filter((line) => line !== '');
  return [`best ${clean(spec.metric?.name ?? 'value')} so far, by trial`, ...lines].join('\n');
}

/** Null where trials are not stopped early, or none came to a rung. */
function rungTable({ sweep: { spec }, trials }: SweepExport): string | null {
  const figures = rungFigures(trials, spec, spec.metric?.goal ?? 'minimize');
  if (figures.length === 0) return null;
  const rows = figures.map(({ bracket, step, trials: all, wentOn, pruned, waiting, finished, lost, best }) => [bracket, step, all, wentOn, pruned, waiting, finished + lost, figure(best)]);
  return table(['BRACKET', (spec.execution === 'external' ? 'steps' : resourceOf(spec.early_terminate)).toUpperCase(), 'TRIALS', 'PROMOTED', 'PRUNED', 'WAITING', 'ENDED', 'BEST'], rows);
}

/** Null where trials tell nothing yet. */
export function importanceBars({ parameters, trials }: SweepImportance, { columns, colour }: Canvas): string | null {
  if (parameters.every(({ share }) => share === 0)) return null;
  const shown = parameters.slice(0, BARS_MAX).map(({ name, share }) => ({ name: clean(name.length <= NAME_MAX ? name : `…${name.slice(1 - NAME_MAX)}`), share }));
  const longest = Math.max(...shown.map(({ name }) => name.length));
  const width = Math.max(0, Math.min(BAR_MAX, columns - longest - 8));
  const rows = shown.map(({ name, share }) => {
    const bar = width === 0 ? '' : ` ${barOf(100 * share, width)}`;
    return `${name.padEnd(longest)}${colour ? `${CYAN}${bar}${PLAIN}` : bar} ${`${Math.round(100 * share)}%`.padStart(4)}`;
  });
  const more = parameters.length > shown.length ? [`${parameters.length - shown.length} more`] : [];
  return [`importance, of ${trials} trials that ran to their end`, ...rows, ...more].join('\n');
}
