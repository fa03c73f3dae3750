// Waste: nothing after a notice that could be kept; after a kill, what was done since the last commit, which comes as often as the
// spec says. Of attempts whose commits nothing hindered (hindrance.ts). Pure.
import type { AttemptEnd } from '../../../../lib/contract/records.js';
import type { CheckpointPolicySpec } from '../../../../lib/contract/spec.js';

export interface Circumstances {
  /** As it trains at its fastest. */
  microBatchesPerSecond: number;
  /** Of one window. */
  accumIters: number;
  /** The longest distance between two commits of this job, or between its start and the first. */
  longestCommitGap: number;
}

/** How long a commit may take from its snapshot to HEAD on a busy machine; it counts twice: the one that was under way, and the one before it, which it had to wait for. */
const COMMIT_MS = 2_000;

const ORDERLY = ['preempted_notice', 'user', 'completed', 'server_shutdown'];

export function wasteProblems(end: Pick<AttemptEnd, 'number' | 'end_reason' | 'wasted_micro_batches'>, policy: CheckpointPolicySpec, circumstances: Circumstances): string[] {
  if (end.wasted_micro_batches === 0) return [];
  if (ORDERLY.includes(end.end_reason)) return [`attempt ${end.number} ended in order (${end.end_reason}) and wasted ${end.wasted_micro_batches} micro-batches`];
  const bound = wasteBound(policy, circumstances);
  return end.wasted_micro_batches > bound ? [`attempt ${end.number} (${end.end_reason}) wasted ${end.wasted_micro_batches} micro-batches, more than ${Math.round(bound)}`] : [];
}

/** One interval, and what runs while the commit before it and the one under way are on their way. */
export function wasteBound(policy: CheckpointPolicySpec, { microBatchesPerSecond, accumIters, longestCommitGap }: Circumstances): number {
  const seconds = policy.every_seconds === 'auto' ? 5 : (policy.every_seconds ?? 0);
  const interval = policy.every_micro_batches ?? (policy.every_updates === null ? seconds * microBatchesPerSecond : policy.every_updates * accumIters);
  const onTheWay = Math.min((2 * COMMIT_MS * microBatchesPerSecond) / 1_000, Math.max(2 * longestCommitGap, accumIters));
  return interval + accumIters + onTheWay;
}
