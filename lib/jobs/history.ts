// A job's rows and events in the store: appended by its commits, read by whoever asks. How they are cut is in
// checkpoints/segments.ts; here they are written and read, one segment at a time, so that no reader and no commit holds more
// than a few of them, however long the job is. What is damaged or gone costs its own stretch and nothing else: no state stands
// on it (docs/decisions/0033).
import { areJoined, decodeLines, encodeLines, encodePieces, mergedPlace, parseLines, segmentsToMerge } from '../checkpoints/segments.js';
import type { Manifest, Segment } from '../contract/records.js';
import { AppError, isAppError, messageOf } from '../errors.js';
import { sha256Slowly } from '../sha256.js';
import type { Store } from '../store/index.js';
import { inParallel } from './recent.js';

type Reads = Pick<Store, 'get'>;

/** What arrives damaged may be whole where it lies, and a commit that is given up is lost: so it is read again before it counts as damaged. */
export const READS = 2;
/** Indexes read side by side, each of a mebibyte at most. */
const INDEXES_AT_ONCE = 16;

/** An object of known hash; null where nothing is there. `whole` is false where its bytes are others. @throws AppError store_unavailable */
export async function readHashed(store: Reads, key: string, sha256: string): Promise<{ body: Buffer; whole: boolean } | null> {
  for (let reads = 1; ; reads++) {
    const stored = await store.get(key);
    if (!stored) return null;
    const whole = (await sha256Slowly(stored.body)) === sha256;
    if (whole || reads === READS) return { body: stored.body, whole };
  }
}

/** A segment's lines, verified. @throws AppError checkpoint_corrupt */
export async function readSegment(store: Reads, segment: Segment): Promise<Buffer> {
  const stored = await readHashed(store, segment.key, segment.sha256);
  if (!stored) throw new AppError('checkpoint_corrupt', `segment ${segment.key} is missing`);
  if (stored.body.length !== segment.bytes || !stored.whole) throw new AppError('checkpoint_corrupt', `segment ${segment.key} is damaged`);
  return stored.body;
}

/** Null where it is damaged. @throws AppError store_unavailable */
async function readUnlessDamaged(store: Reads, segment: Segment, onDamaged: OnDamaged): Promise<Buffer | null> {
  try {
    return await readSegment(store, segment);
  } catch (error) {
    if (!isAppError(error, 'checkpoint_corrupt')) throw error;
    onDamaged(segment, messageOf(error));
    return null;
  }
}

/** Looks at all that a manifest names, though not at what is within indexes. @throws AppError store_unavailable; the signal's reason */
export async function lookForDamage(store: Reads, manifest: Pick<Manifest, 'rows' | 'events'>, onDamaged: OnDamaged, signal: AbortSignal): Promise<void> {
  for (const segment of segmentsOf(manifest)) {
    signal.throwIfAborted();
    await readUnlessDamaged(store, segment, onDamaged);
  }
}

/** All that a manifest names. */
export const segmentsOf = ({ rows, events }: Pick<Manifest, 'rows' | 'events'>): Segment[] => [...rows.update, ...rows.epoch, ...events];

// ── reading ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Told of a segment that is damaged or gone, and of what exactly. */
export type OnDamaged = (segment: Segment, what: string) => void;

/** A part of a history, oldest first. */
export interface Stretch {
  segment: Segment;
  /** JSON lines; null where they were not wanted, or are lost. */
  lines: Buffer | null;
  /** What it has is damaged or gone. */
  lost: boolean;
}

export interface StretchesQuery {
  /** Of ids above it. */
  after?: number;
  /** Asked of each segment before it is read: what is not wanted is passed by, with all that is in it. */
  wanted?: (segment: Segment) => boolean;
  /** What is damaged is passed by as lost; without it, it is an error. */
  onDamaged?: OnDamaged | undefined;
}

