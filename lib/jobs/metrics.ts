// A job's rows: those that its latest commit covers, from the store, then those that its owner has reported since, from Redis.
// Redis' rows are used only where they go on without a hole: what is missing before them comes with the next commit.
import type { Head, JobRecord, Segment } from '../contract/records.js';
import { parseLines } from '../checkpoints/segments.js';
import { isAppError } from '../errors.js';
import type { Rows, RowSeries, SeriesName } from '../queue/index.js';
import type { Store } from '../store/index.js';
import type { Manifests } from './committed-progress.js';
import { type OnDamaged, readStretches } from './history.js';

export interface MetricsDeps {
  store: Pick<Store, 'get'>;
  rows: Pick<Rows, 'list'>;
  manifests: Manifests;
  /** What is damaged is passed by; without it, it is an error (checkpoint_corrupt). */
  onDamaged?: OnDamaged;
}

export interface RowsQuery<S extends SeriesName> {
  series: S;
  /** Rows after this update or epoch; -1 for all. */
  after: number;
  /** Rows looked at, from there on. */
  limit: number;
  /** Of those, at most so many, evenly spread, the last one always among them. */
  maxPoints: number;
}

export interface RowPage<S extends SeriesName> {
  rows: RowSeries[S][];
  hasMore: boolean;
}

/** What a live read takes: more uncommitted rows than this are read on the next page. */
const LIVE_MAX = 10_000;

export async function readRows<S extends SeriesName>(deps: MetricsDeps, record: JobRecord, head: Head, query: RowsQuery<S>): Promise<RowPage<S>> {
  const { series, after, limit, maxPoints } = query;
  const manifest = await deps.manifests.latest(record.id, head);
  const segments = (manifest?.rows[series] ?? []).filter((segment) => segment.last > after);
  const committed = manifest?.rows[series].at(-1)?.last ?? null;
  const live = await liveRows(deps.rows, record, head, series, committed, Math.max(after, committed ?? -1), Math.min(limit + 1, LIVE_MAX));

  // How many there are is known before they are read: a page reads what it gives, and a curve the segments that have a point of it.
  let there = countAfter(segments, after) + live.length;
  let points = pointsOf(Math.min(limit, there), maxPoints);
  const rows: RowSeries[S][] = [];
  let at = 0;
  const wanted = (segment: Segment): boolean => points.anyIn(at, at + countAfter([segment], after));
  for await (const { segment, lines, lost } of readStretches(deps.store, segments, { after, wanted, onDamaged: deps.onDamaged })) {
    const count = countAfter([segment], after);
    if (lost) {
      // As if they had never been: a page of nothing would have no end to go on from.
      there -= count;
      points = pointsOf(Math.min(limit, there), maxPoints);
      continue;
    }
    const first = at - (segment.count - count);
    if (lines) for (const row of parseLines<RowSeries[S]>(lines, (line) => first + line >= at && points.has(first + line))) rows.push(row);
    at += count;
    if (at >= Math.min(limit, there)) break;
  }
  for (const row of live) if (points.has(at++)) rows.push(row);
  return { rows, hasMore: there > limit };
}

/** The number that orders a series and that pages go by. */
export function numberOf<S extends SeriesName>(series: S, row: RowSeries[S]): number {
  return series === 'update' ? (row as RowSeries['update']).update : (row as RowSeries['epoch']).epoch;
}

/** Rows are numbered without holes. */
function countAfter(segments: readonly Segment[], after: number): number {
  return segments.reduce((sum, segment) => sum + Math.min(segment.count, Math.max(0, segment.last - Math.max(after, segment.first - 1))), 0);
}

interface Points {
  has(at: number): boolean;
  /** Whether one lies from `from` on and before `to`. */
  anyIn(from: number, to: number): boolean;
}

/** Of `total` rows every n-th, and the last one: at most `most`. */
function pointsOf(total: number, most: number): Points {
  const step = total <= most ? 1 : most === 1 ? Infinity : Math.ceil(total / (most - 1));
  const has = (at: number): boolean => at < total && (at === total - 1 || (most > 1 && at % step === 0));
  return { has, anyIn: (from, to) => from < Math.min(to, total) && (to >= total || has(from) || (most > 1 && Math.ceil(from / step) * step < to)) };
}

/** Rows beyond the commit, of a job that somebody owns: without an owner they belong to nobody's state, and will be redone. */
async function liveRows<S extends SeriesName>(rows: Pick<Rows, 'list'>, { id: job, spec }: JobRecord, head: Head, series: S, committed: number | null, after: number, limit: number): Promise<RowSeries[S][]> {
  if (head.owner === null) return [];
  try {
    const { rows: found } = await rows.list(job, series, { after, limit });
    const kept: RowSeries[S][] = [];
    for (const row of found) {
      const number = numberOf(series, row);
      const before = kept.length > 0 ? numberOf(series, kept.at(-1) as RowSeries[S]) : after;
      // The first row of a job has the number 0 or 1, unless it goes on from another one's state.
      const first = kept.length === 0 && committed === null && after < 0;
      if (first && beginsElsewhere(spec)) {
        kept.push(row);
        continue;
      }
      if (first ? number > 1 : number !== before + 1) break;
      kept.push(row);
    }
    return kept;
  } catch (error) {
    if (isAppError(error, 'queue_unavailable')) return [];
    throw error;
  }
}

const beginsElsewhere = ({ model: { init } }: JobRecord['spec']): boolean => init !== null && 'job' in init && init.include === 'state';
