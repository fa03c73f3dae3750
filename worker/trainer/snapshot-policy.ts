// When a background snapshot is due: as often as the spec asks, and never before the previous one was settled. Pure.
import type { CheckpointPolicySpec } from '../../lib/contract/spec.js';
import type { Cursor } from '../../lib/training/state.js';

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

/** Micro-batches until one after which a snapshot may be due by their count; Infinity if it never is. */
export const microBatchesUntilDue = (policy: CheckpointPolicySpec, cursor: Pick<Cursor, 'micro_batches'>): number =>
  policy.every_micro_batches === null ? Infinity : policy.every_micro_batches - (cursor.micro_batches % policy.every_micro_batches);
