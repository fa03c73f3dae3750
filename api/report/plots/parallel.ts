// Each trial as a line across all parameters, coloured by its value.
import type { SweepReport } from '../../../lib/sweeps/report/report.js';
import { beyondNote, BEST_TO_WORST, figure, type Plot, shareNote, shortened, TOOLTIP } from './plot.js';
import { parameterAxis } from './parameter-axis.js';

/** Lines cross the labels: those have a seam in the colour of the ground, whatever it is (script.ts puts it in). */
const LEGIBLE = { textBorderColor: '#ffffff', textBorderWidth: 3 };

export function parallelPlot(report: SweepReport): Plot | null {
  const { parallel, window, goal, metric } = report;
  if (parallel === null || window === null) return null;
  const { axes, lines } = parallel;
  const ramp = goal === 'minimize' ? [...BEST_TO_WORST] : BEST_TO_WORST.toReversed();
  const hasGaps = lines.some(({ places }) => places.includes(null));
  return {
    id: 'parallel',
    title: 'Parallel coordinates',
    notes: [
      'Drag along an axis to choose trials; the strongest colour is the best value.',
      ...(hasGaps ? ['The line of a trial goes past the axes of parameters that it does not have.'] : []),
      ...shareNote(parallel.share, 'trials', 'the best quarter of them, and of the others every so-manieth'),
      ...shareNote(parallel.axesShare, 'parameters', 'the most important'),
      ...beyondNote(report),
    ],
    heightPx: 400,
    option: {
      tooltip: { ...TOOLTIP, trigger: 'item' },
      parallel: { left: 60, right: 110, top: 56, bottom: 28, parallelAxisDefault: { nameLocation: 'end', nameGap: 18, nameTextStyle: { fontSize: 11 }, axisLabel: LEGIBLE } },
      parallelAxis: [...axes.map((axis, dim) => ({ dim, name: shortened(axis.name), ...parameterAxis(axis) })), { dim: axes.length, name: shortened(metric), type: 'value' as const, scale: true }],
      visualMap: { type: 'continuous', dimension: axes.length, min: window.low, max: window.low < window.high ? window.high : window.low + 1, inRange: { color: ramp }, right: 8, bottom: 28, itemHeight: 150, itemWidth: 12, text: [figure(window.high), figure(window.low)], textStyle: { fontSize: 11 } },
      series: [{ type: 'parallel', smooth: false, lineStyle: { width: lines.length > 100 ? 1 : 1.5, opacity: 1 }, inactiveOpacity: 0.04, activeOpacity: 1, data: lines.map(({ trial, places }) => ({ name: `trial ${trial.number}`, value: [...places.map((place) => place ?? '-'), trial.value] })) }],
    },
  };
}
