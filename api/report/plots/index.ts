// All plots of a sweep that there is something to show in, in the order of the page.
import type { SweepReport } from '../../../lib/sweeps/report/report.js';
import { historyPlot } from './history.js';
import { importancePlot } from './importance.js';
import { parallelPlot } from './parallel.js';
import type { Plot } from './plot.js';
import { rungPlots } from './rungs.js';
import { slicePlots } from './slices.js';
import { timelinePlot } from './timeline.js';

export interface Plots {
  whole: Plot[];
  /** Side by side under one title. */
  slices: Plot[];
}

export function plotsOf(report: SweepReport): Plots {
  const first = [historyPlot(report), parallelPlot(report), importancePlot(report)].filter((plot) => plot !== null);
  const last = timelinePlot(report);
  return { whole: [...first, ...rungPlots(report), ...(last === null ? [] : [last])], slices: slicePlots(report) };
}
