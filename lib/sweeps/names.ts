// Every key that a sweep has in the store, and the ids of what it makes. Pure.
//
//   open-sweeps/<id>                 wants attention: what controllers list
//   newest-sweeps/<mirrored id>      every sweep, open or over; its id is a time, mirrored so that the store lists the newest first
//   sweeps/<id>/sweep.json           the resolved spec; its existence is the acknowledgement
//   sweeps/<id>/log/<n>.json         what was seen and decided, in order; each created once
//   sweeps/<id>/states/<n>.json      what the log makes of the sweep up to that entry; derived, for those who begin in the middle
import { derivedUlid, ULID_ALPHABET } from '../derived-id.js';

const padded = (n: number): string => String(n).padStart(10, '0');

export const OPEN_SWEEPS_PREFIX = 'open-sweeps/';
export const openSweepKey = (sweep: string): string => `${OPEN_SWEEPS_PREFIX}${sweep}`;
export const sweepKey = (sweep: string): string => `sweeps/${sweep}/sweep.json`;
export const logPrefix = (sweep: string): string => `sweeps/${sweep}/log/`;
export const logKey = (sweep: string, n: number): string => `${logPrefix(sweep)}${padded(n)}.json`;
export const statesPrefix = (sweep: string): string => `sweeps/${sweep}/states/`;
export const stateKey = (sweep: string, n: number): string => `${statesPrefix(sweep)}${padded(n)}.json`;

export const NEWEST_SWEEPS_PREFIX = 'newest-sweeps/';
/** Its own inverse: each character becomes the one as far from the other end. */
const mirrored = (ulid: string): string => Array.from(ulid, (character) => ULID_ALPHABET[ULID_ALPHABET.length - 1 - ULID_ALPHABET.indexOf(character)]).join('');
export const newestSweepKey = (sweep: string): string => `${NEWEST_SWEEPS_PREFIX}${mirrored(sweep.slice('swp_'.length))}`;
/** The sweep of such a key. */
export const sweepOfNewest = (key: string): string => `swp_${mirrored(key.slice(NEWEST_SWEEPS_PREFIX.length))}`;

const SWEEP_ID = /^swp_[0-9a-hjkmnp-tv-z]{26}$/;
export const isSweepId = (text: string): boolean => SWEEP_ID.test(text);

/** A trial's number as text, which may be any; null where it is none. */
export const parseTrialNumber = (text: string): number | null => (/^(0|[1-9]\d{0,8})$/.test(text) ? Number(text) : null);
export const trialId = (sweep: string, trial: number): string => `${sweep}.${trial}`;

/** A trial's job: the same whoever submits it, and in the order of jobs where its beginning puts it. */
export const trialJob = (sweep: string, trial: { number: number; started_at: string }): string => `job_${derivedUlid(Date.parse(trial.started_at), trialId(sweep, trial.number))}`;
