// When a background snapshot is due: as often as the spec asks, and never before the previous one was settled. Pure.
import type { CheckpointPolicySpec } from '../../lib/contract/spec.js';
import type { Cursor } from '../../lib/training/state.js';

/** Where and when the last snapshot was taken; at first, where the attempt started. */
export interface LastSnapshot {
  cursor: Pick<Cursor, 'updates' | 'micro_batches'>;
  takenAtMs: number;
}

/** How long a preemptible machine lasts, as far as the cadence "auto" is concerned. */
const LIFETIME_MS = 3_600_000;
const AUTO_LEAST_MS = 5_000;
const AUTO_MOST_MS = 600_000;

/**
 * The interval that loses least by saving and by dying together, √(2 · cost · lifetime): Young, "A first order approximation to the
 * optimum checkpoint interval", Communications of the ACM 17 (1974), https://doi.org/10.1145/361147.361115.
 * @param saveMs what the last snapshot took until it was committed; null before there was one
 */
export const autoIntervalMs = (saveMs: number | null): number => Math.min(AUTO_MOST_MS, Math.max(AUTO_LEAST_MS, Math.sqrt(2 * (saveMs ?? 0) * LIFETIME_MS)));

/**
 * Counts are on a fixed grid (every 5 updates: 5, 10, 15, …), whatever was resumed or delayed in between; one that was
 * delayed past several points of the grid is taken once.
 */
export function isSnapshotDue(policy: CheckpointPolicySpec, last: LastSnapshot, cursor: Cursor, nowMs: number, saveMs: number | null = null): boolean {
  const crossed = (every: number | null, before: number, now: number): boolean => every !== null && Math.floor(now / every) > Math.floor(before / every);
  if (cursor.micro_batches === last.cursor.micro_batches) return false;
  const { every_seconds: everySeconds } = policy;
  return (
    (everySeconds !== null && nowMs - last.takenAtMs >= (everySeconds === 'auto' ? autoIntervalMs(saveMs) : everySeconds * 1000)) ||
    crossed(policy.every_updates, last.cursor.updates, cursor.updates) ||
    crossed(policy.every_micro_batches, last.cursor.micro_batches, cursor.micro_batches)
  );
}

/** Micro-batches until one after which a snapshot may be due by their count; Infinity if it never is. */
export const microBatchesUntilDue = (policy: CheckpointPolicySpec, cursor: Pick<Cursor, 'micro_batches'>): number =>
  policy.every_micro_batches === null ? Infinity : policy.every_micro_batches - (cursor.micro_batches % policy.every_micro_batches);
