// The live journal, rows, cache and messages of a job: guarded, ordered, bounded, and healed after a gap.
import { describe, expect, it, onTestFinished } from 'vitest';
import type { EpochRow, JobEvent, UpdateRow } from '../../../lib/contract/rows.js';
import type { JobQueue } from '../../../lib/queue/index.js';
import { startRedis } from '../../support/redis.js';
import { gate, jobId, redisOfFile, testQueue, until, withRedis } from './setup.js';

const redis = redisOfFile();

const event = (id: number, message = ''): JobEvent => ({ id, type: 'epoch.completed', at: '2026-01-31T12:00:00Z', attempt: 1, message, data: {} });
const row = (update: number, loss = 1): UpdateRow => ({ update, loss, regularization: 0, lr: 0.1, grad_norm: null, samples: 32, wall_time: 1.5 });
const epochRow = (epoch: number, loss = 1): EpochRow => ({ epoch, updates: epoch * 10, loss, lr: 0.1 });
const stamp = (fence: number, gen = 0) => ({ gen, fence });
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const ids = async (queue: JobQueue, job: string, afterId: number | null = null, limit = 1_000_000) =>
  (await queue.journal.read(job, { afterId, limit })).entries.map(({ id }) => id);

describe('the journal', () => {
  it('is read on from any id, like a stream that resumes at its Last-Event-ID', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    expect(await queue.journal.read(job, { afterId: null, limit: 10 })).toEqual({ entries: [], oldestId: null, newestId: null });
    await queue.journal.append(job, stamp(1), [event(3, 'three'), event(4), event(5)]);
    await queue.journal.append(job, stamp(2), [event(1_000_000)]);
    expect(await queue.journal.read(job, { afterId: null, limit: 2 })).toEqual({ entries: [event(3, 'three'), event(4)], oldestId: 3, newestId: 1_000_000 });
    expect(await ids(queue, job, 4)).toEqual([5, 1_000_000]);
    expect(await ids(queue, job, 17)).toEqual([1_000_000]);
    expect(await ids(queue, job, 1_000_000)).toEqual([]);
    expect(await ids(queue, job, null, 0)).toEqual([]);
  });

  it('grows only: an id that is not above the newest is ignored, the rest of its batch is not', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    expect(await queue.journal.append(job, stamp(1), [event(5, 'first')])).toBe(true);
    expect(await queue.journal.append(job, stamp(1), [event(4), event(5, 'again'), event(6), event(6, 'twice'), event(7)])).toBe(true);
    const { entries: events } = await queue.journal.read(job, { afterId: null, limit: 10 });
    expect(events.map(({ id, message }) => [id, message])).toEqual([[5, 'first'], [6, ''], [7, '']]);
  });

  it('refuses a writer whose claim is over', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    expect(await queue.journal.append(job, stamp(9), [event(1)])).toBe(true);
    expect(await queue.journal.append(job, stamp(10), [event(2)])).toBe(true);
    expect(await queue.journal.append(job, stamp(9), [event(3)])).toBe(false);
    expect(await queue.journal.append(job, stamp(11, 1), [event(4)])).toBe(true);
    expect(await queue.journal.append(job, stamp(12, 0), [event(5)])).toBe(false);
    expect(await ids(queue, job)).toEqual([1, 2, 4]);
  });

  it('keeps about ten thousand events and says which is its oldest', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    for (const from of range(0, 11)) await queue.journal.append(job, stamp(1), range(from * 1_000 + 1, from * 1_000 + 1_000).map((id) => event(id)));
    const { entries: events, oldestId, newestId } = await queue.journal.read(job, { afterId: null, limit: 1_000_000 });
    expect(newestId).toBe(12_000);
    expect(events.length).toBeGreaterThanOrEqual(10_000);
    expect(events.length).toBeLessThan(10_500);
    expect(oldestId).toBe(12_000 - events.length + 1);
  });

  it('goes away some time after the job is over', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    await queue.journal.append(job, stamp(1), [event(1)]);
    await queue.rows.put(job, stamp(1), [row(1)], [epochRow(1)]);
    await queue.journal.expire(job, 50);
    await queue.rows.expire(job, 50);
    const left = () => withRedis(redis.url, async (admin) => (await admin.keys(`${queue.prefix}:*${job}*`)).length);
    await until('nothing of the job is left', async () => (await left()) === 0);
  });
});

