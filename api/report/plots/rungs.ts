// What became of trials at each rung, and their values from rung to rung.
import type { SweepReport } from '../../../lib/sweeps/report/report.js';
import { beyondNote, GRID, named, type Plot, shareNote, STATUS_COLOURS, statusesIn, TOOLBOX, TOOLTIP, valueAxis } from './plot.js';

/** Rungs are marked on the axis, if they are not too many. */
const MARKS_MAX = 12;
const OUTCOMES = [
  ['wentOn', 'went on', STATUS_COLOURS.succeeded],
  ['finished', 'ran to its end', STATUS_COLOURS.running],
  ['waiting', 'waits or runs', STATUS_COLOURS.paused],
  ['pruned', 'pruned', STATUS_COLOURS.pruned],
  ['lost', 'failed or cancelled', STATUS_COLOURS.failed],
] as const;

export function rungPlots(report: SweepReport): Plot[] {
  const { figures, figuresShare, curves, curvesShare } = report.rungs;
  if (figures.length === 0) return [];
  const isBracketed = figures.some(({ bracket }) => bracket > 0);
  const outcomes: Plot = {
    id: 'rungs',
    title: 'Rungs',
    notes: ['How many trials came to each rung, and what became of them there.', ...shareNote(figuresShare, 'rungs', 'the first')],
    heightPx: 300,
    option: {
      grid: GRID,
      tooltip: { ...TOOLTIP, trigger: 'axis', axisPointer: { type: 'shadow' } },
      legend: { top: 0, left: 'center' },
      xAxis: { type: 'category', data: figures.map(({ bracket, step }) => (isBracketed ? `bracket ${bracket}: ${step}` : String(step))), ...named(report.resource, 28) },
      yAxis: { type: 'value', minInterval: 1, ...named('trials', 44) },
      series: OUTCOMES.filter(([key]) => figures.some((rung) => rung[key] > 0)).map(([key, name, color]) => ({ type: 'bar' as const, stack: 'trials', barMaxWidth: 56, name, itemStyle: { color }, data: figures.map((rung) => rung[key]) })),
    },
  };
  if (curves.length === 0) return [outcomes];
  return [
    outcomes,
    {
      id: 'curves',
      title: 'Learning curves',
      notes: ['Values at the rungs; a curve that ends is a trial that was held up there.', ...shareNote(curvesShare, 'curves', 'evenly chosen'), ...beyondNote(report)],
      heightPx: 340,
      option: {
        grid: GRID,
        tooltip: { ...TOOLTIP, trigger: 'item' },
        toolbox: TOOLBOX,
        legend: { top: 0, left: 'center', data: statusesIn(curves) },
        xAxis: { ...stepAxis(curves), ...named(report.resource, 28) },
        yAxis: valueAxis(report),
        series: statusesIn(curves).flatMap((status) =>
          curves
            .filter((curve) => curve.status === status)
            .map(({ trial, points }) => ({
              type: 'line' as const,
              name: status,
              symbolSize: 5,
              showSymbol: true,
              lineStyle: { color: STATUS_COLOURS[status], width: 1.2, opacity: 0.6 },
              itemStyle: { color: STATUS_COLOURS[status] },
              dimensions: [report.resource, report.metric, 'trial'],
              encode: { x: 0, y: 1, tooltip: [2, 0, 1] },
              data: points.map(([step, value]) => [step, value, trial]),
            })),
        ),
      },
    },
  ];
}

/** Rungs grow by a factor: on a plain axis the first ones would lie on each other. */
function stepAxis(curves: SweepReport['rungs']['curves']) {
  const steps = curves.flatMap(({ points }) => points.map(([step]) => step));
  const low = steps.reduce((least, step) => Math.min(least, step), Infinity);
  const high = steps.reduce((most, step) => Math.max(most, step), 0);
  const marks = [...new Set(steps)];
  const at = marks.length <= MARKS_MAX ? { axisLabel: { customValues: marks }, axisTick: { customValues: marks } } : {};
  return { ...(low > 0 && high / low >= 8 ? ({ type: 'log', min: low, max: high } as const) : ({ type: 'value', scale: true } as const)), ...at };
}
