import { describe, expect, it } from 'vitest';
import { decide, type Rules } from '../../../lib/sweeps/decide.js';
import type { LogEntry, SweepEvent } from '../../../lib/sweeps/events.js';
import { rulesOf } from '../../../lib/sweeps/log.js';
import { resolveSweep } from '../../../lib/sweeps/resolve.js';
import { applied, emptySweep } from '../../../lib/sweeps/state.js';
import { decisionProblems } from '../../chaos/run/invariants/decisions.js';

const resolved = resolveSweep({
  method: 'random', metric: { name: 'loss' }, run_cap: 3, budget: { max_concurrent: 1 }, parameters: { lr: { min: 0.001, max: 0.1 } },
  job: { data: { type: 'builtin', name: 'digits' }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] }, training: { batch_size: 10, epochs: 1, optimizer: { type: 'sgd', lr: 0.1 } } },
});
if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
const rules: Rules = rulesOf(resolved);
const ended = (trial: number): SweepEvent => ({ type: 'ended', trial, outcome: 'succeeded', value: 1, message: null });

function logOf(events: readonly SweepEvent[]): LogEntry[] {
  let state = emptySweep(rules.spec);
  return events.map((event, n) => {
    const entry: LogEntry = { n, at: '2026-05-01T12:00:00.000Z', event, decisions: decide(rules, state, event) };
    state = applied(rules.spec, state, entry);
    return entry;
  });
}
const WHOLE = logOf([{ type: 'created' }, ended(0), ended(1), ended(2)]);
const problemsOf = (log: readonly LogEntry[], hasJob = true): string[] => decisionProblems(rules, log, () => hasJob).problems;

describe('a log', () => {
  it('that follows from its events has nothing wrong', () => {
    expect(problemsOf(WHOLE)).toEqual([]);
    expect(decisionProblems(rules, WHOLE, () => true).state.trials.map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'succeeded']);
  });
  it('with a gap, a decision of its own, or no end is caught', () => {
    expect(problemsOf(WHOLE.filter(({ n }) => n !== 1)).join()).toContain('says that it is 2');
    const [first, ...rest] = structuredClone(WHOLE) as [LogEntry, ...LogEntry[]];
    const start = first.decisions.find((decision) => decision.type === 'start')!;
    start.params = { lr: 0.5 };
    expect(problemsOf([first, ...rest]).join()).toContain('entry 0 of its log does not follow');
    expect(problemsOf(WHOLE.slice(0, 2))).toContain('it has no end');
  });
  it('with a trial too many, or one that succeeded without a job, is caught', () => {
    const twice = structuredClone(WHOLE);
    twice[1]!.decisions.push(twice[0]!.decisions[0]!);
    expect(problemsOf(twice)).toEqual(expect.arrayContaining(['a trial was started twice', '4 trials were started, not 3']));
    expect(problemsOf(WHOLE, false)).toEqual(['3 trials succeeded without a job']);
  });
});
