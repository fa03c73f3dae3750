// One commit: blobs, then the manifest, then the swap of HEAD, then the garbage of what retention dropped.
// The protocol is told in head.ts; this file does its steps for a claim and knows nothing of training.
import type { Clock } from '../clock.js';
import { encodeLines, decodeLines, mergedLevel, segmentsToMerge } from '../checkpoints/segments.js';
import { unreferencedBlobs } from '../checkpoints/retention.js';
import type { BlobRef, Head, Inputs, JobResult, Manifest, Segment } from '../contract/records.js';
import type { EpochRow, JobEvent, UpdateRow } from '../contract/rows.js';
import { AppError } from '../errors.js';
import { sha256Of, sha256Slowly } from '../sha256.js';
import type { Store } from '../store/index.js';
import { untilAnswered } from '../store/patience.js';
import type { KeepBestSpec } from '../contract/spec.js';
import type { StateCounters } from '../training/state.js';
import type { Claim } from './head.js';
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
  read: (() => Promise<Buffer>) | null;
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

  async function putBlob(role: BlobRef['role'], body: Buffer, sha256: string, taken: ReadonlySet<string>): Promise<BlobRef> {
    const key = freshKey(sha256, taken);
    await untilAnswered(clock, () => store.put(key, body));
    good.add(key);
    return { role, key, bytes: body.length, sha256 };
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
      const sha256 = await sha256Slowly(body);
      const copy = copies.find((blob) => blob.sha256 === sha256 && blob.bytes === body.length);
      if (copy) {
        refs.push({ ...copy, role });
        continue;
      }
      refs.push(await putBlob(role, body, sha256, taken));
      bytesWritten += body.length;
    }
    return { refs, bytesWritten };
  }

  async function addSegment(segments: readonly Segment[], values: readonly unknown[], idOf: (value: never) => number): Promise<Segment[]> {
    if (values.length === 0) return [...segments];
    const ids = values.map((value) => idOf(value as never));
    const body = encodeLines(values);
    const ref = await putBlob('state', body, await sha256Slowly(body), NOTHING);
    const added: Segment = { key: ref.key, bytes: ref.bytes, sha256: ref.sha256, first: ids[0]!, last: ids.at(-1)!, count: values.length, level: 0 };
    const all = [...segments, added];
    const merging = segmentsToMerge(all);
    if (merging.length === 0) return all;
    const bodies: Buffer[] = [];
    for (const segment of merging) bodies.push(segment === added ? body : await readSegment(store, segment));
    const merged = Buffer.concat(bodies);
    const mergedRef = await putBlob('state', merged, await sha256Slowly(merged), NOTHING);
    return [
      ...all.slice(0, all.length - merging.length),
      { key: mergedRef.key, bytes: mergedRef.bytes, sha256: mergedRef.sha256, first: merging[0]!.first, last: merging.at(-1)!.last, count: merging.reduce((n, s) => n + s.count, 0), level: mergedLevel(merging) },
    ];
  }

  return {
    commit: async (request) => {
      const { refs: blobs, bytesWritten } = await putState(request.blobs, request.state);
      const events = [...claim.head().events, ...request.events].sort((a, b) => a.id - b.id);
      const update = await addSegment(previous?.rows.update ?? [], request.updateRows, (row: UpdateRow) => row.update);
      const epoch = await addSegment(previous?.rows.epoch ?? [], request.epochRows, (row: EpochRow) => row.epoch);
      const eventSegments = await addSegment(previous?.events ?? [], events, (event: JobEvent) => event.id);

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

/** What arrives damaged may be whole where it lies, and a commit that is given up is lost: so it is read again before it counts as damaged. */
const READS = 2;

/** An object of known hash; null where nothing is there. `whole` is false where its bytes are others. @throws AppError store_unavailable */
export async function readHashed(store: Pick<Store, 'get'>, key: string, sha256: string): Promise<{ body: Buffer; whole: boolean } | null> {
  for (let reads = 1; ; reads++) {
    const stored = await store.get(key);
    if (!stored) return null;
    const whole = (await sha256Slowly(stored.body)) === sha256;
    if (whole || reads === READS) return { body: stored.body, whole };
  }
}

/** A segment's lines, verified. @throws AppError checkpoint_corrupt */
export async function readSegment(store: Pick<Store, 'get'>, segment: Segment): Promise<Buffer> {
  const stored = await readHashed(store, segment.key, segment.sha256);
  if (!stored) throw new AppError('checkpoint_corrupt', `segment ${segment.key} is missing`);
  if (stored.body.length !== segment.bytes || !stored.whole) throw new AppError('checkpoint_corrupt', `segment ${segment.key} is damaged`);
  return stored.body;
}

/** The rows or events of segments, in order, only those whose ids can be above `after`. */
export async function readSegments<T>(store: Pick<Store, 'get'>, segments: readonly Segment[], after = -1): Promise<T[]> {
  const values: T[] = [];
  for (const segment of segments) if (segment.last > after) values.push(...decodeLines<T>(await readSegment(store, segment)));
  return values;
}
