// A store that is away at the wrong moment, or full for a while: it is waited for, and neither a ticket nor an attempt is lost over it.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { FaultProxy } from '../support/fault-proxy.js';
import { s3ServerAvailable } from '../support/s3-server.js';
import { startBehindFaultProxy, type TestSystem, trainerOf, waitFor } from '../support/system.js';
import { expectSameBits, recipe, type Reference, undisturbed, untilTraining } from './recipe.js';

const spec = recipe(4);
let reference: Reference;
let system: TestSystem;
let proxy: FaultProxy;

/** The workers' way to the store is through the proxy. There is no controller: nobody but them issues a ticket. */
async function start(env: Record<string, string> = {}): Promise<void> {
  ({ system, proxy } = await startBehindFaultProxy(env));
}

describe.skipIf(!(await s3ServerAvailable()))('while the store is away', () => {
  beforeAll(async () => {
    reference = await undisturbed(spec);
  });
  afterEach(async () => {
    await system.stop();
    await proxy.stop();
  });

  test('a ticket that is taken is put back, and not lost', async () => {
    await start();
    await system.startWorker();
    const outage = proxy.inject('*', { kind: 'reset' }, Infinity, /jobs\/job_/);
    const job = await system.submit(spec);
    await outage.struck;
    // A ticket in hand asks three times before it goes back.
    await waitFor('it is taken again, and again', async () => outage.hits() > 9, 60_000);
    outage.remove();
    await expectSameBits(system, job, await system.terminal(job), reference);
  });

  test('a state that cannot be read yet is waited for: no failure, and no attempt more', async () => {
    await start();
    const worker = await system.startWorker();
    const job = await system.submit({ ...spec, run: { max_failures: 0 } });
    await untilTraining(system, job, 40);
    // The client itself tries three times.
    const outage = proxy.inject('GET', { kind: 'answer', status: 503, code: 'SlowDown' }, 9, /\/data\//);
    process.kill(await trainerOf(worker), 'SIGKILL');
    await outage.struck;
    const head = await system.terminal(job);
    await expectSameBits(system, job, head, reference);
    expect(outage.hits()).toBe(9);
    expect(head.counters.failures).toBe(0);
    expect((await system.attempts(job)).map(({ end }) => end?.end_reason)).toEqual(['preempted_kill', 'completed']);
  });

  test('full: what it refuses does not fill the disk of the worker, which asks less and less often, and all is well with room again', async () => {
    const long = recipe(20);
    const whole = await undisturbed(long);
    await start({ PAWL_UNSAVED_SECONDS: '1' });
    await system.startController();
    await system.startWorker();
    const job = await system.submit(long);
    await untilTraining(system, job, 20);
    const full = proxy.inject('PUT', { kind: 'answer', status: 507, code: 'InsufficientStorage' }, Infinity, /\/data\//);
    const failures = async () => (await system.queue.journal.read(job, { afterId: null, limit: 1_000 })).entries.filter(({ type }) => type === 'checkpoint.failed');
    await waitFor('training waits', async () => (await failures()).some(({ message }) => message.includes('training waits')));
    /** Numbers of the snapshots that lie on the worker's disk, now and at any time of these seconds. */
    const seen = new Set<string>();
    const most = await (async () => {
      let most = 0;
      for (const end = performance.now() + 12_000; performance.now() < end; await new Promise((resolve) => setTimeout(resolve, 10))) {
        const files = await readdir(join(system.env['PAWL_DATA_DIR']!, 'spool'), { recursive: true });
        const numbers = new Set(files.flatMap((name) => /(\d+)\.\w+\.safetensors$/.exec(name)?.[1] ?? []));
        most = Math.max(most, numbers.size);
        for (const number of numbers) seen.add(number);
      }
      return most;
    })();
    expect(most, 'snapshots at a time').toBe(1);
    // a second until each is settled, and 1, 2, 4, … more until the next
    expect(seen.size).toBeGreaterThanOrEqual(2);
    expect(seen.size).toBeLessThanOrEqual(5);
    expect(new Set((await failures()).map(({ data }) => data['code']))).toEqual(new Set(['store_full', 'store_unavailable']));
    full.remove();
    const head = await system.terminal(job);
    await expectSameBits(system, job, head, whole);
    expect([head.counters.attempts, head.counters.failures, head.counters.wasted_micro_batches]).toEqual([1, 0, 0]);
  });
});
