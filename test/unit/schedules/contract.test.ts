import { Value } from 'typebox/value';
import { describe, expect, test } from 'vitest';
import { BackfillInput, FireRequests, Preview, PreviewInput, TriggerInput } from '../../../lib/contract/schedule.js';
import { asScheduleId } from '../../../lib/schedules/names.js';

const ID = `sch_${'0'.repeat(26)}`;

describe('what a schedule is asked', () => {
  test.each([
    [PreviewInput, { cron: '0 2 * * *', count: 3 }, { cron: '0 2 * * *', counts: 3 }],
    [TriggerInput, { overlap_policy: 'skip' }, { overlap_policy: 'sometimes' }],
    [BackfillInput, { from: '2026-01-01T00:00:00.000Z', to: '2026-01-02T00:00:00.000Z' }, { from: '2026-01-01T00:00:00.000Z' }],
  ] as const)('%#: takes what it names, and nothing else', (schema, right, wrong) => {
    expect([Value.Check(schema as never, right), Value.Check(schema as never, wrong)]).toEqual([true, false]);
  });

  test('is answered in closed objects', () => {
    expect(Value.Check(Preview, { object: 'preview', fires: [], warnings: [] })).toBe(true);
    expect(Value.Check(FireRequests, { object: 'fire_requests', fires: [] })).toBe(true);
    expect(Value.Check(FireRequests, { object: 'fire_requests', fires: [], more: 1 })).toBe(false);
  });

  test('an id that is none never becomes part of a key', () => {
    expect(asScheduleId(ID)).toBe(ID);
    for (const text of ['', 'sch_', `${ID}/..`, `SCH_${'0'.repeat(26)}`, `sch_${'u'.repeat(26)}`]) expect(() => asScheduleId(text)).toThrow(/no schedule/);
  });
});
