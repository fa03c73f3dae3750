import { expect, it } from 'vitest';
import type { Fire } from '../../../lib/contract/schedule.js';
import { earlyProblems } from '../../chaos/run/invariants/fires.js';

const NOMINAL = '2026-05-01T12:00:00.000Z';
const fire = (part: Partial<Fire> = {}): Fire => ({ cause: 'schedule', outcome: 'started', nominal_time: NOMINAL, run: { kind: 'job', id: 'job_a' }, ...part }) as Fire;
const storedAt = (seconds: number): Map<string, number> => new Map([['job_a', Date.parse(NOMINAL) + seconds * 1_000]]);

it('a job is there at its time, or later', () => {
  for (const seconds of [-5, 0, 3_600]) expect(earlyProblems([fire()], storedAt(seconds))).toEqual([]);
  expect(earlyProblems([fire({ cause: 'trigger' }), fire({ outcome: 'skipped', run: null })], storedAt(-3_600)), 'what a user asks for has no time').toEqual([]);
});

it('one that was started before its time, or is not there, is caught', () => {
  expect(earlyProblems([fire()], storedAt(-3_600))).toEqual([`job_a was started 3600 s before its time, ${NOMINAL}`]);
  expect(earlyProblems([fire()], new Map())[0]).toContain('is not there');
});
