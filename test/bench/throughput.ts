// Samples a second of a job, from its update rows alone. Pure.
import type { UpdateRow } from '../../lib/contract/rows.js';

type Row = Pick<UpdateRow, 'samples' | 'wall_time'>;

export interface Throughput {
  samplesPerSecond: number;
  /** What was counted. */
  seconds: number;
  updates: number;
}

/**
 * Between the first row that comes at least `warmup` seconds after the very first one, and the last. All zero if there are
 * not two such rows.
 */
export function throughputOf(rows: readonly Row[], warmup: number): Throughput {
  const first = rows[0];
  const from = first === undefined ? -1 : rows.findIndex((row) => row.wall_time - first.wall_time >= warmup);
  const counted = from < 0 ? [] : rows.slice(from + 1);
  const seconds = counted.length === 0 ? 0 : counted.at(-1)!.wall_time - rows[from]!.wall_time;
  const samples = counted.reduce((sum, row) => sum + row.samples, 0);
  return seconds > 0 ? { samplesPerSecond: samples / seconds, seconds, updates: counted.length } : { samplesPerSecond: 0, seconds: 0, updates: 0 };
}

/** Updates a second over the later half of what was seen: the first ones are slower. */
export function updateRate(rows: readonly Row[]): number {
  const half = rows.slice(rows.length >> 1);
  const seconds = half.length < 2 ? 0 : half.at(-1)!.wall_time - half[0]!.wall_time;
  if (!(seconds > 0)) throw new Error(`${rows.length} rows do not tell a speed`);
  return (half.length - 1) / seconds;
}
