// What is told while training runs: which micro-batches were executed and which rows they completed, in one message at
// most every 100 ms, and always before a message that says more.
import type { EpochRow, UpdateRow } from '../../lib/contract/rows.js';
import type { StateCounters } from '../../lib/training/state.js';
import type { FromTrainer } from '../protocol.js';

const INTERVAL_MS = 100;
/** Speed is measured over spans of at least this. */
const SPEED_SPAN_MS = 1000;

export interface Progress {
  /** A micro-batch of this many samples was executed. */
  executed(samples: number): void;
  /** A stop would be heard now. */
  listening(): void;
  updateRow(row: UpdateRow): void;
  epochRow(row: EpochRow): void;
  /** Sends what there is if the last message is old enough. `counters` are those of the boundary that training stands at. */
  tick(counters: StateCounters): void;
  /** Sends what there is. */
  flush(counters: StateCounters): void;
}

export interface ProgressOptions {
  attempt: string;
  send(message: FromTrainer): void;
  nowMs(): number;
  /** Where the attempt starts. */
  start: StateCounters;
}

export function makeProgress({ attempt, send, nowMs, start }: ProgressOptions): Progress {
  const speed = makeSpeed(nowMs());
  let from = start.cursor.micro_batches;
  let sentAtMs = nowMs();
  let listenedAtMs = sentAtMs;
  let hearMs = 0;
  let updateRows: UpdateRow[] = [];
  let epochRows: EpochRow[] = [];

  function flush(counters: StateCounters): void {
    const to = counters.cursor.micro_batches;
    if (to === from && updateRows.length === 0 && epochRows.length === 0) return;
    const now = nowMs();
    send({ type: 'progress', attempt, from, to, counters, updateRows, epochRows, samplesPerSecond: speed.read(now), trainMs: now - sentAtMs, hearMs });
    from = to;
    sentAtMs = now;
    hearMs = 0;
    updateRows = [];
    epochRows = [];
  }
  return {
    executed: speed.add,
    listening() {
      const now = nowMs();
      hearMs = Math.max(hearMs, now - listenedAtMs);
      listenedAtMs = now;
    },
    updateRow: (row) => void updateRows.push(row),
    epochRow: (row) => void epochRows.push(row),
    tick(counters) {
      if (nowMs() - sentAtMs >= INTERVAL_MS) flush(counters);
    },
    flush,
  };
}

/** Samples a second over the last whole span; before the first is over, over what there is. */
function makeSpeed(startMs: number): { add(samples: number): void; read(nowMs: number): number } {
  let span = { startMs, samples: 0 };
  let last: number | null = null;
  return {
    add(samples) {
      span.samples += samples;
    },
    read(nowMs) {
      const elapsed = nowMs - span.startMs;
      const current = elapsed > 0 ? (span.samples / elapsed) * 1000 : 0;
      if (elapsed < SPEED_SPAN_MS) return last ?? current;
      span = { startMs: nowMs, samples: 0 };
      last = current;
      return current;
    },
  };
}
