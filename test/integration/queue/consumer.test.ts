// Taking tickets: handlers that fail, return late or put back, dead takers, lost locks, a worker that stops fetching.
import { Queue } from 'bullmq';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { TakenTicket, Ticket } from '../../../lib/queue/index.js';
import { startRedis } from '../../support/redis.js';
import { runQueueProcess } from './queue-process.js';
import { gate, jobId, QUICK, redisOfFile, testQueue, ticket, until, withRedis } from './setup.js';

const redis = redisOfFile();

describe('a handler', () => {
  it('runs as many tickets at a time as there are slots', async () => {
    const queue = testQueue(redis.url);
    const release = gate();
    let most = 0;
    let handled = 0;
    const consumer = queue.consume({
      slots: 2,
      handler: async () => {
        most = Math.max(most, consumer.running().length);
        await release.promise;
        handled += 1;
      },
    });
    await queue.tickets.issueMany(Array.from({ length: 5 }, () => ({ ...ticket(jobId()), priority: 0 })));
    await until('both slots are busy', () => consumer.running().length === 2);
    expect(await queue.tickets.depth()).toEqual({ waiting: 3, delayed: 0, active: 2 });
    release.open();
    await until('all are handled', () => handled === 5);
    expect(most).toBe(2);
  });

  it('that throws ends its ticket without a retry, and the next one is taken', async () => {
    const queue = testQueue(redis.url);
    const [bad, good] = [ticket(jobId()), ticket(jobId())];
    const handled: string[] = [];
    queue.consume({
      handler: async ({ job }) => {
        handled.push(job);
        if (job === bad.job) throw new Error('handler bug');
      },
    });
    await queue.tickets.issueMany([{ ...bad, priority: 9 }, { ...good, priority: 0 }]);
    await until('both are over', async () => handled.length >= 2 && !(await queue.tickets.has(good)));
    expect(handled).toEqual([bad.job, good.job]);
    expect(await queue.tickets.has(bad)).toBe(false);
    expect(queue.log.lines).toContainEqual(expect.objectContaining({ level: 'error', message: 'a ticket handler failed' }));
  });

  it('can put its ticket back for later, to be taken by any worker', async () => {
    const queue = testQueue(redis.url);
    const one = ticket(jobId());
    const taken: number[] = [];
    queue.consume({
      handler: async () => {
        taken.push(performance.now());
        return taken.length === 1 ? { postponeMs: 300 } : undefined;
      },
    });
    await queue.tickets.issue({ ...one, priority: 7 });
    await until('it is put back', async () => (await queue.tickets.find(one))?.state === 'delayed');
    expect(await queue.tickets.find(one)).toMatchObject({ priority: 7 });
    await until('it is over', async () => taken.length === 2 && !(await queue.tickets.has(one)));
    expect((taken[1] ?? 0) - (taken[0] ?? 0)).toBeGreaterThanOrEqual(290);
  });

  it('can put its ticket back behind those that wait, at its own priority', async () => {
    const queue = testQueue(redis.url);
    const [first, second, other, urgent] = [ticket(jobId()), ticket(jobId()), ticket(jobId()), ticket(jobId())];
    const handled: string[] = [];
    await queue.tickets.issueMany([{ ...first, priority: 0 }, { ...second, priority: 0 }, { ...other, priority: -1 }, { ...urgent, priority: 1 }]);
    queue.consume({
      handler: async ({ job }) => {
        handled.push(job);
        return job === first.job && handled.length === 2 ? { postponeMs: 0, behind: true } : undefined;
      },
    });
    await until('all are over', () => handled.length === 5);
    expect(handled).toEqual([urgent, first, second, first, other].map(({ job }) => job));
  });

  it('that puts its ticket back for a moment is waited for by the moment, and not by whole seconds', async () => {
    const queue = testQueue(redis.url);
    const waitedSeconds: number[] = [];
    await withRedis(redis.url, async (watched) => {
      const monitor = await watched.monitor();
      monitor.on('monitor', (_time: string, [command, key, seconds]: string[]) => {
        if (command?.toLowerCase() === 'bzpopmin' && key?.startsWith(queue.prefix)) waitedSeconds.push(Number(seconds));
      });
      let taken = 0;
      queue.consume({ handler: async () => (++taken === 1 ? { postponeMs: 400 } : undefined) });
      await queue.tickets.issue({ ...ticket(jobId()), priority: 0 });
      await until('it is taken again', () => taken === 2);
      monitor.disconnect();
    });
    expect(waitedSeconds.filter((seconds) => seconds > 0 && seconds < 0.4)).not.toEqual([]);
  });

  it('may issue the next ticket of its job before it returns', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    const fences: number[] = [];
    queue.consume({
      handler: async ({ fence }) => {
        fences.push(fence);
        if (fence < 3) await queue.tickets.issue({ ...ticket(job, fence + 1), priority: 5, reissue: true });
      },
    });
    await queue.tickets.issue({ ...ticket(job), priority: 5 });
    await until('the last is over', async () => fences.length === 4 && !(await queue.tickets.has(ticket(job, 3))));
    expect(fences).toEqual([0, 1, 2, 3]);
  });

  it('is not given what is not a ticket', async () => {
    const queue = testQueue(redis.url);
    const handled: Ticket[] = [];
    const stranger = new Queue('tickets', { connection: { url: redis.url }, prefix: queue.prefix });
    await stranger.add('other', { job: 7 }, { jobId: 'x' });
    await stranger.close();
    queue.consume({ handler: async (taken) => void handled.push(taken) });
    await queue.tickets.issue({ ...ticket(jobId()), priority: 0 });
    await until('the real one is handled', () => handled.length === 1);
    expect(queue.log.lines).toContainEqual(expect.objectContaining({ message: 'not a ticket: dropped' }));
  });
});

