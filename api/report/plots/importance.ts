// How much each parameter had to do with a trial's being one of the best.
import type { SweepReport } from '../../../lib/sweeps/report/report.js';
import { ACCENT, counted, named, type Plot, shareNote, shortened, TOOLTIP } from './plot.js';

const BARS_MAX = 25;
const ROW_PX = 26;

export function importancePlot({ importance: { parameters, trials } }: SweepReport): Plot | null {
  if (parameters.every(({ share }) => share === 0)) return null;
  const shown = parameters.slice(0, BARS_MAX);
  return {
    id: 'importance',
    title: 'Parameter importances',
    notes: [`By PED-ANOVA, of ${counted(trials, 'trial')} that ran to their end: what sets the best tenth apart.`, ...shareNote({ shown: shown.length, of: parameters.length }, 'parameters', 'the most important')],
    heightPx: 80 + ROW_PX * shown.length,
    option: {
      grid: { left: 8, right: 56, top: 8, bottom: 40, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
      tooltip: { ...TOOLTIP, trigger: 'item' },
      xAxis: { type: 'value', min: 0, max: 100, ...named('share of all importances, %', 26) },
      yAxis: { type: 'category', inverse: true, data: shown.map(({ name }) => shortened(name)) },
      series: [{ type: 'bar', itemStyle: { color: ACCENT }, barMaxWidth: 16, label: { show: true, position: 'right' }, data: shown.map(({ share }) => Math.round(share * 1_000) / 10) }],
    },
  };
}