describe('a follower', () => {
  it('is told once it listens, on each append and each row, and no more once it stops', async () => {
    const queue = testQueue(redis.url);
    const writer = queue.another();
    const [job, other] = [jobId(), jobId()];
    let news = 0;
    const stop = queue.journal.subscribe(job, () => (news += 1));
    await until('it listens', () => news === 1);
    await writer.journal.append(job, stamp(1), [event(1)]);
    await until('it hears of the event', () => news === 2);
    await writer.rows.put(job, stamp(1), [row(1)], []);
    await until('it hears of the row', () => news === 3);
    let late = 0;
    onTestFinished(queue.journal.subscribe(job, () => (late += 1)));
    await until('a second follower listens', () => late === 1);
    await writer.journal.append(other, stamp(1), [event(1)]);
    stop();
    await writer.journal.append(job, stamp(1), [event(2)]);
    await until('only the second hears', () => late === 2);
    expect(news).toBe(3);
  });

  it('costs one connection per process, however many follow', async () => {
    const queue = testQueue(redis.url);
    let listening = 0;
    const stops = Array.from({ length: 20 }, () => queue.journal.subscribe(jobId(), () => (listening += 1)));
    await until('all listen', () => listening === 20);
    expect((await queue.connections()).sort()).toEqual([`${queue.prefix}:fast`, `${queue.prefix}:subscriber`]);
    stops.forEach((stop) => stop());
    await until('no channel is left', () => withRedis(redis.url, async (admin) => ((await admin.pubsub('CHANNELS', `${queue.prefix}:*`)) as string[]).length === 0));
  });

  it('misses nothing over an outage, since it reads again when it is back', async () => {
    const own = await startRedis();
    onTestFinished(own.stop);
    const queue = testQueue(own.url);
    const writer = queue.another();
    const job = jobId();
    const seen: number[] = [];
    let reading = Promise.resolve();
    onTestFinished(
      queue.journal.subscribe(job, () => {
        reading = reading.then(async () => {
          const { entries: events } = await queue.journal.read(job, { afterId: seen.at(-1) ?? null, limit: 100 }).catch(() => ({ entries: [] }));
          seen.push(...events.map(({ id }) => id));
        });
      }),
    );
    await writer.journal.append(job, stamp(1), [event(1)]);
    await until('the first is seen', () => seen.length === 1);
    await own.kill();
    await own.restart();
    // The writer may be back first: what it publishes then reaches nobody.
    await until('the writer is back', () => writer.journal.append(job, stamp(1), [event(2)]).catch(() => false));
    await until('the second is seen', () => seen.length === 2);
    await withRedis(own.url, (admin) => admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
    await writer.journal.append(job, stamp(1), [event(3)]);
    await until('the third is seen', () => seen.length === 3);
    expect(seen).toEqual([1, 2, 3]);
  });

  it('that throws harms no other', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    let heard = 0;
    onTestFinished(queue.journal.subscribe(job, () => { throw new Error('follower bug'); }));
    onTestFinished(queue.journal.subscribe(job, () => (heard += 1)));
    await until('both listen', () => heard === 1);
    await queue.journal.append(job, stamp(1), [event(1)]);
    await until('the other hears', () => heard === 2);
  });
});

