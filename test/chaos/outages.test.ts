// Redis gone, and the store gone, under real processes: what was acknowledged holds, workers go on as far as they may, and when it is
// back everything finds its place by itself, to the same bits.
import { cp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { makeClient } from '../../api/client.js';
import { childrenOf, type Proc, startBehindFaultProxy, startTestSystem, type TestSystem, waitFor } from '../support/system.js';
import type { Fault, FaultProxy } from '../support/fault-proxy.js';
import { s3ServerAvailable } from '../support/s3-server.js';
import { expectSameBits, recipe, type Reference, undisturbed, untilEnded, untilTraining } from './recipe.js';

/** Longer than any of the outages that it trains through, on a fast machine too. */
const long = { ...recipe(140), checkpoint: { every_seconds: 1 } };
const short = recipe(2);
const withS3 = await s3ServerAvailable();
let references: { long: Reference; short: Reference };
let system: TestSystem;

beforeAll(async () => {
  references = { long: await undisturbed(long), short: await undisturbed(short) };
});
afterEach(() => system.stop());

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1_000).toISOString();
const committed = async (job: string): Promise<number> => (await system.head(job)).retained.at(-1)?.micro_batches ?? 0;
const executed = async (job: string): Promise<number> => (await system.queue.heartbeats.read(job))?.progress?.micro_batches ?? 0;
const endReasons = async (job: string) => (await system.attempts(job)).map(({ end }) => end?.end_reason);

describe('Redis', () => {
  test('stopped for 20 s: jobs and verbs are taken, training and commits go on, and then all of it comes to pass', async () => {
    system = await startTestSystem();
    await system.startController();
    await system.startWorker();
    const { url } = await system.startApi();
    const client = makeClient({ url, retryBudgetMs: 0 });
    const job = await system.submit(long);
    const waiting = await system.submit({ ...short, run: { priority: -1 } });
    await untilTraining(system, job, 40);
    await system.redis.kill();
    const goneAt = performance.now();
    await waitFor('it is missed', async () => (await client.ready()).redis === 'away');

    const before = await committed(job);
    const { job: late } = await client.submit(short);
    expect((await client.jobs()).data.map(({ id, status }) => [id, status])).toEqual([[late.id, 'queued'], [waiting, 'queued'], [job, 'running']]);
    expect((await client.verb(waiting, 'pause')).status).toBe('paused');
    expect((await client.verb(waiting, 'resume')).status).toBe('queued');
    await expect(client.preempt(job)).rejects.toMatchObject({ status: 503, code: 'queue_unavailable' });
    await expect(client.queue()).rejects.toMatchObject({ status: 503 });
    await system.until(job, 'commits without Redis', ({ retained }) => (retained.at(-1)?.micro_batches ?? 0) > before + 20);
    await client.verb(job, 'pause');
    await system.until(job, 'is paused by what HEAD says', ({ state, owner }) => state === 'paused' && owner === null, 15_000);
    expect((await client.verb(job, 'resume')).status).toBe('queued');

    await sleep(20_000 - (performance.now() - goneAt));
    await expect(system.queue.tickets.depth()).rejects.toMatchObject({ code: 'queue_unavailable' });
    await system.redis.restart();
    const backAt = performance.now();
    await system.until(job, 'goes on', ({ owner }) => owner?.number === 2, 30_000);
    console.log(`went on ${Math.round(performance.now() - backAt)} ms after Redis was back`);
    await expectSameBits(system, job, await system.terminal(job), references.long);
    for (const id of [waiting, late.id]) await expectSameBits(system, id, await system.terminal(id), references.short);
    expect([await endReasons(job), await endReasons(waiting), await endReasons(late.id)]).toEqual([['user', 'completed'], ['completed'], ['completed']]);
    expect((await system.head(job)).counters.wasted_micro_batches).toBe(0);
  });

  test('emptied under a fleet: owners keep their jobs, all that wait get a ticket, and none runs twice', async () => {
    system = await startTestSystem();
    await system.startController();
    const workers = [await system.startWorker(), await system.startWorker()];
    const client = makeClient({ url: (await system.startApi()).url });
    const running = [await system.submit(long), await system.submit(long)];
    for (const job of running) await untilTraining(system, job, 10);
    const waiting = await system.submit(short);
    const delayed = await system.submit({ ...short, run: { start_after: inSeconds(3_600) } });
    const paused = await system.submit(short);
    await client.verb(paused, 'pause');
    await system.until(paused, 'is paused', ({ state }) => state === 'paused');
    await system.redis.flush();
    expect(await system.queue.tickets.hasMany([waiting, delayed].map((job) => ({ job, gen: 0, fence: 0 })))).toEqual([false, false]);

    await waitFor('the waiting have tickets again', async () => (await system.queue.tickets.hasMany([waiting, delayed].map((job) => ({ job, gen: 0, fence: 0 })))).every(Boolean), 20_000);
    expect((await system.queue.tickets.find({ job: delayed, gen: 0, fence: 0 }))?.state).toBe('delayed');
    expect((await system.queue.tickets.find({ job: waiting, gen: 0, fence: 0 }))?.state).toBe('waiting');
    for (const job of running) expect(await system.head(job)).toMatchObject({ fence: 1, owner: { number: 1 } });
    expect((await Promise.all(workers.map(({ pid }) => childrenOf(pid)))).flat().length, 'trainers').toBe(2);
    await client.verb(delayed, 'cancel');

    for (const job of running) await expectSameBits(system, job, await system.terminal(job), references.long);
    await expectSameBits(system, waiting, await system.terminal(waiting), references.short);
    for (const job of [...running, waiting]) expect(await endReasons(job)).toEqual(['completed']);
    expect(await system.head(paused)).toMatchObject({ state: 'paused', fence: 1, counters: { attempts: 0 } });
  });

  test('back without the last writes that it acknowledged: what they were about is found in the store, soon', async () => {
    system = await startTestSystem();
    await system.startController();
    await waitFor('it was filled once', () => system.queue.seed.isSeeded(), 20_000);
    const admin = new Redis(system.redis.url);
    const [, dir] = (await admin.config('GET', 'dir')) as [string, string];
    const earlier = join(system.folder, 'earlier');
    await cp(dir, earlier, { recursive: true });
    const job = await system.submit(short);
    const ticket = { job, gen: 0, fence: 0 };
    expect(await system.queue.tickets.has(ticket)).toBe(true);
    await admin.quit();
    await system.redis.kill();
    await rm(dir, { recursive: true });
    await rename(earlier, dir);
    await system.redis.restart();
    await waitFor('it is back', async () => system.queue.state().status === 'connected');
    expect([await system.queue.seed.isSeeded(), await system.queue.tickets.has(ticket)], 'it does not look empty').toEqual([true, false]);
    await waitFor('the ticket is there again', () => system.queue.tickets.has(ticket), 15_000);
    await system.startWorker();
    await expectSameBits(system, job, await system.terminal(job), references.short);
  });
});

