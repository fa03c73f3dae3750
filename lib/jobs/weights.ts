// Where a job's weights are, and their bytes in pieces: so many at a time that a reader who stops reading holds up one piece.
import type { BlobRef, Head, RetainedCommit } from '../contract/records.js';
import { AppError, isAppError } from '../errors.js';
import type { Store } from '../store/index.js';
import type { Hold } from './holding.js';

const PIECE_BYTES = 4 << 20;

/**
 * The weights of a checkpoint, or of the result: their moving average where the job keeps one, unless the raw ones are asked for.
 * @throws AppError not_found (no such checkpoint is retained), not_ready (no result yet, and no checkpoint named), invalid_request (an average that is not kept)
 */
export function weightsOf(head: Head, checkpoint: string | null, which: 'ema' | 'raw' | null = null): BlobRef {
  const commit = checkpoint === null ? resultCommit(head) : head.retained.find(({ id }) => id === checkpoint);
  if (!commit) throw new AppError('not_found', `checkpoint ${checkpoint} is not among the retained ones`, { param: 'checkpoint' });
  if (which === 'ema' && !blobOf(commit, 'ema')) throw new AppError('invalid_request', 'weights: this job keeps no moving average; ask for raw', { param: 'weights' });
  const blob = which === 'raw' ? blobOf(commit, 'weights') : exportedWeights(commit);
  if (!blob) throw new AppError('not_found', `checkpoint ${commit.id} has no weights`, { param: 'checkpoint' });
  return blob;
}

const blobOf = ({ blobs }: RetainedCommit, wanted: BlobRef['role']): BlobRef | undefined => blobs.find(({ role }) => role === wanted);

/** The moving average where there is one, else the weights as they were trained. */
export const exportedWeights = (commit: RetainedCommit): BlobRef | undefined => blobOf(commit, 'ema') ?? blobOf(commit, 'weights');

/** The checkpoint of this id; without one the result's, or the latest while there is none. */
export function commitOf(head: Head, checkpoint: string | null): RetainedCommit | undefined {
  return checkpoint === null ? (finalCommit(head) ?? head.retained.at(-1)) : head.retained.find(({ id }) => id === checkpoint);
}

function finalCommit(head: Head): RetainedCommit | undefined {
  const sha256 = head.state === 'succeeded' ? head.result?.weights_sha256 : undefined;
  return head.retained.findLast(({ blobs }) => blobs.some((blob) => (blob.role === 'weights' || blob.role === 'ema') && blob.sha256 === sha256));
}

function resultCommit(head: Head): RetainedCommit {
  const final = finalCommit(head);
  if (final) return final;
  const over = head.finished_at !== null;
  throw new AppError('not_ready', over ? `the job is over (${head.state}) and has no result; name a checkpoint to get its weights` : 'the job has not ended; name a checkpoint to get its weights');
}

/**
 * The bytes from `start` to `end`, both included.
 * @param options.hold keeps the checkpoint there while more than one piece of it is read; null where nothing would drop it
 * @throws AppError not_found (it was dropped before the first), checkpoint_corrupt where they are not there, store_unavailable
 */
export async function* readPieces(store: Pick<Store, 'get'>, blob: BlobRef, start: number, end: number, { hold = null, signal, pieceBytes = PIECE_BYTES }: { hold?: Hold | null; signal?: AbortSignal; pieceBytes?: number } = {}): AsyncGenerator<Buffer, void, void> {
  for (let at = start; at <= end; at += pieceBytes) {
    if (end - start >= pieceBytes) await hold?.keep();
    const range = { start: at, end: Math.min(end, at + pieceBytes - 1) };
    const stored = await store.get(blob.key, { range, ...(signal ? { signal } : {}) }).catch((error: unknown) => {
      if (isAppError(error, 'range_not_satisfiable')) return null;
      throw error;
    });
    if (!stored || stored.body.length !== range.end - range.start + 1) throw new AppError('checkpoint_corrupt', `${blob.key} is not there, or shorter than ${blob.bytes} bytes`);
    yield stored.body;
  }
}
