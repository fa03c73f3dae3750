// The value against each parameter by itself.
import type { SweepReport } from '../../../lib/sweeps/report/report.js';
import { counted, GRID, named, type Plot, shortened, TOOLTIP, valueAxis } from './plot.js';
import { parameterAxis } from './parameter-axis.js';

/** Later trials are drawn stronger: where a sampler went is where its points are dark. */
const EARLY_TO_LATE = ['rgba(61,132,214,0.2)', 'rgba(61,132,214,0.95)'];

/** Of the axis, in a narrow window; names of choices may be long. */
const WIDTH_PX = 240;
const LABEL_LEAST_PX = 36;

/** All of them, if they have room; shortened to what each has. */
function labelsOf(choices: number) {
  const width = Math.max(LABEL_LEAST_PX, Math.floor(WIDTH_PX / choices) - 4);
  return { width, overflow: 'truncate', ...(width > LABEL_LEAST_PX ? { interval: 0 } : {}) } as const;
}

export function slicePlots(report: SweepReport): Plot[] {
  return report.slices.map(({ axis, points, without }, index) => ({
    id: `slice-${index}`,
    title: axis.name,
    notes: without === 0 ? [] : [`${counted(without, 'trial')} that ${without === 1 ? 'does' : 'do'} not have it ${without === 1 ? 'is' : 'are'} left out.`],
    heightPx: 240,
    option: {
      grid: { ...GRID, top: 14 },
      tooltip: { ...TOOLTIP, trigger: 'item' },
      visualMap: { type: 'continuous', show: false, dimension: 2, min: -1, max: report.history.lastTrial, inRange: { color: EARLY_TO_LATE } },
      xAxis: { ...parameterAxis(axis), ...named(`${shortened(axis.name)}${axis.kind === 'number' && axis.log ? ' (log)' : ''}`, 28), ...(axis.kind === 'choice' ? { jitter: 40, jitterOverlap: true, axisLabel: labelsOf(axis.choices.length) } : {}) },
      yAxis: valueAxis(report),
      series: [{ type: 'scatter', symbolSize: points.length > 500 ? 4 : 7, dimensions: [axis.name, report.metric, 'trial'], encode: { x: 0, y: 1, tooltip: [2, 0, 1] }, data: points.map(({ trial, place }) => [place, trial.value, trial.number]) }],
    },
  }));
}