/** Every call is answered so until it is over. */
function outage(proxy: FaultProxy, fault: Fault): { hits(): number; over(): void } {
  const injected = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE'].map((method) => proxy.inject(method, fault, Infinity));
  return { hits: () => injected.reduce((sum, one) => sum + one.hits(), 0), over: () => injected.forEach((one) => one.remove()) };
}

async function startBehindProxy(env: Record<string, string> = {}): Promise<FaultProxy> {
  const behind = await startBehindFaultProxy(env);
  system = behind.system;
  onTestFinished(() => behind.proxy.stop());
  return behind.proxy;
}

/** What the API says while the store is away: that it is, and when to come again; never that there is no such job. */
async function expectUnavailable(url: string, job: string): Promise<void> {
  const asked: [string, RequestInit][] = [[`/v1/jobs/${job}`, {}], ['/readyz', {}], [`/v1/jobs/${job}/pause`, { method: 'POST' }], ['/v1/jobs', { method: 'POST', body: JSON.stringify(short), headers: { 'content-type': 'application/json' } }]];
  for (const [path, init] of asked) {
    const answer = await fetch(url + path, init);
    expect([path, answer.status, Number(answer.headers.get('retry-after')) > 0]).toEqual([path, 503, true]);
    await answer.body?.cancel();
  }
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
}

/** What every outage of the store must leave: a job that trained on with its owner, and one whose ticket came meanwhile. */
/** A job that trains, and another one that an idle worker has to take in so many seconds, when the store is away. */
async function trainingAndDue(dueInSeconds: number): Promise<{ job: string; next: string }> {
  await system.startWorker();
  const job = await system.submit(long);
  await untilTraining(system, job, 20);
  await system.startWorker();
  return { job, next: await system.submit({ ...short, run: { start_after: inSeconds(dueInSeconds) } }) };
}

async function expectUnharmed(job: string, next: string, backAt: number): Promise<void> {
  await system.until(next, 'is taken', ({ fence }) => fence > 0, 20_000);
  expect(performance.now() - backAt).toBeLessThan(20_000);
  await expectSameBits(system, job, await system.terminal(job), references.long);
  await expectSameBits(system, next, await system.terminal(next), references.short);
  expect([await endReasons(job), await endReasons(next)]).toEqual([['completed'], ['completed']]);
  expect((await system.head(job)).counters.wasted_micro_batches).toBe(0);
}

