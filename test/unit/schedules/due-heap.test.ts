import fc from 'fast-check';
import { expect, it } from 'vitest';
import { makeDueHeap } from '../../../lib/schedules/due-heap.js';

it('hands out what is due, the earliest first, as a sorted list would', () => {
  const key = fc.integer({ min: 0, max: 30 }).map(String);
  const step = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), key, dueMs: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constant(Infinity)) }),
    fc.record({ kind: fc.constant('delete' as const), key }),
    fc.record({ kind: fc.constant('take' as const), nowMs: fc.integer({ min: 0, max: 100 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const heap = makeDueHeap();
      const model = new Map<string, number>();
      for (const each of steps) {
        if (each.kind === 'set') {
          heap.set(each.key, each.dueMs);
          model.delete(each.key);
          if (each.dueMs !== Infinity) model.set(each.key, each.dueMs);
        } else if (each.kind === 'delete') {
          heap.delete(each.key);
          model.delete(each.key);
        } else {
          const first = Math.min(Infinity, ...model.values());
          const taken = heap.takeDue(each.nowMs);
          if (first > each.nowMs) expect(taken).toBeNull();
          else {
            expect(model.get(taken!)).toBe(first);
            model.delete(taken!);
          }
        }
        expect(heap.firstMs()).toBe(Math.min(Infinity, ...model.values()));
      }
    }),
  );
});
