// What a plot of the report is, and what all of them have in common: colours that can be told apart on light and on dark ground, axes
// with names, and options that are nothing but data, so that they can go into a page as JSON.
import type { EChartsOption } from 'echarts';
import type { TrialStatus } from '../../../lib/contract/sweep-views.js';
import { TRIAL_STATUSES } from '../../../lib/contract/sweep-views.js';
import type { Share } from '../../../lib/sweeps/report/scored.js';
import type { SweepReport } from '../../../lib/sweeps/report/report.js';

export interface Plot {
  id: string;
  title: string;
  /** What is to be seen, and what is left out. */
  notes: string[];
  heightPx: number;
  option: EChartsOption;
}

export const STATUS_COLOURS: Readonly<Record<TrialStatus, string>> = { succeeded: '#2f9e77', running: '#3d84d6', waiting: '#8f78c9', paused: '#d39a2c', pruned: '#8c97a6', failed: '#d64f4b', cancelled: '#b07a5c' };
export const ACCENT = '#d6457b';
/** From the best value to the worst: what is bad recedes, whatever the ground is. */
export const BEST_TO_WORST = ['rgba(214,69,123,1)', 'rgba(126,110,214,0.75)', 'rgba(134,154,178,0.35)'] as const;

/** Drawn by the library on its canvas: a tooltip of HTML would need styles that the page does not allow. */
export const TOOLTIP = { renderMode: 'richText', confine: true } as const;
export const TOOLBOX = { right: 8, top: 0, itemSize: 13, feature: { dataZoom: { title: { zoom: 'zoom into an area', back: 'zoom back' } }, restore: { title: 'as it was' }, saveAsImage: { title: 'save as PNG' } } } as const;
export const GRID = { left: 68, right: 24, top: 36, bottom: 46 } as const;

/** The axis lies at the edge, wherever its neighbour has its zero. */
export const named = (name: string, gap: number) => ({ name, nameLocation: 'middle', nameGap: gap, axisLine: { onZero: false } }) as const;

/** The axis of values: as far as values go, and no further where a few are out of all proportion. */
export function valueAxis({ metric, window }: Pick<SweepReport, 'metric' | 'window'>) {
  const ends = window !== null && window.beyond > 0 ? { min: window.low, max: window.high } : {};
  return { type: 'value', scale: true, ...named(shortened(metric), 52), ...ends } as const;
}

/** Each status that there is, in their usual order. */
export const statusesIn = (items: readonly { status: TrialStatus }[]): TrialStatus[] => TRIAL_STATUSES.filter((status) => items.some((item) => item.status === status));

const NAME_MAX = 40;
/** The end says more than the beginning: names are paths. */
export const shortened = (name: string): string => (name.length <= NAME_MAX ? name : `…${name.slice(1 - NAME_MAX)}`);

export const counted = (count: number, noun: string): string => `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;

/** Nothing where everything is drawn. */
export const shareNote = ({ shown, of }: Share, what: string, which: string): string[] => (shown === of ? [] : [`${shown.toLocaleString('en-US')} of ${of.toLocaleString('en-US')} ${what} are drawn: ${which}.`]);

export function beyondNote({ window, goal }: Pick<SweepReport, 'window' | 'goal'>): string[] {
  if (window === null || window.beyond === 0) return [];
  return [`${counted(window.beyond, 'value')} ${goal === 'minimize' ? `above ${figure(window.high)}` : `below ${figure(window.low)}`} ${window.beyond === 1 ? 'is' : 'are'} left out: far worse than the others.`];
}

/** Four figures, and no more than a number has. */
export const figure = (value: number): string => String(Number(value.toPrecision(4)));
