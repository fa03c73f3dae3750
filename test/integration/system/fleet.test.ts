// A fleet of real workers: draining one, leaving when there is nothing to do, what an autoscaler is told, who takes a job whose
// trainer crashed, and in which order jobs are taken.
import { afterEach, describe, expect, test } from 'vitest';
import { makeClient } from '../../../api/client.js';
import type { Head } from '../../../lib/contract/records.js';
import { type Proc, startTestSystem, type TestSystem, trainerOf, waitFor } from '../../support/system.js';
import { recipe } from '../../chaos/recipe.js';

/** Nobody waits for its end. */
const endless = { ...recipe(100_000), checkpoint: { every_seconds: 1 } };
let system: TestSystem;
afterEach(() => system.stop());

const runs = (job: string, number = 1): Promise<Head> => system.until(job, `trains, attempt ${number}`, ({ owner, inputs, seq }) => owner?.number === number && inputs !== null && seq > 0);
const pidOf = async (id: string): Promise<number | undefined> => (await system.queue.workers.list()).find((worker) => worker.id === id)?.pid;
async function expectExit(worker: Proc): Promise<void> {
  await waitFor('the worker has gone', async () => !worker.isAlive(), 30_000);
}

describe('draining a worker', () => {
  test('hands its jobs over with a commit, takes no more, ends, and uses up no preemption', async () => {
    system = await startTestSystem();
    await system.startController();
    const { url } = await system.startApi();
    const client = makeClient({ url });
    const first = await system.startWorker(['--slots', '2']);
    const jobs = [await system.submit({ ...endless, run: { max_preemptions: 0 } }), await system.submit({ ...endless, run: { max_preemptions: 0 } })];
    for (const job of jobs) await runs(job);
    const second = await system.startWorker();
    const { data } = await client.workers();
    expect(data.map(({ slots }) => slots).sort()).toEqual([1, 2]);
    await client.drain(data.find(({ pid }) => pid === first.pid)!.id);
    await expectExit(first);
    for (const job of jobs) {
      const [attempt] = await system.attempts(job);
      expect(attempt!.end).toMatchObject({ end_reason: 'server_shutdown', wasted_micro_batches: 0 });
      expect(await system.head(job)).toMatchObject({ state: 'open', counters: { failures: 0, preemptions: 0, restarts: 1 } });
    }
    const taken = await waitFor('the other worker goes on with one', async () => (await Promise.all(jobs.map((job) => system.head(job)))).find(({ owner }) => owner?.number === 2));
    expect(await pidOf(taken.owner!.worker)).toBe(second.pid);
    expect((await client.workers()).data.map(({ pid }) => pid)).toEqual([second.pid]);
  });

  test('one that has nothing to do ends at once, and one that was drained takes nothing that comes', async () => {
    system = await startTestSystem();
    const worker = await system.startWorker();
    const { id } = await waitFor('it says that it is there', async () => (await system.queue.workers.list())[0]);
    await waitFor('it listens', () => system.queue.control.drainWorker(id, { waitMs: 500 }));
    const job = await system.submit(endless);
    await expectExit(worker);
    expect((await system.head(job)).fence).toBe(0);
    // It may have been fetched while the worker was told, and put back.
    expect(['waiting', 'delayed']).toContain((await system.queue.tickets.find({ job, gen: 0, fence: 0 }))?.state);
  });
});

describe('--exit-when-idle', () => {
  test('leaves when the last job is over, and not before', async () => {
    system = await startTestSystem();
    await system.startController();
    const job = await system.submit({ ...recipe(3), run: { max_failures: 0 } });
    const worker = await system.startWorker(['--exit-when-idle', '1']);
    const head = await system.terminal(job);
    expect(head).toMatchObject({ state: 'succeeded', counters: { attempts: 1 } });
    expect(worker.isAlive()).toBe(true);
    await expectExit(worker);
    expect(await system.queue.workers.list()).toEqual([]);
  });

  test('does not take an absent Redis for an empty queue', async () => {
    system = await startTestSystem();
    await system.redis.kill();
    const worker = await system.startWorker(['--exit-when-idle', '1']);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(worker.isAlive(), 'there may be work').toBe(true);
    await system.redis.restart();
    await expectExit(worker);
  });
});

test('desired_workers counts what runs, waits or is due, by the slots of those that live, and not what is paused or far off', async () => {
  system = await startTestSystem();
  await system.startController();
  const client = makeClient({ url: (await system.startApi()).url });
  const desired = async (): Promise<number> => (await client.queue()).desired_workers;
  expect(await desired()).toBe(0);
  const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1_000).toISOString();
  const jobs = [];
  for (let i = 0; i < 4; i++) jobs.push(await system.submit(endless));
  await system.submit({ ...endless, run: { start_after: inSeconds(3_600) } });
  expect(await desired()).toBe(4);
  const soon = await system.submit({ ...endless, run: { start_after: inSeconds(40) } });
  expect(await client.queue()).toMatchObject({ depth: 4, delayed: 2, desired_workers: 5 });
  // Nobody lives who could take a paused job's ticket and find out.
  for (const job of [jobs[3]!, soon]) await client.verb(job, 'pause');
  expect(await client.queue()).toMatchObject({ depth: 3, delayed: 1, desired_workers: 3 });
  await client.verb(jobs[3]!, 'resume');
  expect(await desired()).toBe(4);
  await client.verb(jobs[3]!, 'cancel');
  expect(await desired()).toBe(3);
  await system.startWorker(['--slots', '2']);
  await runs(jobs[0]!);
  await runs(jobs[1]!);
  expect(await client.queue()).toMatchObject({ depth: 1, active: 2, desired_workers: 2 });
});

