// What a trainer is told at its start.
import { expect, test } from 'vitest';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { makeAttemptByHand } from './attempt-by-hand.js';

const spec: JobSpecInput = { data: { type: 'builtin', name: 'digits' }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] } };

test.each([
  [300, 300 * 2 ** 20],
  // as of a job that has the machine to itself
  [Infinity, null],
])('how much of the machine’s memory the job may take: the worker’s share for one job, here %d MiB', async (memoryMib, bytes) => {
  const attempt = await makeAttemptByHand({ spec, memoryMib, dataMemoryBytes: 5_000 });
  const running = attempt.begin();
  const { memoryBytes, data, attempt: name } = await attempt.trainer.next('start');
  expect([memoryBytes, data.memoryBytes]).toEqual([bytes, 5_000]);
  attempt.trainer.say({ type: 'failed', attempt: name, code: 'oom', message: 'too large', param: null, peakMemoryMib: 1 });
  await attempt.trainer.next('release');
  attempt.trainer.say({ type: 'idle', attempt: name, clean: true, peakMemoryMib: 1 });
  expect(await running).toMatchObject({ kind: 'ended', executed: 0, head: { state: 'open', counters: { failures: 1 } } });
});
