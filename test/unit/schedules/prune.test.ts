import { describe, expect, it } from 'vitest';
import { fireIdOf, fireKey, firesPrefix } from '../../../lib/schedules/names.js';
import { isPruningDue, pruneFires } from '../../../lib/schedules/prune.js';
import { makeMemoryStore } from '../../support/memory-store.js';
import { SCHEDULE } from '../../support/schedules/world.js';

const DAY_MS = 86_400_000;
const now = new Date('2026-05-01T00:00:00Z');
const OTHER = 'sch_00000000000000000000000002';

/** Days of the fires that are left, of fires at so many days ago. */
async function left(daysAgo: readonly number[], keeping: { fires: number; ageMs: number }): Promise<number[]> {
  const store = makeMemoryStore();
  for (const days of daysAgo) await store.putIfAbsent(fireKey(SCHEDULE, fireIdOf(SCHEDULE, now.getTime() - days * DAY_MS, 'schedule')), Buffer.from(`${days}`));
  await store.putIfAbsent(fireKey(OTHER, fireIdOf(OTHER, 0, 'schedule')), Buffer.from('another'));
  const deleted = await pruneFires(store, SCHEDULE, now, keeping);
  const days: number[] = [];
  for await (const key of store.keys(firesPrefix(SCHEDULE))) days.push(Number((await store.get(key))!.body));
  expect(deleted).toBe(daysAgo.length - days.length);
  expect(store.objects.size).toBe(days.length + 1);
  return days;
}

describe('pruning', () => {
  it('keeps what is young, and the last ones however old', async () => {
    const keeping = { fires: 3, ageMs: 10 * DAY_MS };
    expect(await left([20, 15, 9, 5, 4, 1], keeping)).toEqual([9, 5, 4, 1]);
    expect(await left([20, 15, 12, 11, 5], keeping)).toEqual([12, 11, 5]);
    expect(await left([40, 30, 20, 15], keeping)).toEqual([30, 20, 15]);
    expect(await left([20, 15, 5], keeping)).toEqual([20, 15, 5]);
    expect(await left([], keeping)).toEqual([]);
  });

  it('is looked at every 1,000 fires, of schedules that have had more than are kept', () => {
    const counts = (started: number, missed = 0) => ({ started, skipped: 0, missed, failed: 0 });
    expect(isPruningDue(counts(1_999), counts(2_000))).toBe(false);
    expect(isPruningDue(counts(10_999), counts(11_000))).toBe(true);
    expect(isPruningDue(counts(11_000), counts(11_001))).toBe(false);
    expect(isPruningDue(counts(10_500), counts(10_500, 600))).toBe(true);
  });
});
