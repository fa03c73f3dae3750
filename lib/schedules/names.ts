// Keys and ids of schedules and their fires. Pure.
//
//   schedules/<id>/HEAD            the schedule: the one place that decides
//   fires/<id>/<fire id>.json      what became of a nominal time, written once; apart, so that a list of schedules stays short
//   scheduled/<id>/<run id>        a job or sweep that it started, or a job of such a sweep; for lists, and for good
import type { FireCause, RunReference } from '../contract/schedule.js';
import { derivedUlid } from '../derived-id.js';
import { AppError } from '../errors.js';

export const SCHEDULES_PREFIX = 'schedules/';
export const scheduleKey = (schedule: string) => `${SCHEDULES_PREFIX}${schedule}/HEAD`;
export const firesPrefix = (schedule: string) => `fires/${schedule}/`;
export const fireKey = (schedule: string, fire: string) => `${firesPrefix(schedule)}${fire}.json`;
export const startedPrefix = (schedule: string) => `scheduled/${schedule}/`;
export const startedKey = (schedule: string, run: string) => `${startedPrefix(schedule)}${run}`;

/** The schedule of a HEAD's key; null for any other key. */
export const parseScheduleKey = (key: string): string | null => /^schedules\/(sch_[0-9a-z]{26})\/HEAD$/.exec(key)?.[1] ?? null;

const idFrom = (ms: number, ...hashed: unknown[]): string => derivedUlid(ms, JSON.stringify(hashed));

/** One id for a nominal time of a schedule, whoever computes it. What users ask for at that time is another fire each time that they ask. */
export const fireIdOf = (schedule: string, nominalMs: number, cause: FireCause, askedBy: string | null = null): string => `fire_${idFrom(nominalMs, schedule, nominalMs, cause, askedBy)}`;

/** One id for what a fire starts; its time is that of the decision, because lists are in the order of ids. */
export const runOf = (fire: string, kind: RunReference['kind'], decidedMs: number): RunReference => ({ kind, id: `${{ job: 'job', sweep: 'swp' }[kind]}_${idFrom(decidedMs, fire, kind)}` });

export const isScheduleId = (text: string): boolean => /^sch_[0-9a-hjkmnp-tv-z]{26}$/.test(text);

/** @throws AppError not_found for anything that is no schedule id: such a text never becomes part of a key */
export function asScheduleId(text: string): string {
  if (!isScheduleId(text)) throw new AppError('not_found', `no schedule ${JSON.stringify(text.slice(0, 64))}`, { param: 'id' });
  return text;
}