/** The stretches of segments, each read when its turn comes. @throws AppError checkpoint_corrupt (unless it is to be passed by), store_unavailable */
export async function* readStretches(store: Reads, segments: readonly Segment[], query: StretchesQuery = {}): AsyncGenerator<Stretch, void, void> {
  const { after = -1, wanted = () => true, onDamaged } = query;
  for (const segment of segments) {
    if (segment.last <= after) continue;
    if (!wanted(segment)) {
      yield { segment, lines: null, lost: false };
      continue;
    }
    const lines = onDamaged ? await readUnlessDamaged(store, segment, onDamaged) : await readSegment(store, segment);
    if (lines === null) yield { segment, lines, lost: true };
    else if (segment.index === true) yield* readStretches(store, decodeLines<Segment>(lines), query);
    else yield { segment, lines, lost: false };
  }
}

/** The rows or events of segments one after another. Errors of readStretches. */
export async function* eachIn<T>(store: Reads, segments: readonly Segment[]): AsyncGenerator<T, void, void> {
  for await (const { lines } of readStretches(store, segments)) if (lines) yield* parseLines<T>(lines);
}

/** The same at once, where they are few. Errors of readStretches. */
export async function readSegments<T>(store: Reads, segments: readonly Segment[]): Promise<T[]> {
  const values: T[] = [];
  for await (const value of eachIn<T>(store, segments)) values.push(value);
  return values;
}

/** Segments with those that their indexes name, but for what is in a segment that `known` has. @throws AppError checkpoint_corrupt, store_unavailable */
export async function* segmentsWithin(store: Reads, segments: readonly Segment[], known: (segment: Segment) => boolean): AsyncGenerator<Segment, void, void> {
  const fresh = segments.filter((segment) => !known(segment));
  const named = await inParallel(fresh, INDEXES_AT_ONCE, async (segment) => (segment.index === true ? decodeLines<Segment>(await readSegment(store, segment)) : []));
  for (const [index, segment] of fresh.entries()) {
    yield* segmentsWithin(store, named[index] ?? [], known);
    // Once it is known, so is what it names.
    yield segment;
  }
}

// ── appending ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Where a commit's segments go. */
export interface HistoryTarget {
  store: Reads;
  nameOf(sha256: string): string;
  put(key: string, body: Buffer): Promise<void>;
  /** It is left as it is, for readers to pass by. */
  onDamaged: OnDamaged;
}

/** Segments with `values` behind them, and what has become too many made one. Errors of the store. */
export async function appendTo<T>(target: HistoryTarget, segments: readonly Segment[], values: readonly T[], idOf: (value: T) => number): Promise<Segment[]> {
  /** Made here and not written yet: what is joined at once need not be. */
  const unwritten = new Map<Segment, Buffer>();

  async function make(body: Buffer, place: Pick<Segment, 'first' | 'last' | 'count' | 'level' | 'index'>): Promise<Segment> {
    const sha256 = await sha256Slowly(body);
    const segment: Segment = { key: target.nameOf(sha256), bytes: body.length, sha256, ...place };
    unwritten.set(segment, body);
    return segment;
  }
  async function write(segment: Segment): Promise<void> {
    const body = unwritten.get(segment);
    if (body) await target.put(segment.key, body);
    unwritten.delete(segment);
  }
  /** The lines of all of them; null where that is too much, or where some are lost. */
  async function joined(merging: readonly Segment[]): Promise<Buffer | null> {
    if (!areJoined(merging)) return null;
    const bodies: Buffer[] = [];
    for (const segment of merging) {
      const body = unwritten.get(segment) ?? (await readUnlessDamaged(target.store, segment, target.onDamaged));
      if (body === null) return null;
      bodies.push(body);
    }
    return Buffer.concat(bodies);
  }
  async function merge(merging: readonly Segment[]): Promise<Segment> {
    const body = await joined(merging);
    if (body === null) {
      for (const segment of merging) await write(segment);
      return make(encodeLines(merging), { ...mergedPlace(merging), index: true });
    }
    for (const segment of merging) unwritten.delete(segment);
    return make(body, mergedPlace(merging));
  }

  let all = [...segments];
  for (const { body, from, to } of encodePieces(values)) {
    all.push(await make(body, { first: idOf(values[from]!), last: idOf(values[to - 1]!), count: to - from, level: 0 }));
    for (let merging = segmentsToMerge(all); merging.length > 0; merging = segmentsToMerge(all)) all = [...all.slice(0, -merging.length), await merge(merging)];
  }
  for (const segment of all) await write(segment);
  return all;
}
