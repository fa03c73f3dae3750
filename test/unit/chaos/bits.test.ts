import { describe, expect, it } from 'vitest';
import type { JobEvent } from '../../../lib/contract/rows.js';
import { bitsProblems, chainProblems, eventProblems, type Outcome } from '../../chaos/run/invariants/bits.js';
import type { Reference } from '../../support/undisturbed.js';
import { headAt, manifestAt, manifestName } from './records.js';

const row = (update: number) => ({ update, loss: 1 / update, regularization: 0, lr: 0.1, grad_norm: 1, samples: 10 });
const epochRow = { epoch: 1, updates: 2, loss: 0.5, lr: 0.1 };
const reference: Reference = { weights: 'w', state: 's', rows: [row(1), row(2)], epochRows: [epochRow], microBatches: 9, trainMs: 1_000 };
const event = (id: number): JobEvent => ({ id, type: 'job.queued', at: '2026-01-01T00:00:00.000Z', attempt: null, message: '', data: {} });

function outcome(more: Partial<Outcome> = {}): Outcome {
  const head = headAt(3, { state: 'succeeded', owner: null });
  const result = { weights_sha256: 'w', state_sha256: 's', metrics: {}, validation: null, updates: 2, unused_micro_batches: 0, skipped_windows: 0, stopped_by: 'epochs' as const, engine: 'tensorflow', numerics_class: 'test', numerics: 'strict' as const };
  return { head: { ...head, result, counters: { ...head.counters, executed_micro_batches: 12, wasted_micro_batches: 3 } }, rows: [row(1), row(2)], epochRows: [epochRow], manifests: [manifestAt(3), manifestAt(2), manifestAt(1)], events: [event(1), event(2)], ...more };
}
const problems = (more: Partial<Outcome>): string => bitsProblems(reference, outcome(more)).join('; ');

describe('bits', () => {
  it('are right when they are those of the undisturbed', () => {
    expect(problems({})).toBe('');
  });
  it('are caught when weights, state or rows differ', () => {
    const { head } = outcome();
    expect(problems({ head: { ...head, result: { ...head.result!, weights_sha256: 'v' } } })).toContain('other weights');
    expect(problems({ head: { ...head, result: { ...head.result!, state_sha256: 'v' } } })).toContain('another state');
    expect(problems({ rows: [row(1)] })).toContain('update row 2 of 1 is undefined');
    expect(problems({ rows: [row(1), row(2), row(2)] }), 'a row twice').toContain('update row 3 of 3');
    expect(problems({ rows: [row(1), { ...row(2), loss: 0.5000001 }] })).toContain('update row 2');
    expect(problems({ epochRows: [] })).toContain('epoch row 1');
  });
  it('are caught when a micro-batch was done twice, left out, or miscounted', () => {
    const { head } = outcome();
    expect(problems({ manifests: [manifestAt(3, { microBatches: 10 }), manifestAt(2), manifestAt(1)] })).toContain('10 micro-batches instead of 9');
    expect(problems({ head: { ...head, counters: { ...head.counters, wasted_micro_batches: 0 } } })).toContain('executed minus wasted is 12');
  });
});

describe('the chain of commits', () => {
  it('is caught when it goes back, branches or breaks off', () => {
    expect(chainProblems([manifestAt(3), manifestAt(2), manifestAt(1)])).toEqual([]);
    expect(chainProblems([manifestAt(3), manifestAt(2, { microBatches: 20 }), manifestAt(1)])[0]).toContain('stands at micro-batch 9, the one before it at 20');
    expect(chainProblems([manifestAt(3), manifestAt(2, { fence: 2 }), manifestAt(1)])[0]).toContain('follows 2 (fence 2)');
    expect(chainProblems([manifestAt(3), manifestAt(2, { data_sha256: 'other' }), manifestAt(1, { data_sha256: 'other' })])[0]).toContain('of other data');
    expect(chainProblems([manifestAt(3), manifestAt(2)])[0]).toContain(`names ${manifestName(1)}, which is not there`);
  });
});

describe('events', () => {
  it('are caught when an id is used twice or falls', () => {
    expect(eventProblems([event(1), event(2), event(1_000_001)])).toEqual([]);
    expect(eventProblems([event(1), event(1)])).toHaveLength(1);
    expect(eventProblems([event(5), event(2)])).toHaveLength(1);
  });
});
