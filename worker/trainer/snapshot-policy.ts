// When a background snapshot is due: as often as the spec asks, and never before the previous one was settled. Pure.
import type { CheckpointPolicySpec } from '../../lib/contract/spec.js';
import type { Cursor } from '../../lib/training/state.js';

/** What may be run before the next boundary that is to be seen. */
export interface Room {
  microBatches: number;
  updates: number;
}

/** Where and when the last snapshot was taken; at first, where the attempt started. */
export interface LastSnapshot {
  cursor: Pick<Cursor, 'updates' | 'micro_batches'>;
  takenAtMs: number;
}

/**
 * Counts are on a fixed grid (every 5 updates: 5, 10, 15, …), whatever was resumed or delayed in between; one that was
 * delayed past several points of the grid is taken once.
 * @param autoMs the interval of "auto"
 */
export function isSnapshotDue(policy: CheckpointPolicySpec, last: LastSnapshot, cursor: Cursor, nowMs: number, autoMs: number): boolean {
  const crossed = (every: number | null, before: number, now: number): boolean => every !== null && Math.floor(now / every) > Math.floor(before / every);
  if (cursor.micro_batches === last.cursor.micro_batches) return false;
  const { every_seconds: everySeconds } = policy;
  return (
    (everySeconds !== null && nowMs - last.takenAtMs >= (everySeconds === 'auto' ? autoMs : everySeconds * 1000)) ||
    crossed(policy.every_updates, last.cursor.updates, cursor.updates) ||
    crossed(policy.every_micro_batches, last.cursor.micro_batches, cursor.micro_batches)
  );
}

/** How far it is to where a snapshot may be due by its count; Infinity where it never is. */
export function untilDue({ every_micro_batches: everyMicroBatches, every_updates: everyUpdates }: CheckpointPolicySpec, cursor: Pick<Cursor, 'micro_batches' | 'updates'>): Room {
  const left = (every: number | null, done: number): number => (every === null ? Infinity : every - (done % every));
  return { microBatches: left(everyMicroBatches, cursor.micro_batches), updates: left(everyUpdates, cursor.updates) };
}
