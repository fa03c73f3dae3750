// Snapshots of one attempt: takes them where the policy or a message asks, lets them be written while training goes on, and
// reports them one at a time. A background snapshot that cannot be written is reported and forgotten; the last one is reported
// too, and written once more: there may be room by then. What a window does not change is spooled once: inside it a snapshot holds little more than the gradient. Those of the best epochs (keep_best) are never given up for a later one: they wait until they are reported.
import { join } from 'node:path';
import { makeSafetensorsWriter } from '../../lib/checkpoints/safetensors-writer.js';
import type { CheckpointPolicySpec } from '../../lib/contract/spec.js';
import { isDiskFull } from '../../lib/errors.js';
import type { ExpectedTensor } from '../../lib/model/slots.js';
import { stateFiles } from '../../lib/model/state-files.js';
import type { StateCounters, StateRole } from '../../lib/training/state.js';
import type { Snapshot, SnapshotFile } from '../protocol.js';
import type { StateSnapshot } from './engines/index.js';
import { bestCheckpointMs } from '../../lib/training/checkpoint-interval.js';
import { isSnapshotDue, type LastSnapshot } from './snapshot-policy.js';
import { spoolSnapshot, type SnapshotFiles } from './spool.js';

export interface Snapshots {
  /** At a boundary: takes a background snapshot if one is due. */
  boundary(counters: StateCounters): void;
  /** Training stands still at a boundary: takes one there, whatever the policy says, unless one is under way. */
  standing(counters: StateCounters): void;
  /** One is wanted at the next boundary, whatever the policy says. */
  request(): void;
  /** The state at the next boundary is that of one of the best epochs, by this value. */
  best(value: number): void;
  /** Snapshot `number` is committed, or given up. */
  settled(number: number, committed: boolean): void;
  /**
   * The last snapshot, taken here and written at once. An unfinished background one of an earlier state is given up; those of best
   * epochs are reported first, one after another. `whole`: every part of it has a file.
   */
  last(counters: StateCounters, whole: boolean): Promise<Snapshot>;
  /** Weights, slots and averages in one file: the canonical final state. */
  stateFile(counters: StateCounters): Promise<SnapshotFile>;
  /** Gives up what is unfinished, or waits for room. */
  close(): Promise<void>;
}

export interface SnapshotsOptions {
  policy: CheckpointPolicySpec;
  /** How long the worker may be expected to last. */
  lifetimeMs: number;
  dir: string;
  /** What a state holds. */
  tensors(counters: StateCounters): ReadonlyMap<string, ExpectedTensor>;
  /** What the canonical final state holds. */
  finalTensors: ReadonlyMap<string, ExpectedTensor>;
  view(counters: StateCounters): StateSnapshot;
  start: StateCounters;
  /** Parts of the start that are committed. */
  committedRoles: readonly StateRole[];
  nowMs(): number;
  /** A background snapshot is on the disk. */
  onReady(snapshot: Snapshot): void;
  /** A snapshot could not be written; it is settled when another may be tried. */
  onFailed(number: number, error: unknown): void;
}

interface Writing {
  number: number;
  takenAtMs: number;
  counters: StateCounters;
  /** Of a best epoch. */
  best: number | null;
  unchanged: StateRole[];
  /** The snapshot, once its files are complete. */
  done: Promise<Snapshot>;
  abort: AbortController;
}