describe('closing a consumer', () => {
  it('aborts the signal, waits for the handler, and takes nothing more', async () => {
    const queue = testQueue(redis.url);
    const [first, second] = [ticket(jobId()), ticket(jobId())];
    const aborted = gate<unknown>();
    const saved = gate();
    const consumer = queue.consume({
      handler: async (_ticket, signal) => {
        signal.addEventListener('abort', () => aborted.open(signal.reason));
        await aborted.promise;
        await saved.promise;
      },
    });
    await queue.tickets.issueMany([{ ...first, priority: 1 }, { ...second, priority: 0 }]);
    await until('it is taken', () => consumer.running().length === 1);
    let closed = false;
    const closing = consumer.close({ waitMs: 5_000 }).then(() => (closed = true));
    await aborted.promise;
    expect(closed).toBe(false);
    expect(consumer.running()).toEqual([first]);
    saved.open();
    await closing;
    expect(await queue.tickets.has(first)).toBe(false);
    expect(await queue.tickets.find(second)).toMatchObject({ state: 'waiting' });
  });

  it('gives up on a handler that does not end, within waitMs, and puts its ticket back at once', async () => {
    const queue = testQueue(redis.url);
    const one = ticket(jobId());
    const never = gate();
    const consumer = queue.consume({ handler: () => never.promise });
    await queue.tickets.issue({ ...one, priority: 0 });
    await until('it is taken', () => consumer.running().length === 1);
    const begun = performance.now();
    await consumer.close({ waitMs: 200 });
    expect(performance.now() - begun).toBeLessThan(1_500);
    const again = gate<TakenTicket>();
    queue.consume({ handler: async (taken) => again.open(taken) });
    expect(await again.promise).toMatchObject(one);
    never.open();
  });

  it('that is paused takes nothing until it is resumed', async () => {
    const queue = testQueue(redis.url);
    const handled: string[] = [];
    const consumer = queue.consume({ handler: async ({ job }) => void handled.push(job) });
    const [before, during, other] = [ticket(jobId()), ticket(jobId()), ticket(jobId())];
    await queue.tickets.issue({ ...before, priority: 0 });
    await until('it consumes', () => handled.length === 1);
    // The hard case: its read is already under way, and will bring it the next ticket.
    await until('it waits for the next', () => queue.blocked());
    consumer.pause();
    await queue.tickets.issue({ ...during, priority: 0 });
    await until('it has put it back', async () => (await queue.tickets.depth()).active === 0);
    const pausedAt = performance.now();
    await until('it could have taken it again', () => performance.now() - pausedAt > 300);
    expect(Number(await withRedis(redis.url, (redis) => redis.hget(`${queue.prefix}:tickets:${during.job}.g0.f0`, 'ats')))).toBeLessThanOrEqual(1);
    // Another consumer gets it: the paused one does not sit on it.
    const elsewhere = queue.another().makeConsumer({ slots: 1, handler: async ({ job }) => void handled.push(`elsewhere ${job}`) });
    elsewhere.start();
    await until('the other one took it', () => handled.length === 2);
    await elsewhere.close({ waitMs: 1_000 });
    expect(handled[1]).toBe(`elsewhere ${during.job}`);
    await queue.tickets.issue({ ...other, priority: 0 });
    consumer.resume();
    await until('it consumes again', () => handled.length === 3);
    expect(handled[2]).toBe(other.job);
  });
});

