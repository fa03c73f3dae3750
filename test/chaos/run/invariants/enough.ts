// Enough: a run in which nothing happened, or nothing was judged, proves nothing. Where enough was planned, every kind of strike met
// somebody, every invariant had something to judge, and what starts by itself did. Pure.
import { KINDS } from '../kinds.js';
import type { Report } from '../report.js';

/** A strike may miss: its worker is away, no request comes by. Of one that misses every other time so many in a row are 1 in 256. */
const PLANNED = 8;
/** Two fires at least; the first one finds nothing running. */
const FIRES_MINUTES = 0.5;

/** Attempts from which on so many must have been judged for waste. Replayed plans leave three quarters of a folder's undisturbed and a third of those on S3, of long runs. */
const FEW_ATTEMPTS = 20;
const MANY_ATTEMPTS = 60;
const LEAST_SHARE = { file: 1 / 4, s3: 1 / 10 };
/** At a faster pace strikes may leave no attempt undisturbed. */
const PACE_MS = 2_000;

export type Achieved = Pick<Report, 'strikes' | 'started_by_itself' | 'waste' | 'store' | 'minutes'>;

export function enoughProblems({ strikes, started_by_itself: byItself, waste, store, minutes }: Achieved, everyMs: number): string[] {
  const problems = neverStruck(strikes);
  if (byItself) {
    if (byItself.sweeps === 0 || byItself.trials === 0) problems.push('no sweep was seen to its end');
    if (minutes >= FIRES_MINUTES && (byItself.fires === 0 || byItself.scheduled_jobs === 0)) problems.push(`a schedule had ${byItself.fires} fires, and ${byItself.scheduled_jobs} jobs of them`);
  }
  const attempts = waste.judged + Object.values(waste.exempt).reduce((sum, count) => sum + count, 0);
  const least = leastJudged(store === 's3' ? 's3' : 'file', everyMs, attempts);
  if (waste.judged < least) problems.push(`of ${attempts} attempts ${waste.judged} were judged for waste, fewer than ${least}`);
  return problems;
}

/** By kind, and by what they hit: in a short run no kind is planned often. */
export function neverStruck(strikes: Report['strikes']): string[] {
  const groups = new Map<string, { planned: number; struck: number }>();
  for (const { kind, planned, struck } of strikes) {
    for (const name of [kind, `anything that hits ${KINDS[kind].aim}`]) {
      const before = groups.get(name) ?? { planned: 0, struck: 0 };
      groups.set(name, { planned: before.planned + planned, struck: before.struck + struck });
    }
  }
  return [...groups].flatMap(([name, { planned, struck }]) => (planned >= PLANNED && struck === 0 ? [`${name} was tried ${planned} times and never struck`] : []));
}

function leastJudged(store: 'file' | 's3', everyMs: number, attempts: number): number {
  if (everyMs < PACE_MS || attempts < FEW_ATTEMPTS) return 0;
  // A few attempts on S3 may all lie where it is struck.
  if (store === 's3' && attempts < MANY_ATTEMPTS) return 1;
  return Math.ceil(LEAST_SHARE[store] * attempts);
}
