// A store that is away at the wrong moment: it is waited for, and neither a ticket nor an attempt is lost over it.
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
async function start(): Promise<void> {
  ({ system, proxy } = await startBehindFaultProxy());
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
});