describe('a dead taker', () => {
  const TAKER = `
    const [url, prefix, timing] = args;
    const queue = connectQueue({ url, prefix, timing });
    queue.makeConsumer({ slots: 1, handler: (ticket) => { say(ticket); return new Promise(() => {}); } }).start();
  `;

  it('returns its ticket through the stall check, at its own place in the line', async () => {
    const queue = testQueue(redis.url);
    const [lost, top, peer, low] = [ticket(jobId()), ticket(jobId()), ticket(jobId()), ticket(jobId())];
    await queue.tickets.issue({ ...lost, priority: 50 });
    const taker = runQueueProcess(TAKER, [redis.url, queue.prefix, QUICK]);
    await taker.says(1);
    expect(taker.said).toMatchObject([lost]);
    await queue.tickets.issueMany([{ ...peer, priority: 50 }, { ...low, priority: 0 }, { ...top, priority: 90 }]);

    const stalled = gate<string>();
    const janitor = queue.makeJanitor(stalled.open);
    janitor.start();
    taker.child.kill('SIGKILL');
    expect(await taker.ended).toBe('SIGKILL');
    expect(await stalled.promise).toBe(`${lost.job}.g0.f0`);
    await janitor.close();
    // BullMQ alone would now hand it out before everything.
    expect((await queue.tickets.next(1))[0]?.job).toBe(lost.job);

    const handled: string[] = [];
    queue.consume({ handler: async ({ job }) => void handled.push(job) });
    await until('all are handled', () => handled.length === 4);
    expect(handled).toEqual([top.job, lost.job, peer.job, low.job]);
  });

  it('may die again and again without its ticket being given up', async () => {
    const queue = testQueue(redis.url, { timing: { lockDurationMs: 200, stalledIntervalMs: 100 } });
    const one = ticket(jobId());
    await queue.tickets.issue({ ...one, priority: 50 });
    const issuedAt = Date.now();
    const janitor = queue.makeJanitor();
    janitor.start();
    for (let death = 1; death <= 3; death += 1) {
      const taker = runQueueProcess(TAKER, [redis.url, queue.prefix, { ...QUICK, lockDurationMs: 200, stalledIntervalMs: 100 }]);
      await taker.says(1);
      taker.child.kill('SIGKILL');
      await taker.ended;
    }
    const handled = gate<TakenTicket>();
    const diedAt = Date.now();
    queue.consume({ handler: async (taken) => handled.open(taken) });
    const taken = await handled.promise;
    expect(taken).toMatchObject(one);
    // Since its last taker was found to be dead, and not since it was issued.
    expect([taken.sinceMs > issuedAt, taken.sinceMs >= diedAt]).toEqual([true, true]);
    await until('it is over', async () => !(await queue.tickets.has(one)));
    await janitor.close();
  });
});

