// The figures of one attempt: what was executed, what of it is kept, how long each part took, and progress for people.
import type { Progress } from '../../lib/contract/job.js';
import type { AttemptEnd } from '../../lib/contract/records.js';
import type { UpdateRow } from '../../lib/contract/rows.js';
import type { AttemptAccount } from '../../lib/jobs/lifecycle.js';
import { type Course, totalMicroBatches } from '../../lib/training/course.js';
import { progressOf } from '../../lib/training/cursor.js';
import type { Cursor } from '../../lib/training/state.js';

export interface Figures {
  timings: AttemptEnd['timings'];
  peakMemoryMib: number | null;
  /** Micro-batches [from, to) were executed, in so many milliseconds. */
  executed(from: number, to: number, trainMs: number): void;
  /** Everything up to here is committed. */
  kept(microBatches: number): void;
  /** `keptTo`: if everything up to there will have been committed. */
  account(keptTo?: number): AttemptAccount;
  progress(cursor: Cursor, rows: readonly UpdateRow[], samplesPerSecond: number): Progress;
}

/** @param start micro-batches of the state that the attempt resumed from */
export function makeFigures(course: Course, start: number, startedMs: number, nowMs: () => number, queueMs: number): Figures {
  let executed = 0;
  let committed = start;
  let trainMs = 0;
  let last: UpdateRow | null = null;
  const figures: Figures = {
    timings: { queue_ms: queueMs, load_ms: 0, warmup_ms: 0, train_ms: 0, save_ms: 0 },
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
      return { executedMicroBatches: executed, wastedMicroBatches: wasted, wastedSeconds: executed === 0 ? 0 : (wasted * trainMs) / executed / 1_000, attemptSeconds: (nowMs() - startedMs) / 1_000 };
    },
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