describe.skipIf(!withS3)('the S3 server', () => {
  test('refuses everything for 40 s: training goes on for as long as it may without a commit, waits, and loses nothing', async () => {
    const proxy = await startBehindProxy({ PAWL_UNSAVED_SECONDS: '6' });
    await system.startController();
    const { url } = await system.startApi();
    const { job, next } = await trainingAndDue(8);
    const away = outage(proxy, { kind: 'answer', status: 503, code: 'ServiceUnavailable' });
    const goneAt = performance.now();
    await expectUnavailable(url, job);
    const [saved, before] = [await committed(job), await executed(job)];
    await waitFor('training goes on', async () => (await executed(job)) > before + 20);
    const told = await waitFor('training waits, and says so', async () => {
      const { entries } = await system.queue.journal.read(job, { afterId: null, limit: 1_000 });
      return entries.find(({ type, message }) => type === 'checkpoint.failed' && message.includes('training waits'));
    });
    expect(told.message).toContain('no checkpoint could be committed for 6 s');
    await sleep(2_500); // longer than it takes to hear the last progress
    const standing = await executed(job);
    await sleep(40_000 - (performance.now() - goneAt));
    expect(await executed(job)).toBe(standing);
    expect([await committed(job) - saved < 200, (await system.head(next)).fence, away.hits() > 20]).toEqual([true, 0, true]);
    away.over();
    await expectUnharmed(job, next, performance.now());
  });

  test('says nothing any more: a notice waits for it with its commit, and a worker killed meanwhile costs what was not committed', async () => {
    const proxy = await startBehindProxy();
    await system.startController();
    const first = await system.startWorker();
    const job = await system.submit(long);
    await untilTraining(system, job, 20);
    let away = outage(proxy, { kind: 'black-hole' });
    const before = await executed(job);
    await waitFor('training goes on', async () => (await executed(job)) > before + 20);
    expect(await system.queue.control.requestPreempt(job, null, { graceSeconds: 4 })).toBe(true);
    await waitFor('it is stopping', async () => (await system.queue.heartbeats.read(job))?.phase === 'preempting');
    await sleep(12_000);
    expect([(await system.head(job)).owner?.number, away.hits() > 0], 'nothing is written').toEqual([1, true]);
    away.over();
    await system.until(job, 'is handed over', ({ counters }) => counters.preemptions === 1, 60_000);
    await untilEnded(system, job, 1);
    expect((await system.attempts(job))[0]!.end).toMatchObject({ end_reason: 'preempted_notice', wasted_micro_batches: 0 });

    await untilTraining(system, job, (await committed(job)) + 20);
    const second = await system.startWorker();
    away = outage(proxy, { kind: 'black-hole' });
    const [saved, owner] = [await committed(job), await ownerOf(job, [first, second])];
    await waitFor('it trains on what is not committed', async () => (await executed(job)) > saved + 60);
    // A commit that was on its way when the server fell silent is of a second ago at most.
    await sleep(3_000);
    owner.kill('SIGKILL');
    await owner.exited;
    await sleep(10_000);
    expect([(await system.head(job)).fence, away.hits() > 0]).toEqual([2, true]);
    away.over();
    const head = await system.terminal(job);
    await expectSameBits(system, job, head, references.long);
    expect(await endReasons(job)).toEqual(['preempted_notice', 'lease_lost', 'completed']);
    expect(head.counters, 'a machine that vanished is no preemption').toMatchObject({ preemptions: 1, restarts: 1 });
    expect(head.counters.wasted_micro_batches).toBeGreaterThan(20);
  });
});

async function ownerOf(job: string, workers: readonly Proc[]): Promise<Proc> {
  const { owner } = await system.head(job);
  const pid = (await system.queue.workers.list()).find(({ id }) => id === owner?.worker)?.pid;
  return workers.find((worker) => worker.pid === pid)!;
}

test('the folder of the store gone for 30 s, as when its disk is not mounted: nobody takes it for an empty one', async () => {
  system = await startTestSystem();
  await system.startController();
  const { url } = await system.startApi();
  const { job, next } = await trainingAndDue(5);
  const folder = join(system.folder, 'store');
  await rename(folder, `${folder}.away`);
  const goneAt = performance.now();
  await expectUnavailable(url, job);
  const before = await executed(job);
  await waitFor('training goes on', async () => (await executed(job)) > before + 20);
  await sleep(30_000 - (performance.now() - goneAt));
  await expect(system.head(job)).rejects.toMatchObject({ code: 'store_unavailable' });
  await rename(`${folder}.away`, folder);
  await expectUnharmed(job, next, performance.now());
});
