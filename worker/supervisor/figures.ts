// The figures of one attempt: what was executed, what of it is kept, how long each part took, and progress for people.
import type { Progress } from '../../lib/contract/job.js';
import type { AttemptEnd } from '../../lib/contract/records.js';
import type { UpdateRow } from '../../lib/contract/rows.js';
import type { AttemptAccount } from '../../lib/jobs/lifecycle.js';
import type { Tallies } from '../../lib/queue/index.js';
import { type Course, totalMicroBatches } from '../../lib/training/course.js';
import { progressOf } from '../../lib/training/cursor.js';
import type { Cursor } from '../../lib/training/state.js';
import type { Waited } from './session.js';

export interface Figures {
  timings: AttemptEnd['timings'];
  peakMemoryMib: number | null;
  /** Micro-batches [from, to) were executed, in so many milliseconds. */
  executed(from: number, to: number, trainMs: number): void;
  /** Everything up to here is committed. */
  kept(microBatches: number): void;
  /** `keptTo`: if everything up to there will have been committed. */
  account(keptTo?: number): AttemptAccount;
  /** Seconds of training up to that micro-batch, as far as it was executed here. */
  trainSeconds(upTo: number): number;
  /** What of this account nobody was told yet, by the names of the fleet's sums. */
  untold(account?: AttemptAccount): Tallies;
  progress(cursor: Cursor, rows: readonly UpdateRow[], samplesPerSecond: number): Progress;
}

/** @param start micro-batches of the state that the attempt resumed from */
export function makeFigures(course: Course, start: number, startedMs: number, nowMs: () => number, waited: Waited): Figures {
  let executed = 0;
  let committed = start;
  let trainMs = 0;
  let last: UpdateRow | null = null;
  let told = { executed_micro_batches: 0, executed_seconds: 0, kept_micro_batches: 0, kept_seconds: 0, wasted_micro_batches: 0, wasted_seconds: 0 };
  const secondsOf = (microBatches: number): number => (executed === 0 ? 0 : (microBatches * trainMs) / executed / 1_000);
  const figures: Figures = {
    timings: { detect_ms: waited.detectMs, queue_ms: waited.queueMs, load_ms: 0, warmup_ms: 0, train_ms: 0, save_ms: 0 },
    peakMemoryMib: null,
    executed: (from, to, sinceLastMs) => {
      executed += to - from;
      trainMs += sinceLastMs;
      figures.timings.train_ms = Math.round(trainMs);
    },
    kept: (microBatches) => {
      committed = Math.max(committed, microBatches);
    },
    account: (keptTo = committed) => {
      const wasted = Math.max(0, executed - (Math.max(committed, keptTo) - start));
      return { executedMicroBatches: executed, executedSeconds: trainMs / 1_000, wastedMicroBatches: wasted, wastedSeconds: secondsOf(wasted), attemptSeconds: (nowMs() - startedMs) / 1_000, silentMs: null };
    },
    untold: (account) => {
      const { executedMicroBatches, executedSeconds, wastedMicroBatches, wastedSeconds } = account ?? figures.account();
      // Of what is not kept yet nobody knows whether it will be; of a worker that vanishes, its successor tells the rest.
      const over = account !== undefined;
      const kept = executedMicroBatches - wastedMicroBatches;
      const keptSeconds = Math.max(told.kept_seconds, executedSeconds - wastedSeconds);
      const now = {
        executed_micro_batches: over ? executedMicroBatches : kept, executed_seconds: over ? executedSeconds : keptSeconds, kept_micro_batches: kept, kept_seconds: keptSeconds,
        wasted_micro_batches: over ? wastedMicroBatches : 0, wasted_seconds: over ? wastedSeconds : 0,
      };
      const gains = Object.fromEntries(Object.entries(now).map(([name, sum]) => [name, sum - told[name as keyof typeof now]])) as Tallies;
      told = now;
      return gains;
    },
    trainSeconds: (upTo) => secondsOf(Math.min(executed, Math.max(0, upTo - start))),
    progress: (cursor, rows, samplesPerSecond) => {
      last = rows.at(-1) ?? last;
      const remaining = Math.max(0, totalMicroBatches(course) - cursor.micro_batches) * course.batchSize;
      return {
        ...progressOf(cursor, course),
        loss: last?.loss ?? null,
        metrics: last && last.accuracy !== undefined ? { accuracy: last.accuracy } : {},
        samples_per_second: samplesPerSecond > 0 ? samplesPerSecond : null,
        eta_seconds: samplesPerSecond > 0 ? remaining / samplesPerSecond : null,
      };
    },
  };
  return figures;
}