export function makeSnapshots(options: SnapshotsOptions): Snapshots {
  const { policy, dir, nowMs } = options;
  let taken = 0;
  let last: LastSnapshot = { cursor: options.start.cursor, takenAtMs: nowMs() };
  let requested = false;
  /** Of the epoch that has just ended. */
  let bestValue: number | null = null;
  /** Taken and not reported yet, in their order: at most one that is of no best epoch, and none behind it. */
  let queue: Writing[] = [];
  /** Reported, written or not, and not settled yet. */
  let unsettled: Writing | null = null;
  /** The last state that is committed, and which parts it has. */
  let committed: { counters: StateCounters; roles: readonly StateRole[] } = { counters: options.start, roles: options.committedRoles };
  /** What the last one took until it was settled; null before. */
  let saveMs: number | null = null;
  /** What has to be written and found the disk full. */
  let blocked: { number: number; goOn(): void } | null = null;
  let isClosed = false;
  /** Wakes who waits for the next report. */
  let wake = (): void => undefined;
  const reported = (): Promise<void> => new Promise((resolve) => (wake = resolve));

  const rolesOf = (counters: StateCounters): StateRole[] => [...stateFiles(options.tensors(counters)).keys()];

  function take(counters: StateCounters, whole = false): Writing {
    const number = ++taken;
    const takenAtMs = nowMs();
    const best = bestValue;
    last = { cursor: counters.cursor, takenAtMs };
    requested = false;
    bestValue = null;
    const abort = new AbortController();
    const unchanged = whole ? [] : rolesOf(counters).filter((role) => committed.roles.includes(role) && isUnchanged(role, committed.counters, counters));
    const files = spoolSnapshot({ view: options.view(counters), tensors: options.tensors(counters), dir, number, without: unchanged, signal: abort.signal });
    const done = files.then((files: SnapshotFiles) => ({ number, counters, files, unchanged, best, writeMs: nowMs() - takenAtMs }));
    // it may fail while nobody looks: whoever comes to it hears of it
    done.catch(() => undefined);
    return { number, takenAtMs, counters, best, unchanged, abort, done };
  }

  /** Reports the first of the queue once it is written and nothing else is unsettled. */
  function reportNext(): void {
    const [first] = queue;
    if (first === undefined || unsettled !== null) return;
    const isNext = (): boolean => queue[0] === first && unsettled === null;
    first.done.then(
      (ready) => {
        if (!isNext()) return;
        queue.shift();
        unsettled = first;
        options.onReady(ready);
        wake();
      },
      (error: unknown) => {
        if (!isNext()) return;
        queue.shift();
        // settled by whoever hears of it, when it is worth trying again
        unsettled = first;
        options.onFailed(first.number, error);
        wake();
      },
    );
  }

  async function giveUp(snapshots: readonly Writing[]): Promise<void> {
    for (const { abort } of snapshots) abort.abort();
    await Promise.allSettled(snapshots.map(({ done }) => done));
  }

  /** What may not be given up: where it finds the disk full it is written again when that is settled. */
  async function insist<T>(number: number, written: Promise<T>, again: () => Promise<T>): Promise<T> {
    try {
      return await written;
    } catch (error) {
      if (!isDiskFull(error) || isClosed) throw error;
      await new Promise<void>((resolve) => {
        blocked = { number, goOn: resolve };
        options.onFailed(number, error);
      });
      if (isClosed) throw error;
      return again();
    }
  }

  async function writeState(counters: StateCounters): Promise<SnapshotFile> {
    const tensors = options.finalTensors;
    const path = join(dir, 'state.safetensors');
    const view = options.view(counters);
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
  }

  const isFree = (): boolean => queue.length === 0 && unsettled === null;

  function begin(counters: StateCounters): void {
    queue.push(take(counters));
    reportNext();
  }

  return {
    boundary(counters) {
      if (bestValue === null && !(isFree() && (requested || isSnapshotDue(policy, last, counters.cursor, nowMs(), bestCheckpointMs(saveMs, options.lifetimeMs))))) return;
      begin(counters);
    },
    standing(counters) {
      if (isFree()) begin(counters);
    },
    request() {
      requested = true;
    },
    best(value) {
      bestValue = value;
    },
    settled(number, isCommitted) {
      if (blocked?.number === number) return blocked.goOn();
      if (unsettled === null || number !== unsettled.number) return;
      saveMs = nowMs() - unsettled.takenAtMs;
      if (isCommitted) committed = { counters: unsettled.counters, roles: rolesOf(unsettled.counters) };
      unsettled = null;
      reportNext();
    },
    async last(counters, whole) {
      const same = queue.at(-1);
      const isLast = same !== undefined && isSameState(same.counters, counters) && !(whole && same.unchanged.length > 0);
      if (isLast) queue.pop();
      const [kept, given] = [queue.filter(({ best }) => best !== null), queue.filter(({ best }) => best === null)];
      queue = kept;
      await giveUp(given);
      reportNext();
      while (queue.length > 0) await reported();
      const writing = isLast ? same : take(counters, whole);
      return insist(writing.number, writing.done, () => {
        bestValue = writing.best;
        return take(counters, whole).done;
      });
    },
    stateFile(counters) {
      const write = (): Promise<SnapshotFile> => writeState(counters);
      return insist(++taken, write(), write);
    },
    async close() {
      isClosed = true;
      blocked?.goOn();
      const left = queue;
      queue = [];
      await giveUp(left);
    },
  };
}

/**
 * Weights, slots and averages change with updates, and when the best ones are put in their place; the best ones with a better epoch.
 * They are handed over again with every window all the same: each window's checkpoints stand on blobs of their own.
 */
function isUnchanged(role: StateRole, before: StateCounters, now: StateCounters): boolean {
  const windowOf = ({ cursor }: StateCounters): number => cursor.micro_batches - cursor.window_position;
  if (role === 'window' || windowOf(before) !== windowOf(now)) return false;
  return role === 'best' ? before.monitor.best_epoch === now.monitor.best_epoch : before.cursor.restored === now.cursor.restored;
}

/** No step lies between them: the cursor tells, because all else follows from it. */
const isSameState = (a: StateCounters, b: StateCounters): boolean => JSON.stringify(a.cursor) === JSON.stringify(b.cursor);
