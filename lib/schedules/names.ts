// Keys and ids of schedules and their fires. Pure.
//
//   schedules/<id>/HEAD            the schedule: the one place that decides
//   fires/<id>/<fire id>.json      what became of a nominal time, written once; apart, so that a list of schedules stays short
import { createHash } from 'node:crypto';
import { encodeTime } from 'ulid';
import type { FireCause, RunReference } from '../contract/schedule.js';
import { AppError } from '../errors.js';

export const SCHEDULES_PREFIX = 'schedules/';
export const scheduleKey = (schedule: string) => `${SCHEDULES_PREFIX}${schedule}/HEAD`;
export const firesPrefix = (schedule: string) => `fires/${schedule}/`;
export const fireKey = (schedule: string, fire: string) => `${firesPrefix(schedule)}${fire}.json`;

/** The schedule of a HEAD's key; null for any other key. */
export const parseScheduleKey = (key: string): string | null => /^schedules\/(sch_[0-9a-z]{26})\/HEAD$/.exec(key)?.[1] ?? null;

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
/** A time and 80 bits, as in a ULID: byte order is the order of the times. */
const ulidOf = (ms: number, ...hashed: unknown[]): string => {
  const digest = createHash('sha256').update(JSON.stringify(hashed)).digest();
  return `${encodeTime(ms, 10).toLowerCase()}${Array.from({ length: 16 }, (_, index) => ALPHABET[digest[index]! & 31]).join('')}`;
};

/** One id for a nominal time of a schedule, whoever computes it. What users ask for at that time is another fire each time that they ask. */
export const fireIdOf = (schedule: string, nominalMs: number, cause: FireCause, askedMs: number | null = null): string => `fire_${ulidOf(nominalMs, schedule, nominalMs, cause, askedMs)}`;

/** One id for what a fire starts; its time is that of the decision, because lists are in the order of ids. */
export const runOf = (fire: string, kind: RunReference['kind'], decidedMs: number): RunReference => ({ kind, id: `${{ job: 'job', sweep: 'swp' }[kind]}_${ulidOf(decidedMs, fire, kind)}` });

export const isScheduleId = (text: string): boolean => /^sch_[0-9a-hjkmnp-tv-z]{26}$/.test(text);

/** @throws AppError not_found for anything that is no schedule id: such a text never becomes part of a key */
export function asScheduleId(text: string): string {
  if (!isScheduleId(text)) throw new AppError('not_found', `no schedule ${JSON.stringify(text.slice(0, 64))}`, { param: 'id' });
  return text;
}
