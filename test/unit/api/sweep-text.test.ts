// Sweeps as text: names and values come from whoever sent them, and may not steer the terminal.
import { expect, it } from 'vitest';
import { bestText, givenTable, sweepDetails, sweepLine, sweepTable, trialTable } from '../../../api/cli/sweep-text.js';
import { factsAfter } from '../sweeps/report/facts.js';

const EVIL = '\u001b]0;owned\u0007\u001b[2J\u009b1m';

it('has nothing in it that a terminal takes for a command', () => {
  const { whole: { sweep, trials } } = factsAfter({ method: 'random', name: `n${EVIL}`, metric: { name: `m${EVIL}` }, parameters: { x: { values: [`v${EVIL}`] }, y: { values: [[`w${EVIL}`]] } }, run_cap: 2 }, { value: ({ x }) => (x as string).length });
  const texts = [bestText(sweep)!, sweepLine(sweep), sweepDetails({ ...sweep, warnings: [{ param: 'x', message: EVIL }] }), sweepTable([sweep]), trialTable(trials), givenTable(trials)];
  expect(texts[0]).toMatch(/^m\?\]0;owned\?\?\[2J\?1m 18 · x=v\?/);
  for (const text of texts) expect(text.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
});