describe('live rows', () => {
  const losses = async (queue: JobQueue, job: string) => (await queue.rows.list(job, 'update', { after: null, limit: 1_000 })).rows.map(({ update, loss }) => [update, loss]);

  it('are read on from any update, and a redone update overwrites its row', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    await queue.rows.put(job, stamp(1), [row(9), row(10), row(11)], [epochRow(1)]);
    await queue.rows.put(job, stamp(2), [row(10, 2)], [epochRow(1, 2)]);
    expect(await losses(queue, job)).toEqual([[9, 1], [10, 2], [11, 1]]);
    expect(await queue.rows.list(job, 'update', { after: 9, limit: 1 })).toEqual({ rows: [row(10, 2)], oldest: 9, newest: 11 });
    expect(await queue.rows.list(job, 'epoch', { after: null, limit: 9 })).toEqual({ rows: [epochRow(1, 2)], oldest: 1, newest: 1 });
    expect(await queue.rows.list(jobId(), 'epoch', { after: null, limit: 9 })).toEqual({ rows: [], oldest: null, newest: null });
  });

  it('refuse a writer whose claim is over, in both series', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    expect(await queue.rows.put(job, stamp(10), [row(1, 10)], [])).toBe(true);
    expect(await queue.rows.put(job, stamp(9), [row(1, 9), row(2, 9)], [])).toBe(false);
    expect(await queue.rows.put(job, stamp(9), [], [epochRow(1, 9)])).toBe(false);
    expect(await queue.rows.rewind(job, stamp(9), { update: 0, epoch: 0 })).toBe(false);
    expect(await losses(queue, job)).toEqual([[1, 10]]);
  });

  it('go back to the checkpoint when an attempt resumes, and its forerunner is refused from then on', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    await queue.rows.put(job, stamp(1), range(1, 20).map((n) => row(n)), [epochRow(1), epochRow(2)]);
    expect(await queue.rows.rewind(job, stamp(2), { update: 12, epoch: 1 })).toBe(true);
    expect((await losses(queue, job)).at(-1)).toEqual([12, 1]);
    expect((await queue.rows.list(job, 'epoch', { after: null, limit: 9 })).newest).toBe(1);
    expect(await queue.rows.put(job, stamp(1), [row(13)], [])).toBe(false);
  });

  it('hold the uncommitted tail whole and a bounded part of what is committed', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    await queue.rows.put(job, stamp(1), range(1, 5_000).map((n) => row(n)), []);
    await queue.rows.trim(job, 'update', 3_500);
    const { rows, oldest, newest } = await queue.rows.list(job, 'update', { after: null, limit: 1_000_000 });
    expect([oldest, newest, rows.length]).toEqual([2_501, 5_000, 2_500]);
    await queue.rows.trim(job, 'update', 2_600);
    expect((await queue.rows.list(job, 'update', { after: null, limit: 0 })).oldest).toBe(2_501);
  });
});

describe('the job cache', () => {
  it('keeps the newest stamp in any order of arrival', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    const put = (gen: number, fence: number, seq: number) => queue.cache.put(job, { gen, fence, seq }, `${gen}.${fence}.${seq}`);
    expect(await queue.cache.get(job)).toBeNull();
    expect(await put(0, 2, 9)).toBe(true);
    expect(await put(0, 2, 10)).toBe(true);
    expect(await put(0, 2, 9)).toBe(false);
    expect(await put(0, 1, 99)).toBe(false);
    expect(await put(0, 10, 10)).toBe(true);
    expect(await put(1, 10, 10)).toBe(true);
    expect(await put(0, 11, 11)).toBe(false);
    expect(await put(1, 10, 10)).toBe(true);
    expect(await queue.cache.get(job)).toEqual({ stamp: { gen: 1, fence: 10, seq: 10 }, value: '1.10.10' });
    const other = jobId();
    expect((await queue.cache.getMany([other, job])).map((cached) => cached?.value)).toEqual([undefined, '1.10.10']);
    await queue.cache.drop(job);
    expect(await queue.cache.get(job)).toBeNull();
    expect(await queue.cache.getMany([])).toEqual([]);
  });
});