test('which worker to drain first: the idle one, then the one with less uncommitted, by what they say of themselves', async () => {
  system = await startTestSystem();
  await system.startController();
  const { url } = await system.startApi();
  const client = makeClient({ url });
  /** Trains without a checkpoint: all of it is uncommitted. */
  const unsaved = { ...endless, checkpoint: { every_seconds: 3_600 } };
  const [saves, risks] = [await system.submit(endless), await system.submit(unsaved)];
  await system.startWorker();
  await system.startWorker();
  await runs(saves);
  await system.until(risks, 'trains', ({ owner, inputs }) => owner !== null && inputs !== null);
  await system.startWorker();
  const by = async () => new Map((await client.workers()).data.map((worker) => [worker.jobs[0] ?? 'none', worker]));
  const seen = await waitFor('what is uncommitted tells them apart', async () => {
    const now = await by();
    return now.size === 3 && now.get(risks)!.uncommitted_seconds > 6 ? now : null;
  }, 30_000);
  expect(seen.get('none')).toMatchObject({ drain_rank: 1, uncommitted_seconds: 0 });
  expect(seen.get(saves)!.drain_rank).toBe(2);
  // A checkpoint a second: the one under way, and a beat.
  expect(seen.get(saves)!.uncommitted_seconds).toBeLessThan(5);
  expect(seen.get(risks)!.drain_rank).toBe(3);
  expect(await system.pawl(url, ['drain'])).toMatchObject({ code: 2, err: expect.stringContaining('workers: name some, or say --count N') as string });
  const { out } = await system.pawl(url, ['drain', '--count', '2']);
  expect(out.trim().split('\n').map((line) => line.split(' ')[0])).toEqual([seen.get('none')!.id, seen.get(saves)!.id]);
  await waitFor('they have gone', async () => (await by()).size === 1);
  expect((await by()).get(risks)).toMatchObject({ drain_rank: 1 });
  expect((await system.attempts(saves))[0]!.end).toMatchObject({ end_reason: 'server_shutdown', wasted_micro_batches: 0 });
});

describe('a job whose trainer crashed', () => {
  test('goes on with another worker that is free', async () => {
    system = await startTestSystem();
    await system.startController();
    const first = await system.startWorker();
    const job = await system.submit(endless);
    const before = await runs(job);
    await system.startWorker();
    await waitFor('the other worker is there', async () => (await system.queue.workers.list()).length === 2);
    process.kill(await trainerOf(first), 'SIGKILL');
    const struckAt = performance.now();
    const after = await system.until(job, 'goes on', ({ owner }) => owner?.number === 2, 15_000);
    const waitedMs = performance.now() - struckAt;
    expect((await system.attempts(job))[0]!.end!.end_reason).toBe('preempted_kill');
    expect(after.owner!.worker).not.toBe(before.owner!.worker);
    expect(waitedMs).toBeLessThan(6_000);
  });

  test('goes on with the same worker at once where the others are busy, or none is there', async () => {
    system = await startTestSystem();
    await system.startController();
    const first = await system.startWorker();
    const job = await system.submit(endless);
    const { owner } = await runs(job);
    for (const others of [0, 1]) {
      if (others > 0) {
        await system.startWorker();
        await runs(await system.submit(endless));
      }
      await runs(job, 1 + others);
      process.kill(await trainerOf(first), 'SIGKILL');
      const struckAt = performance.now();
      const after = await system.until(job, 'goes on', (head) => head.owner?.number === 2 + others, 15_000);
      expect(performance.now() - struckAt).toBeLessThan(2_000);
      expect(after.owner!.worker).toBe(owner!.worker);
    }
  });
});

test('a preempted job is ahead of its own priority, and behind every higher one', async () => {
  system = await startTestSystem();
  await system.startController();
  await system.startWorker();
  const names = new Map<string, string>();
  const submit = async (name: string, priority: number): Promise<string> => {
    const job = await system.submit({ ...endless, name, run: { priority } });
    names.set(job, name);
    return job;
  };
  const running = await submit('low, preempted', 0);
  await runs(running);
  await submit('low', 0);
  await submit('high', 1);
  const order: string[] = [];
  // Each time whoever runs is taken away for good, the next in the line comes.
  expect(await system.queue.control.requestPreempt(running, null, { graceSeconds: 30 })).toBe(true);
  const client = makeClient({ url: (await system.startApi()).url });
  for (let taken = 0; taken < 3; taken++) {
    const job = await waitFor('the next one is taken', async () => {
      for (const [id, name] of names) if (!order.includes(name) && (await system.head(id)).owner !== null && (id !== running || (await system.head(id)).owner!.number === 2)) return id;
      return null;
    }, 90_000);
    order.push(names.get(job)!);
    await client.verb(job, 'cancel');
  }
  expect(order).toEqual(['high', 'low, preempted', 'low']);
});
