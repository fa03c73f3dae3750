// One commit: blobs, then the manifest, then the swap of HEAD, then the garbage of what retention dropped.
// The protocol is told in head.ts; this file does its steps for a claim and knows nothing of training.
import type { Clock } from '../clock.js';
import { unreferencedBlobs } from '../checkpoints/retention.js';
import type { BlobRef, Head, Inputs, JobResult, Manifest } from '../contract/records.js';
import type { EpochRow, JobEvent, UpdateRow } from '../contract/rows.js';
import { AppError } from '../errors.js';
import { sha256Of } from '../sha256.js';
import { sha256OfBody, sizeOf } from '../store/body.js';
import type { Body, Store } from '../store/index.js';
import { untilAnswered } from '../store/patience.js';
import type { KeepBestSpec } from '../contract/spec.js';
import type { StateCounters } from '../training/state.js';
import type { Claim } from './head.js';
import { appendTo, type HistoryTarget, type OnDamaged } from './history.js';
import { committed } from './lifecycle.js';
import { blobKey, manifestKey } from './names.js';
import { retainedCommit } from './rebuild.js';

/** Segments of rows have names of their own by their content, which no commit shares. */
const NOTHING: ReadonlySet<string> = new Set();

/** The micro-batch that a state's window began with: weights and slots are the same as long as it is. */
const windowOf = ({ micro_batches: microBatches, window_position: position }: { micro_batches: number; window_position: number }): number => microBatches - position;

/** A file of the state; `read` is null where it is what the commit before has, of the same window. */
export interface StateBlob {
  role: BlobRef['role'];
  read: (() => Promise<Body>) | null;
}

export interface CommitRequest {
  state: StateCounters;
  blobs: readonly StateBlob[];
  updateRows: readonly UpdateRow[];
  epochRows: readonly EpochRow[];
  /** Besides those that HEAD carries. */
  events: readonly JobEvent[];
  inputs: Inputs;
  specSha256: string;
  keepLast: number;
  keepBest: KeepBestSpec | null;
  /** keep_best's metric, if this is the state of one of the best epochs. */
  best: number | null;
  final: JobResult | null;
  /** What the attempt trained until then. */
  trainSeconds: number;
  /** Since the snapshot was taken; asked when HEAD is about to be swapped. */
  saveSeconds: () => number;
  checkpointId: string;
  /** Applied in the same swap, after the commit: the attempt's end, if this is its last. */
  ending?: (head: Head) => Head;
}

export interface Committer {
  /**
   * @returns HEAD after the swap, and the new checkpoint
   * @throws AppError fenced; store_full, store_unavailable (nothing changed; HEAD still names the commit before)
   */
  commit(request: CommitRequest): Promise<{ head: Head; manifest: Manifest }>;
}

export interface CommitterDeps {
  store: Store;
  clock: Pick<Clock, 'now' | 'sleep'>;
  log: { warn(fields: object, message: string): void };
  /** Rows or events of commits before were to be merged, and are damaged or gone. */
  onDamaged: OnDamaged;
}

