// Turns spooled snapshots into commits: reads the files off the training thread, gathers the rows and events that belong to
// them, and hands both to the committer. One commit at a time.
import { readFile, rm } from 'node:fs/promises';
import type { Head, Inputs, JobResult } from '../../lib/contract/records.js';
import type { KeepBestSpec } from '../../lib/contract/spec.js';
import type { EpochRow, EventType, JobEvent, UpdateRow } from '../../lib/contract/rows.js';
import { freshUlid } from '../../lib/fresh-id.js';
import type { Committer, StateBlob } from '../../lib/jobs/commit.js';
import type { Claim } from '../../lib/jobs/head.js';
import { sha256OfBody, WHOLE_BYTES } from '../../lib/store/body.js';
import type { Body } from '../../lib/store/index.js';
import { type Cursor, STATE_ROLES } from '../../lib/training/state.js';
import type { Snapshot, SnapshotFile, TrainingOutcome } from '../protocol.js';
import type { FeedStamp, LiveFeed } from './live-feed.js';
import { partsOf } from './trainer-setup.js';

export interface Saver {
  addRows(updates: readonly UpdateRow[], epochs: readonly EpochRow[]): void;
  addEvent(type: EventType, message: string, data?: Record<string, unknown>): void;
  /** Events that a write of HEAD itself added, for the live journal. */
  publish(head: Head): void;
  /** Puts events that no commit has covered yet into HEAD itself, for an end without a commit. */
  carry(head: Head): Head;
  /** @throws AppError fenced, store_full, store_unavailable */
  save(snapshot: Snapshot, options: { final?: JobResult; ending?: (head: Head) => Head }): Promise<Head>;
}

/** Removes what a snapshot has on the disk, once it is committed or given up: no later one needs it. */
export async function removeFiles({ files }: Snapshot): Promise<void> {
  for (const { path } of Object.values(files)) await rm(path, { force: true });
}

/** Of its files. */
export const bytesOf = ({ files }: Snapshot): number => Object.values(files).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

export interface SaverOptions {
  claim: Claim;
  committer: Committer;
  stamp: FeedStamp;
  feed: LiveFeed;
  now: () => Date;
  inputs: () => Inputs;
  specSha256: string;
  keepLast: number;
  keepBest: KeepBestSpec | null;
  nowMs(): number;
  /** Epochs that have a row by a state. */
  epochsTold(cursor: Cursor): number;
  /** Of this attempt, up to that micro-batch. */
  trainSeconds(upTo: number): number;
  /** A snapshot is committed; so long it took since its files were written, and so much was written. */
  onSaved(snapshot: Snapshot, tookMs: number, bytes: number): void;
}

/** A small file is read once, for its hash and its way to the store. */
const bodyOf = async (file: SnapshotFile): Promise<Body> => (file.sizeBytes <= WHOLE_BYTES ? readFile(file.path) : file);

/** Events that an end without a commit may add to HEAD. */
const CARRIED_MAX = 40;

export function makeSaver({ claim, committer, stamp, feed, now, inputs, specSha256, keepLast, keepBest, nowMs, epochsTold, trainSeconds, onSaved }: SaverOptions): Saver {
  let updateRows: UpdateRow[] = [];
  let epochRows: EpochRow[] = [];
  let events: JobEvent[] = [];
  let lastEvent = claim.head().counters.events;
  let published = 0;

  const publish = (head: Head): void => {
    const fresh = head.events.filter((event) => event.id > published);
    if (fresh.length === 0) return;
    published = fresh.at(-1)!.id;
    lastEvent = Math.max(lastEvent, head.counters.events);
    feed.events(stamp, fresh);
  };
  const addEvent: Saver['addEvent'] = (type, message, data = {}) => {
    lastEvent = Math.max(lastEvent, claim.head().counters.events) + 1;
    const event: JobEvent = { id: lastEvent, type, at: now().toISOString(), attempt: claim.number, message, data };
    published = event.id;
    events.push(event);
    feed.events(stamp, [event]);
  };

  return {
    addRows: (updates, epochs) => {
      updateRows.push(...updates);
      epochRows.push(...epochs);
      feed.rows(stamp, updates, epochs);
    },
    addEvent,
    publish,
    carry: (head) => ({ ...head, events: [...head.events, ...events.filter((event) => !head.events.some((held) => held.id === event.id))].slice(-CARRIED_MAX), counters: { ...head.counters, events: Math.max(head.counters.events, lastEvent) } }),
    save: async (snapshot, { final, ending }) => {
      const { cursor } = snapshot.counters;
      const epochs = epochsTold(cursor);
      const fromMs = nowMs();
      const saved = { updates: updateRows.filter((row) => row.update <= cursor.updates), epochs: epochRows.filter((row) => row.epoch <= epochs), events: new Set(events) };
      const { head, manifest } = await committer.commit(
        {
          state: snapshot.counters,
          blobs: STATE_ROLES.flatMap((role): StateBlob[] => {
            const file = snapshot.files[role];
            if (file) return [{ role, read: () => bodyOf(file) }];
            return snapshot.unchanged.includes(role) ? [{ role, read: null }] : [];
          }),
          updateRows: saved.updates,
          epochRows: saved.epochs,
          events: [...saved.events],
          inputs: inputs(),
          specSha256,
          keepLast,
          keepBest,
          best: snapshot.best,
          final: final ?? null,
          trainSeconds: trainSeconds(cursor.micro_batches),
          saveSeconds: () => (snapshot.writeMs + nowMs() - fromMs) / 1_000,
          checkpointId: `ckpt_${freshUlid()}`,
          ...(ending ? { ending } : {}),
        },
      );
      onSaved(snapshot, nowMs() - fromMs, manifest.bytes_written);
      updateRows = updateRows.filter((row) => row.update > cursor.updates);
      epochRows = epochRows.filter((row) => row.epoch > epochs);
      events = events.filter((event) => !saved.events.has(event));
      feed.committed(stamp.job, cursor.updates, epochs);
      if (ending) publish(head);
      else addEvent('checkpoint.committed', `checkpoint at micro-batch ${cursor.micro_batches}`, { checkpoint: manifest.id, micro_batches: cursor.micro_batches, updates: cursor.updates, window_position: cursor.window_position, bytes: manifest.bytes_written });
      await removeFiles(snapshot);
      return head;
    },
  };
}

/** What the job's result says, from the final snapshot's files. */
export async function resultOf(snapshot: Snapshot, stateFile: SnapshotFile, outcome: TrainingOutcome, inputs: Inputs): Promise<JobResult> {
  const weights = snapshot.files.ema ?? snapshot.files.weights;
  return {
    weights_sha256: await sha256OfBody(weights ?? Buffer.alloc(0)),
    state_sha256: await sha256OfBody(stateFile),
    metrics: outcome.metrics,
    validation: outcome.validation,
    updates: outcome.updates,
    unused_micro_batches: outcome.unusedMicroBatches,
    skipped_windows: outcome.skippedWindows,
    stopped_by: outcome.stoppedBy,
    engine: inputs.engine,
    numerics_class: inputs.numerics_class,
    numerics: inputs.mixed ? 'mixed' : partsOf(inputs.numerics_class) > 1 ? 'fast' : 'strict',
  };
}
