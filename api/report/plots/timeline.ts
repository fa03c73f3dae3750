// When each trial ran, coloured by what became of it.
import type { SweepReport } from '../../../lib/sweeps/report/report.js';
import { counted, GRID, named, type Plot, shareNote, STATUS_COLOURS, statusesIn, TOOLBOX, TOOLTIP } from './plot.js';

const UNITS = [
  { name: 'days', seconds: 86_400 },
  { name: 'hours', seconds: 3_600 },
  { name: 'minutes', seconds: 60 },
  { name: 'seconds', seconds: 1 },
] as const;
/** Of a unit there are at least so many on the axis, if it is not the smallest. */
const UNIT_LEAST = 3;
const THICKEST_PX = 10;
const HEIGHT_PX = 340;

export function timelinePlot({ timeline: { stays, share }, table, resource }: SweepReport): Plot | null {
  if (stays.length === 0) return null;
  const span = stays.reduce((most, { toSeconds }) => Math.max(most, toSeconds), 0);
  const unit = UNITS.find(({ seconds }) => span >= UNIT_LEAST * seconds) ?? UNITS.at(-1)!;
  const inUnits = (seconds: number): number => Number((seconds / unit.seconds).toPrecision(6));
  const last = stays.reduce((most, { trial }) => Math.max(most, trial), 0);
  const thickness = Math.min(THICKEST_PX, Math.max(1, (0.6 * (HEIGHT_PX - GRID.top - GRID.bottom)) / (last + 1)));
  const unknown = table.share.of - share.of;
  return {
    id: 'timeline',
    title: 'Timeline',
    notes: [
      `From the beginning of a trial to its end, or until now; what it waited, for a worker or at ${resource === 'steps' ? 'a rung' : `a count of ${resource}`}, counts.`,
      ...shareNote(share, 'trials', 'evenly chosen'),
      ...(unknown === 0 ? [] : [`${counted(unknown, 'trial')} whose end was not written down ${unknown === 1 ? 'is' : 'are'} left out.`]),
    ],
    heightPx: HEIGHT_PX,
    option: {
      grid: GRID,
      tooltip: { ...TOOLTIP, trigger: 'item' },
      toolbox: TOOLBOX,
      legend: { top: 0, left: 'center' },
      xAxis: { type: 'value', min: 0, max: Math.max(inUnits(span), 1e-3), ...named(`${unit.name} since the first trial began`, 28) },
      yAxis: { type: 'value', inverse: true, min: -0.5, max: last + 0.5, minInterval: 1, axisLabel: { showMinLabel: false, showMaxLabel: false }, splitLine: { show: false }, ...named('trial', 44) },
      series: statusesIn(stays).map((status) => ({
        type: 'lines' as const,
        coordinateSystem: 'cartesian2d' as const,
        name: status,
        lineStyle: { color: STATUS_COLOURS[status], width: thickness, opacity: 0.9, cap: 'butt' as const },
        itemStyle: { color: STATUS_COLOURS[status] },
        data: stays.filter((stay) => stay.status === status).map((stay) => ({ name: `trial ${stay.trial}: ${status}, ${inUnits(stay.toSeconds - stay.fromSeconds)} ${unit.name}`, coords: [[inUnits(stay.fromSeconds), stay.trial], [inUnits(stay.toSeconds), stay.trial]] })),
      })),
    },
  };
}
