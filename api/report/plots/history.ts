// The value of each trial in the order of their numbers, and the best of those that ran to their end so far.
import type { SweepReport } from '../../../lib/sweeps/report/report.js';
import { ACCENT, beyondNote, counted, GRID, named, type Plot, shareNote, STATUS_COLOURS, statusesIn, TOOLBOX, TOOLTIP, valueAxis } from './plot.js';

export function historyPlot(report: SweepReport): Plot | null {
  const { points, best, share, without, lastTrial } = report.history;
  if (points.length === 0) return null;
  // The line goes on to the last trial, and steps where a better one came.
  const steps = [...best.map(({ number, value }) => [number, value]), [lastTrial, best.at(-1)!.value]];
  return {
    id: 'history',
    title: 'Optimization history',
    notes: [
      best.some(({ status }) => status === 'succeeded') ? 'The line is the best so far, of the trials that ran to their end.' : 'The line is the best so far; no trial has run to its end yet.',
      ...shareNote(share, 'values', 'the best quarter of them, and of the others every so-manieth'),
      ...beyondNote(report),
      ...(without === 0 ? [] : [`${counted(without, 'trial')} without a value ${without === 1 ? 'is' : 'are'} not drawn.`]),
    ],
    heightPx: 340,
    option: {
      grid: GRID,
      tooltip: { ...TOOLTIP, trigger: 'item' },
      toolbox: TOOLBOX,
      legend: { top: 0, left: 'center' },
      xAxis: { type: 'value', minInterval: 1, min: lastTrial === 0 ? -1 : 0, max: Math.max(1, lastTrial), ...named('trial', 28) },
      yAxis: valueAxis(report),
      series: [
        ...statusesIn(points).map((status) => ({
          type: 'scatter' as const,
          name: status,
          symbolSize: points.length > 500 ? 5 : 8,
          itemStyle: { color: STATUS_COLOURS[status], opacity: 0.75 },
          dimensions: ['trial', report.metric],
          encode: { x: 0, y: 1, tooltip: [0, 1] },
          data: points.filter((point) => point.status === status).map(({ number, value }) => [number, value]),
        })),
        { type: 'line', name: 'best so far', step: 'end', showSymbol: false, lineStyle: { color: ACCENT, width: 2 }, itemStyle: { color: ACCENT }, dimensions: ['trial', report.metric], encode: { x: 0, y: 1, tooltip: [0, 1] }, data: steps },
      ],
    },
  };
}