describe('a message to a worker', () => {
  const quiet = { preempt: () => false, drain: () => undefined, nudge: () => undefined };
  /** A worker in a process of its own, listening. */
  async function worker(queue: JobQueue, id: string, handlers: Partial<Parameters<JobQueue['control']['listen']>[1]>): Promise<void> {
    const listening = gate();
    onTestFinished(queue.control.listen(id, { ...quiet, ...handlers, resync: () => listening.open() }));
    await listening.promise;
  }

  it('to preempt is taken by the worker that runs the attempt, and its answer comes back', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    const asked: unknown[] = [];
    await worker(queue.another(), 'wrk_1', {});
    await worker(queue.another(), 'wrk_2', {
      preempt: async (request) => {
        asked.push(request);
        return request.job === job && (request.attempt ?? 'a1') === 'a1';
      },
    });
    expect(await queue.control.requestPreempt(job, 'a1', { graceSeconds: 30 })).toBe(true);
    expect(await queue.control.requestPreempt(job, null, { graceSeconds: 0 })).toBe(true);
    const begun = performance.now();
    expect(await queue.control.requestPreempt(job, 'a2', { graceSeconds: 30 })).toBe(false);
    expect(await queue.control.requestPreempt(jobId(), null, { graceSeconds: 30 })).toBe(false);
    // All said no: nobody waits for a timeout.
    expect(performance.now() - begun).toBeLessThan(1_000);
    expect(asked.slice(0, 2)).toEqual([{ job, attempt: 'a1', graceSeconds: 30 }, { job, attempt: null, graceSeconds: 0 }]);
  });

  it('is not taken at once when nobody listens, and within waitMs when nobody answers', async () => {
    const queue = testQueue(redis.url);
    let begun = performance.now();
    expect(await queue.control.requestPreempt(jobId(), null, { graceSeconds: 30 })).toBe(false);
    expect(performance.now() - begun).toBeLessThan(1_000);
    await worker(queue.another(), 'wrk_1', { preempt: () => new Promise(() => undefined) });
    begun = performance.now();
    expect(await queue.control.requestPreempt(jobId(), null, { graceSeconds: 30, waitMs: 200 })).toBe(false);
    const waitedMs = performance.now() - begun;
    expect(waitedMs).toBeGreaterThanOrEqual(195);
    expect(waitedMs).toBeLessThan(1_000);
  });

  it('to drain reaches the worker it names, and a handler that throws counts as no', async () => {
    const queue = testQueue(redis.url);
    const drained: string[] = [];
    await worker(queue.another(), 'wrk_1', { drain: () => void drained.push('wrk_1') });
    await worker(queue.another(), 'wrk_2', { drain: () => { throw new Error('drain bug'); } });
    expect(await queue.control.drainWorker('wrk_1')).toBe(true);
    expect(await queue.control.drainWorker('wrk_2')).toBe(false);
    expect(await queue.control.drainWorker('wrk_3')).toBe(false);
    expect(drained).toEqual(['wrk_1']);
  });

  it('to look at HEAD reaches everybody, and a worker that was away is told to look at all', async () => {
    const own = await startRedis();
    onTestFinished(own.stop);
    const queue = testQueue(own.url);
    const job = jobId();
    const nudged: string[] = [];
    let resyncs = 0;
    const handlers = { ...quiet, nudge: (name: string) => void nudged.push(name), resync: () => (resyncs += 1) };
    onTestFinished(queue.another().control.listen('wrk_1', handlers));
    onTestFinished(queue.another().control.listen('wrk_2', handlers));
    await until('both listen', () => resyncs === 2);
    await queue.control.nudge(job);
    await until('both are nudged', () => nudged.length === 2);
    expect(nudged).toEqual([job, job]);
    await own.kill();
    await own.restart();
    await until('both are told to look', () => resyncs === 4);
    await until('it is connected', () => queue.control.nudge(job).then(() => true, () => false));
    await until('both are nudged again', () => nudged.length === 4);
  });
});

describe('the prefix', () => {
  it('may be a hash tag, so that all keys share a slot, and keeps two queues apart', async () => {
    const one = testQueue(redis.url);
    const two = testQueue(redis.url, { prefix: `{${one.prefix}}` });
    const job = jobId();
    for (const queue of [one, two]) {
      await queue.tickets.issue({ job, gen: 0, fence: 0, priority: 1 });
      await queue.cache.put(job, { gen: 0, fence: 0, seq: 0 }, queue.prefix);
    }
    expect((await two.cache.get(job))?.value).toBe(two.prefix);
    expect(await two.reset()).toBeGreaterThan(0);
    expect(await two.cache.get(job)).toBeNull();
    expect((await one.cache.get(job))?.value).toBe(one.prefix);
    expect((await one.tickets.depth()).waiting).toBe(1);
  });
});
