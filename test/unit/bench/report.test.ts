import { describe, expect, test } from 'vitest';
import type { Claim, Result } from '../../bench/benchmark.js';
import { isGood, makeDocument, makeTable, showNumber, showTotals, totalsOf, verdictOf } from '../../bench/report.js';

const claim = (id: string, goal: Claim['goal'], unit: Claim['unit'] = 'samples/s'): Claim => ({ id, text: `the claim ${id}`, unit, goal });
const met: Result = { benchmark: 'small', claim: claim('a', { atLeast: 1.3 }), kind: 'compared', ours: [150, 100, 90], theirs: [100, 50, 75], note: 'fastest form' };
const missed: Result = { benchmark: 'submit', claim: claim('b', { below: 20 }, 'ms'), kind: 'measured', values: [31.5, 19, 25], note: null };
const failed: Result = { benchmark: 'lanes', claim: claim('c', { atLeast: 1.8 }), kind: 'failed', reason: 'training.lanes is not supported', note: null };
const known: Result = { benchmark: 'rss', claim: claim('d', null, 'MiB'), kind: 'measured', values: [120], note: null };
const all = [met, missed, failed, known];

describe('the report', () => {
  test('judges the median of ratios, or of what was measured', () => {
    expect(all.map(verdictOf)).toEqual(['met', 'missed', 'failed', 'information']);
  });

  test('shows min, median and max of the ratios, and the medians of both sides', () => {
    const line = makeTable(all).split('\n').find((each) => each.includes('the claim a'))!;
    expect(line.split('│').map((cell) => cell.trim()).slice(1, -1)).toEqual(['small', 'the claim a', '100.0 samples/s', '75.00 samples/s', '1.20', '1.50', '2.00', '≥ 1.3', 'met']);
  });

  test('leaves nothing out: what failed has its line and its reason', () => {
    const text = makeTable(all);
    expect(text.split('\n').find((each) => each.includes('the claim c'))).toMatch(/│\s+≥ 1.8 │ failed\s+│$/);
    expect(text).toContain('lanes, the claim c: failed: training.lanes is not supported');
    expect(text).toContain('small, the claim a: fastest form');
  });

  test('adds up, and is good only if every goal is met and everything was measured', () => {
    expect(totalsOf(all)).toEqual({ goals: 3, met: 1, missed: 1, failed: 1, information: 1 });
    expect(showTotals(totalsOf(all))).toBe('3 goals: 1 met, 1 missed; 1 of all claims failed to be measured; 1 for information');
    expect([[met, known], [met, missed], [met, failed], []].map((results) => isGood(totalsOf(results)))).toEqual([true, false, false, true]);
  });

  test('is a document, too', () => {
    const document = JSON.parse(JSON.stringify(makeDocument(all, { pairs: 3 }))) as { pairs: number; results: Record<string, unknown>[] };
    expect(document).toMatchObject({ pairs: 3, totals: { met: 1 } });
    expect(document.results[0]).toMatchObject({ benchmark: 'small', claim: 'a', kind: 'compared', verdict: 'met', ours_median: 100, theirs_median: 75, ratios: [1.5, 2, 1.2], figure: { min: 1.2, median: 1.5, max: 2 } });
    expect(document.results[2]).toMatchObject({ verdict: 'failed', reason: 'training.lanes is not supported' });
  });

  test.each([[105_918.4, '105,918'], [1_000, '1,000'], [313.53, '313.5'], [76.83, '76.83'], [1.2, '1.20'], [0.163, '0.163'], [0, '0.00']])('writes %d as %s', (value, text) => {
    expect(showNumber(value)).toBe(text);
  });
});
