// What is shown of the results: the table for people, the document for programs, and the totals. Pure.
import Table from 'cli-table3';
import type { Result } from './benchmark.js';
import { isMet, median, ratios, showGoal, type Spread, spread } from './statistics.js';

export type Verdict = 'met' | 'missed' | 'failed' | 'information';

/** About four digits. */
export function showNumber(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 1_000 ? 0 : size >= 100 ? 1 : size >= 1 || size === 0 ? 2 : 3;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** The figure that the goal is about: the ratio of a comparison, else what was measured. */
export function figureOf(result: Result): Spread | null {
  if (result.kind === 'failed') return null;
  return spread(result.kind === 'compared' ? ratios(result.ours, result.theirs) : result.values);
}

export function verdictOf(result: Result): Verdict {
  const figure = figureOf(result);
  if (figure === null) return 'failed';
  const { goal } = result.claim;
  return goal === null ? 'information' : isMet(goal, figure.median) ? 'met' : 'missed';
}

export function makeTable(results: readonly Result[]): string {
  const table = new Table({
    head: ['benchmark', 'measured', 'Pawl', 'against', 'min', 'median', 'max', 'goal', ''],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'right', 'left'],
    style: { head: [], border: [], compact: true },
  });
  for (const result of results) {
    const { benchmark, claim } = result;
    const figure = figureOf(result);
    const unit = result.kind === 'measured' ? claim.unit : '';
    const goal = claim.goal === null ? '' : showGoal(claim.goal, unit);
    if (result.kind === 'failed' || figure === null) {
      table.push([benchmark, claim.text, '', '', '', '', '', goal, 'failed']);
      continue;
    }
    const shown = [figure.min, figure.median, figure.max].map(showNumber);
    const sides = result.kind === 'compared' ? [result.ours, result.theirs].map((values) => `${showNumber(median(values))} ${claim.unit}`) : [`${shown[1]!} ${claim.unit}`, ''];
    table.push([benchmark, claim.text, ...sides, ...shown, goal, verdictOf(result)]);
  }
  const notes = results.flatMap((result) => {
    const said = result.kind === 'failed' ? `failed: ${result.reason}` : result.note;
    return said === null ? [] : [`${result.benchmark}, ${result.claim.text}: ${said}`];
  });
  return [table.toString(), ...notes].join('\n');
}

export interface Totals {
  goals: number;
  met: number;
  missed: number;
  /** Claims that could not be measured, also those without a goal. */
  failed: number;
  information: number;
}

export function totalsOf(results: readonly Result[]): Totals {
  const count = (wanted: Verdict): number => results.filter((result) => verdictOf(result) === wanted).length;
  return { goals: results.filter(({ claim }) => claim.goal !== null).length, met: count('met'), missed: count('missed'), failed: count('failed'), information: count('information') };
}

export function showTotals({ goals, met, missed, failed, information }: Totals): string {
  return `${goals} goals: ${met} met, ${missed} missed; ${failed} of all claims failed to be measured; ${information} for information`;
}

export const isGood = ({ missed, failed }: Totals): boolean => missed + failed === 0;

export function makeDocument(results: readonly Result[], facts: Record<string, unknown>): Record<string, unknown> {
  return {
    ...facts,
    results: results.map((result) => {
      const { benchmark, claim, note, kind } = result;
      const figure = figureOf(result);
      const measured =
        result.kind === 'failed'
          ? { reason: result.reason }
          : result.kind === 'measured'
            ? { values: result.values, figure }
            : { ours: result.ours, theirs: result.theirs, ours_median: median(result.ours), theirs_median: median(result.theirs), ratios: ratios(result.ours, result.theirs), figure };
      return { benchmark, claim: claim.id, text: claim.text, unit: claim.unit, goal: claim.goal, verdict: verdictOf(result), kind, ...measured, note };
    }),
    totals: totalsOf(results),
  };
}
