// Snapshots of one attempt: takes them where the policy or a message asks, lets them be written while training goes on,
// and reports them. A background snapshot that cannot be written is reported and forgotten; the last one may not fail.
import { join } from 'node:path';
import { makeSafetensorsWriter } from '../../lib/checkpoints/safetensors-writer.js';
import type { CheckpointPolicySpec } from '../../lib/contract/spec.js';
import type { ExpectedTensor } from '../../lib/model/slots.js';
import type { StateCounters } from '../../lib/training/state.js';
import type { Snapshot, SnapshotFile } from '../protocol.js';
import type { StateSnapshot } from './engines/index.js';
import { isSnapshotDue, type LastSnapshot } from './snapshot-policy.js';
import { spoolSnapshot, type SnapshotFiles } from './spool.js';

export interface Snapshots {
  /** At a boundary: takes a background snapshot if one is due. */
  boundary(counters: StateCounters): void;
  /** One is wanted at the next boundary, whatever the policy says. */
  request(): void;
  /** Snapshot `number` is committed or given up. */
  settled(number: number): void;
  /** The last snapshot, taken here and written at once; an unfinished background one of an earlier state is given up. */
  last(counters: StateCounters): Promise<Snapshot>;
  /** Weights and slots in one file: the canonical final state. */
  stateFile(): Promise<SnapshotFile>;
  /** Gives up what is unfinished. */
  close(): Promise<void>;
}

export interface SnapshotsOptions {
  policy: CheckpointPolicySpec;
  dir: string;
  /** What a state holds. */
  tensors(windowOpen: boolean): ReadonlyMap<string, ExpectedTensor>;
  view(windowOpen: boolean): StateSnapshot;
  start: StateCounters;
  nowMs(): number;
  /** A background snapshot is on the disk. */
  onReady(snapshot: Snapshot): void;
  /** A background snapshot could not be written. */
  onFailed(number: number, error: unknown): void;
}

interface Writing {
  counters: StateCounters;
  /** The snapshot, once its files are complete. */
  done: Promise<Snapshot>;
  abort: AbortController;
}

export function makeSnapshots(options: SnapshotsOptions): Snapshots {
  const { policy, dir, nowMs } = options;
  let taken = 0;
  let last: LastSnapshot = { cursor: options.start.cursor, takenAtMs: nowMs() };
  let requested = false;
  /** Written in the background. */
  let writing: Writing | null = null;
  /** Reported, written or not, and not settled yet. */
  let unsettled: number | null = null;

  function take(counters: StateCounters): Writing & { number: number } {
    const windowOpen = counters.cursor.window_position > 0;
    const number = ++taken;
    const takenAtMs = nowMs();
    last = { cursor: counters.cursor, takenAtMs };
    requested = false;
    const abort = new AbortController();
    const files = spoolSnapshot({ view: options.view(windowOpen), tensors: options.tensors(windowOpen), dir, number, signal: abort.signal });
    return { number, counters, abort, done: files.then((files: SnapshotFiles) => ({ number, counters, files, writeMs: nowMs() - takenAtMs })) };
  }

  function takeInBackground(counters: StateCounters): void {
    const snapshot = take(counters);
    writing = snapshot;
    const isCurrent = () => writing === snapshot;
    snapshot.done.then(
      (ready) => {
        if (!isCurrent()) return;
        writing = null;
        unsettled = ready.number;
        options.onReady(ready);
      },
      (error: unknown) => {
        if (!isCurrent()) return;
        writing = null;
        // Settled by whoever hears of it, when it is worth trying again.
        unsettled = snapshot.number;
        options.onFailed(snapshot.number, error);
      },
    );
  }

  /** Takes the background snapshot away from its own ending. */
  function detach(): Writing | null {
    const detached = writing;
    writing = null;
    return detached;
  }

  async function giveUp(snapshot: Writing | null): Promise<void> {
    snapshot?.abort.abort();
    await snapshot?.done.catch(() => undefined);
  }

  return {
    boundary(counters) {
      if (writing !== null || unsettled !== null) return;
      if (requested || isSnapshotDue(policy, last, counters.cursor, nowMs())) takeInBackground(counters);
    },
    request() {
      requested = true;
    },
    settled(number) {
      if (number === unsettled) unsettled = null;
    },
    async last(counters) {
      const unfinished = detach();
      if (unfinished !== null && isSameState(unfinished.counters, counters)) return unfinished.done;
      await giveUp(unfinished);
      return take(counters).done;
    },
    async stateFile() {
      const tensors = options.tensors(false);
      const path = join(dir, 'state.safetensors');
      const view = options.view(false);
      try {
        const writer = await makeSafetensorsWriter(path, [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape })));
        try {
          for (const name of tensors.keys()) await writer.write(name, view.read(name));
          await writer.finish();
          return { path, sizeBytes: writer.sizeBytes };
        } finally {
          await writer.close();
        }
      } finally {
        view.dispose();
      }
    },
    close: () => giveUp(detach()),
  };
}

/** No step lies between them: the cursor tells, because the sums follow from it. */
function isSameState(a: StateCounters, b: StateCounters): boolean {
  const [from, to] = [a.cursor, b.cursor];
  return from.micro_batches === to.micro_batches && from.updates === to.updates && from.epoch === to.epoch && from.validation_pending === to.validation_pending;
}
