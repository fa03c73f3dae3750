// A parameter's axis as the plotting library wants it.
import type { ReportAxis } from '../../../lib/sweeps/report/axes.js';

export function parameterAxis(axis: ReportAxis) {
  if (axis.kind === 'choice') return { type: 'category', data: axis.choices } as const;
  // One that begins and ends at the same number has no length.
  const ends = axis.low < axis.high ? { min: axis.low, max: axis.high } : {};
  return { type: axis.log ? 'log' : 'value', scale: true, ...ends } as const;
}
