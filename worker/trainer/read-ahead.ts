// Batches from files, read before they are asked for: while the trainer's thread computes a block, the system's threads read
// what the cursor leads to next. Which batch is where is decided elsewhere; here is only which ones are under way, and that
// they never take more memory than they may.
import type { GatheredBatch } from '../../lib/data/batches.js';
import type { DataFile } from '../../lib/data/source.js';
import type { PendingBatch } from '../../lib/data/streamed-batches.js';
import type { Course } from '../../lib/training/course.js';
import { afterStep, planStep } from '../../lib/training/cursor.js';
import type { Cursor } from '../../lib/training/state.js';

/** Where a batch stands in a training. */
export type Place = { kind: 'training'; /** before a micro-batch */ cursor: Cursor } | { kind: 'validation'; index: number };

export interface ReadAhead {
  /** The batches at these places, in their order; then the reads of those that come next are started. Errors of the batches. */
  gather(places: readonly Place[]): Promise<GatheredBatch[]>;
  figures(): ReadFigures | null;
}

export interface ReadFigures {
  /** Raw values of batches that were begun and not handed over: now, and at most so far. */
  heldBytes: number;
  peakHeldBytes: number;
  /** Batches whose reads were started, and those of them that nobody wanted any more: after a jump of the cursor. */
  begun: number;
  dropped: number;
  /** Bytes that were read of the files, headers and labels that are in memory aside. */
  readBytes: number;
  /** Milliseconds in which batches were asked for and not there yet. */
  waitMs: number;
}

export interface ReadAheadOptions {
  course: Course;
  validationCount: number;
  /** What batches that nobody asked for yet may take. One is read ahead in any case. */
  aheadBytes: number;
  /** That the batches are read from. */
  files: readonly DataFile[];
  /** What the raw values of a batch take. */
  bytesOf(place: Place): number;
  /** Starts the reads of a batch. */
  begin(place: Place): PendingBatch;
}

/** Batches kept ready: twice what the last block had, so that a longer one finds all of its own, and at least this. */
const MIN_AHEAD = 4;
/** Every sample may be a read of its own, which costs memory until it is done. */
const MAX_AHEAD_SAMPLES = 8192;

export function makeReadAhead({ course, validationCount, aheadBytes, files, bytesOf, begin }: ReadAheadOptions): ReadAhead {
  /** Begun, and not asked for yet. */
  const waiting = new Map<string, PendingBatch>();
  const figures: ReadFigures = { heldBytes: 0, peakHeldBytes: 0, begun: 0, dropped: 0, readBytes: 0, waitMs: 0 };
  /** After the last micro-batch that was asked for; null before. */
  let standing: Cursor | null = null;
  let wanted = MIN_AHEAD;

  function start(place: Place): PendingBatch {
    const batch = begin(place);
    figures.begun += 1;
    figures.heldBytes += batch.rawBytes;
    figures.peakHeldBytes = Math.max(figures.peakHeldBytes, figures.heldBytes);
    return batch;
  }

  /** Its memory is free when its last read has ended, wanted or not. */
  function release(batch: PendingBatch): void {
    figures.heldBytes -= batch.rawBytes;
    batch.release();
  }
  const releaseLater = (batch: PendingBatch): Promise<void> => batch.ready.catch(() => undefined).then(() => release(batch));

  /** What follows a place, as far as it is known. */
  function* following(place: Place): Generator<Place, void> {
    if (place.kind === 'training') return yield* placesFrom(standing!, 0);
    const end = standing === null ? null : endOfEpoch(standing, course);
    if (end !== null) return yield* placesFrom(end, place.index + 1);
    for (let index = place.index + 1; index < validationCount; index++) yield { kind: 'validation', index };
  }

  function* placesFrom(cursor: Cursor, firstValidation: number): Generator<Place, void> {
    for (let index = firstValidation; ; index = 0) {
      const step = planStep(cursor, course);
      if (step === 'finished') return;
      if (step === 'micro_batch') yield { kind: 'training', cursor };
      if (step === 'end_epoch') for (; index < validationCount; index++) yield { kind: 'validation', index };
      cursor = afterStep(cursor, step, course);
    }
  }

  /** Starts the reads of what follows a place, and drops what does not. */
  function readOn(place: Place): void {
    const limit = Math.max(1, Math.min(wanted, Math.floor(MAX_AHEAD_SAMPLES / course.batchSize)));
    const next: Place[] = [];
    for (const follower of following(place)) {
      next.push(follower);
      if (next.length === limit) break;
    }
    const keys = new Set(next.map(keyOf));
    for (const [key, batch] of waiting) {
      if (keys.has(key)) continue;
      waiting.delete(key);
      figures.dropped += 1;
      void releaseLater(batch);
    }
    for (const follower of next) {
      const key = keyOf(follower);
      if (waiting.has(key)) continue;
      // a dropped batch counts until its last read has ended
      if (figures.heldBytes + bytesOf(follower) > aheadBytes && waiting.size > 0) break;
      waiting.set(key, start(follower));
    }
  }

  return {
    async gather(places) {
      const asked = places.map((place) => {
        const key = keyOf(place);
        const early = waiting.get(key);
        waiting.delete(key);
        return early ?? start(place);
      });
      const gathered: GatheredBatch[] = [];
      try {
        for (const batch of asked) {
          const askedMs = performance.now();
          await batch.ready;
          figures.waitMs += performance.now() - askedMs;
          gathered.push(batch.gather());
        }
      } finally {
        for (const [index, batch] of asked.entries()) {
          if (index < gathered.length) release(batch);
          else void releaseLater(batch);
        }
      }
      const last = places.at(-1);
      if (last === undefined) return gathered;
      if (last.kind === 'training') {
        standing = afterStep(last.cursor, 'micro_batch', course);
        wanted = Math.max(MIN_AHEAD, 2 * places.length);
      }
      readOn(last);
      return gathered;
    },
    figures: () => ({ ...figures, readBytes: files.reduce((bytes, file) => bytes + file.readBytes, 0) }),
  };
}

const keyOf = (place: Place): string => (place.kind === 'training' ? `${place.cursor.epoch}:${place.cursor.position}` : `validation ${place.index}`);

/** Where an epoch's validation is due, if nothing but the window's end lies before it. */
function endOfEpoch(cursor: Cursor, course: Course): Cursor | null {
  const step = planStep(cursor, course);
  if (step === 'update' || step === 'skip_window' || step === 'drop_window') return endOfEpoch(afterStep(cursor, step, course), course);
  return step === 'end_epoch' ? cursor : null;
}
