// After a crash a job's next ticket is left to another worker for a moment, if there is one, and never for long.
import { expect, test } from 'vitest';
import type { Head, StatusReason } from '../../../lib/contract/records.js';
import { emptyHead } from '../../../lib/jobs/lifecycle.js';
import type { ListedWorker } from '../../../lib/queue/index.js';
import type { AttemptOutcome } from '../../../worker/supervisor/session.js';
import { makeYielding } from '../../../worker/supervisor/yielding.js';

const JOB = 'job_1';
const listed = (id: string, part: Partial<ListedWorker> = {}): ListedWorker => ({ id, engine: null, device: null, slots: 1, jobs: [], draining: false, uncommitted_seconds: 0, youngest_seconds: null, started_at: '', host: '', machine: '', pid: 1, version: '', silentMs: 100, ...part });
const ended = (reason: StatusReason | null, part: Partial<Head> = {}): AttemptOutcome => ({ kind: 'ended', executed: 0, wasted: 0, scheduled: false, head: { ...emptyHead(), fence: 3, reason, ...part } });
const next = { job: JOB, gen: 0, fence: 3 };

function world(others: ListedWorker[] | 'away') {
  const time = { ms: 0 };
  let asked = 0;
  const list = (): Promise<ListedWorker[]> => {
    asked++;
    return others === 'away' ? Promise.reject(new Error('away')) : Promise.resolve([listed('wrk_me', { slots: 9 }), ...others]);
  };
  return { time, yielding: makeYielding({ worker: 'wrk_me', list, clock: { monotonicMs: () => time.ms } }), asked: () => asked };
}

test.each<[string, StatusReason, boolean]>([
  ['a crash', 'trainer_crashed', true],
  ['a want of memory', 'oom', true],
  ['an engine that is not there', 'engine_unavailable', true],
  ['a kill', 'preempted_kill', true],
  ['a notice', 'preempted_notice', false],
  ['data that cannot be had', 'data_missing', false],
])('after %s (%s) the ticket is left to others: %s', async (_name, reason, left) => {
  const { yielding } = world([listed('wrk_other')]);
  yielding.ended(JOB, ended(reason), false);
  expect((await yielding.putOffMs(next)) > 0).toBe(left);
  expect(await yielding.putOffMs({ ...next, job: 'job_2' }), 'other jobs are welcome').toBe(0);
});

test('a kill that was asked for is no crash, nor is the end of the job', async () => {
  const { yielding } = world([listed('wrk_other')]);
  yielding.ended(JOB, ended('preempted_kill'), true);
  expect(await yielding.putOffMs(next)).toBe(0);
  yielding.ended(JOB, ended('oom', { state: 'failed' }), false);
  expect(await yielding.putOffMs(next)).toBe(0);
});

test.each<[string, ListedWorker[] | 'away']>([
  ['alone', []],
  ['where the others are busy', [listed('wrk_other', { jobs: ['job_9'] })]],
  ['where the others drain', [listed('wrk_other', { draining: true })]],
  ['where the others have fallen silent', [listed('wrk_other', { silentMs: 6_000 })]],
  ['while Redis is away', 'away'],
])('%s it takes the ticket at once, and asks only once', async (_name, others) => {
  const { yielding, asked } = world(others);
  yielding.ended(JOB, ended('trainer_crashed'), false);
  expect(await yielding.putOffMs(next)).toBe(0);
  expect(await yielding.putOffMs(next)).toBe(0);
  expect(asked()).toBe(1);
});

test('never for longer than five seconds from when the ticket was first there, however late it came', async () => {
  const { yielding, time } = world([listed('wrk_other')]);
  yielding.ended(JOB, ended('oom'), false);
  time.ms = 60_000; // the pause after a failure
  let waited = 0;
  for (let ms = await yielding.putOffMs(next); ms > 0; ms = await yielding.putOffMs(next)) {
    waited += ms;
    time.ms += ms;
    expect(waited).toBeLessThanOrEqual(5_000);
  }
  expect(waited).toBe(5_000);
});

test('a later ticket of the job, after it ran elsewhere, is taken at once', async () => {
  const { yielding } = world([listed('wrk_other')]);
  yielding.ended(JOB, ended('trainer_crashed'), false);
  expect(await yielding.putOffMs({ ...next, fence: 4 })).toBe(0);
});
