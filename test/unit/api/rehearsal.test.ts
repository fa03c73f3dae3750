// A rehearsal does not do what no machine does: strike again and again before the job could save once, until it is given up.
import { expect, it } from 'vitest';
import type { Client } from '../../../api/client.js';
import { rehearse } from '../../../api/cli/rehearsal.js';
import type { Job } from '../../../lib/contract/job.js';
import { CRASH_LOOP_LIMIT } from '../../../lib/jobs/lifecycle.js';

/** Looks at a job until it has saved, after whatever happened to it. */
const LOOKS_TO_SAVE = 10;

it('waits for a checkpoint before a job has died too often without one', async () => {
  let [attempt, deaths, checkpoints, looks, microBatches] = [1, 0, 0, 0, 0];
  const client = {
    job: async () => {
      microBatches++;
      if (++looks === LOOKS_TO_SAVE) [checkpoints, deaths] = [checkpoints + 1, 0];
      const isOver = deaths >= CRASH_LOOP_LIMIT;
      return { is_terminal: isOver, status: isOver ? 'failed' : 'running', attempts: [{ number: attempt, executed_micro_batches: 0, resumed_from: null }], progress: { micro_batches: microBatches }, checkpoint: checkpoints === 0 ? null : { id: `ckpt_${checkpoints}` }, waste: { micro_batches: 0 }, result: null } as unknown as Job;
    },
    preempt: async () => {
      [attempt, deaths, looks] = [attempt + 1, deaths + 1, 0];
    },
  } as unknown as Client;
  const { status, strikes } = await rehearse(client, 'job_x', { kinds: ['kill'], everyMs: 1, forMs: 4_000, seed: 1, signal: new AbortController().signal, onStrike: () => undefined });
  expect(status).toBe('running');
  expect(strikes.length).toBeGreaterThan(CRASH_LOOP_LIMIT);
  expect(checkpoints).toBeGreaterThan(0);
});