describe('a consumer survives', () => {
  it('FLUSHALL under a ticket in hand, and takes the next one', async () => {
    const own = await startRedis();
    onTestFinished(own.stop);
    const queue = testQueue(own.url);
    const [first, second] = [ticket(jobId()), ticket(jobId())];
    const release = gate();
    const handled: string[] = [];
    const consumer = queue.consume({
      handler: async ({ job }) => {
        handled.push(job);
        if (job === first.job) await release.promise;
      },
    });
    await queue.tickets.issue({ ...first, priority: 0 });
    await until('it is taken', () => consumer.running().length === 1);
    await own.flush();
    release.open();
    await until('it is over', () => consumer.running().length === 0);
    await queue.tickets.issue({ ...second, priority: 0 });
    await until('the next is handled', () => handled.length === 2, 3_000);
  });

  it('the loss of a lock: the ticket may run twice, and neither side breaks', async () => {
    const queue = testQueue(redis.url, { timing: { lockDurationMs: 600, stalledIntervalMs: 200 } });
    const one = ticket(jobId());
    const release = gate();
    let begun = 0;
    const handler = async (): Promise<void> => {
      begun += 1;
      if (begun === 1) await release.promise;
    };
    const first = queue.consume({ handler });
    await queue.tickets.issue({ ...one, priority: 0 });
    await until('it is taken', () => first.running().length === 1);
    const second = queue.another().makeConsumer({ slots: 1, handler });
    second.start();
    const thief = setInterval(() => void withRedis(redis.url, (redis) => redis.del(`${queue.prefix}:tickets:${one.job}.g0.f0:lock`)).catch(() => undefined), 20);
    await until('the other one runs it too', () => begun === 2);
    clearInterval(thief);
    release.open();
    await until('it is over', async () => first.running().length === 0 && !(await queue.tickets.has(one)));
    const next = ticket(jobId());
    await queue.tickets.issue({ ...next, priority: 0 });
    await until('the next is handled', () => begun === 3);
    await second.close({ waitMs: 1_000 });
  });

  it('a fetcher that has stopped fetching, by replacing it', async () => {
    const queue = testQueue(redis.url);
    const [busy, waiting] = [ticket(jobId()), ticket(jobId())];
    const release = gate();
    const handled: string[] = [];
    const consumer = queue.consume({
      slots: 2,
      wedgedAfterMs: 500,
      handler: async ({ job }) => {
        handled.push(job);
        if (job === busy.job) await release.promise;
      },
    });
    await queue.tickets.issue({ ...busy, priority: 0 });
    await until('it is taken', () => handled.length === 1);
    // A rate limit puts BullMQ's worker to sleep for half a minute, and it does not see that the limit is lifted.
    const limiter = `${queue.prefix}:tickets:limiter`;
    await withRedis(redis.url, async (redis) => {
      await redis.hset(`${queue.prefix}:tickets:meta`, 'max', 1, 'duration', 60_000);
      await redis.set(limiter, 5, 'PX', 60_000);
    });
    await queue.tickets.issue({ ...waiting, priority: 0 });
    await until('tickets wait in vain', () => queue.log.lines.some(({ message }) => message.includes('none is taken')), 5_000);
    await withRedis(redis.url, async (redis) => {
      await redis.hdel(`${queue.prefix}:tickets:meta`, 'max', 'duration');
      await redis.del(limiter);
    });
    await until('a new fetcher takes it', () => handled.length === 2, 5_000);
    expect(handled[1]).toBe(waiting.job);
    expect(consumer.running().map(({ job }) => job)).toEqual([busy.job]);
    release.open();
    await until('the old one lets go', () => consumer.running().length === 0);
    await until('one fetcher is left', async () => (await queue.connections()).length === 3);
  });
});