/** Commits for one claim, one at a time. `base` is the manifest it resumed from, if any, every blob of which it has verified. */
export function makeCommitter(deps: CommitterDeps, claim: Claim, base: Manifest | null): Committer {
  const { store, clock } = deps;
  let previous = base;
  let lastSeq = claim.head().seq;
  /** Blobs that this attempt wrote or read back and hashed: only these are good, whatever their names say. */
  const good = new Set<string>(base?.blobs.map(({ key }) => key));
  /** A delete that got no answer may land later, so its key is never written again. */
  const deleted = new Set<string>();

  /** A name for these bytes that nothing retained has and no late delete can hit. */
  function freshKey(sha256: string, taken: ReadonlySet<string>): string {
    let key = blobKey(claim.job, claim.fence, sha256);
    for (let n = 1; deleted.has(key) || taken.has(key); n++) key = `${blobKey(claim.job, claim.fence, sha256)}.${n}`;
    return key;
  }

  async function putObject(key: string, body: Body): Promise<void> {
    await untilAnswered(clock, () => store.put(key, body));
    good.add(key);
  }

  /** The blobs of a state: what is retained already is not written again, but for what the window before stands on too. */
  async function putState(blobs: readonly StateBlob[], state: StateCounters): Promise<{ refs: BlobRef[]; bytesWritten: number }> {
    const { retained } = claim.head();
    const taken = new Set(retained.flatMap((commit) => commit.blobs.map(({ key }) => key)));
    // One bad blob may not be in the way of every retained commit, not even one that never changes.
    const other = retained.findLast((commit) => windowOf(commit) !== windowOf(state.cursor));
    const copies = retained.flatMap((commit) => commit.blobs).filter(({ key }) => good.has(key) && !other?.blobs.some((blob) => blob.key === key));
    const refs: BlobRef[] = [];
    let bytesWritten = 0;
    for (const { role, read } of blobs) {
      if (read === null) {
        const ref = previous?.blobs.find((blob) => blob.role === role);
        if (!ref || !taken.has(ref.key)) throw new AppError('internal_error', `${role}: there is no commit that has it`);
        refs.push(ref);
        continue;
      }
      const body = await read();
      const [sha256, bytes] = [await sha256OfBody(body), sizeOf(body)];
      const copy = copies.find((blob) => blob.sha256 === sha256 && blob.bytes === bytes);
      if (copy) {
        refs.push({ ...copy, role });
        continue;
      }
      const key = freshKey(sha256, taken);
      await putObject(key, body);
      refs.push({ role, key, bytes, sha256 });
      bytesWritten += bytes;
    }
    return { refs, bytesWritten };
  }

  const history: HistoryTarget = { store, nameOf: (sha256) => freshKey(sha256, NOTHING), put: (key, body) => putObject(key, body), onDamaged: deps.onDamaged };

  return {
    commit: async (request) => {
      const { refs: blobs, bytesWritten } = await putState(request.blobs, request.state);
      const events = [...claim.head().events, ...request.events].sort((a, b) => a.id - b.id);
      const update = await appendTo(history, previous?.rows.update ?? [], request.updateRows, (row) => row.update);
      const epoch = await appendTo(history, previous?.rows.epoch ?? [], request.epochRows, (row) => row.epoch);
      const eventSegments = await appendTo(history, previous?.events ?? [], events, (event) => event.id);

      const seq = Math.max(claim.head().seq, lastSeq) + 1;
      lastSeq = seq;
      const manifest: Manifest = {
        manifest_version: 1,
        id: request.checkpointId,
        job: claim.job,
        gen: claim.gen,
        seq,
        fence: claim.fence,
        attempt: claim.attempt,
        prev: previousRef(claim.head(), previous),
        committed_at: clock.now().toISOString(),
        state: request.state,
        best: request.best,
        blobs,
        bytes_written: bytesWritten,
        rows: { update, epoch },
        events: eventSegments,
        spec_sha256: request.specSha256,
        data_sha256: request.inputs.data_sha256,
        numerics_class: request.inputs.numerics_class,
        final: request.final,
      };
      const body = Buffer.from(`${JSON.stringify(manifest)}\n`);
      const key = manifestKey(claim.job, seq, claim.fence, claim.attempt);
      await untilAnswered(clock, async () => {
        const outcome = await store.putIfAbsent(key, body);
        if (outcome.created) return;
        const there = await store.get(key);
        if (!there || sha256Of(there.body) !== sha256Of(body)) throw new AppError('internal_error', `${key} exists with other bytes`);
      });

      let before = claim.head().retained;
      const head = await claim.write((current) => {
        before = current.retained;
        const after = committed(current, { commit: retainedCommit(key, body, manifest), keepLast: request.keepLast, keepBest: request.keepBest, lastEvent: events.at(-1)?.id ?? 0, trainSeconds: request.trainSeconds, saveSeconds: request.saveSeconds() });
        return request.ending ? request.ending(after) : after;
      });
      previous = manifest;
      await dropGarbage(before, head);
      return { head, manifest };
    },
  };

  /** Blobs of commits that left HEAD.retained in the swap just made. A failure leaves garbage, never a hole. */
  async function dropGarbage(before: Head['retained'], head: Head): Promise<void> {
    for (const blob of unreferencedBlobs(before, head.retained)) {
      if (head.quarantined.length > 0 && before.some((commit) => head.quarantined.includes(commit.manifest) && commit.blobs.some((b) => b.key === blob.key))) continue;
      deleted.add(blob.key);
      good.delete(blob.key);
      try {
        await store.delete(blob.key);
      } catch (error) {
        deps.log.warn({ key: blob.key, error: error instanceof Error ? error.message : String(error) }, 'a dropped blob could not be deleted');
      }
    }
  }
}

function previousRef(head: Head, previous: Manifest | null): Manifest['prev'] {
  if (!previous) return null;
  const commit = head.retained.find((retained) => retained.id === previous.id);
  return commit ? { id: commit.id, manifest: commit.manifest, manifest_sha256: commit.manifest_sha256 } : null;
}
