// Issuing tickets: idempotent ids, the order of the line, delays, what may be asked about them.
import { describe, expect, it } from 'vitest';
import type { Ticket } from '../../../lib/queue/index.js';
import { gate, jobId, redisOfFile, testQueue, ticket, until, withRedis } from './setup.js';

const redis = redisOfFile();

describe('a ticket', () => {
  it('is one ticket however often it is issued, waiting, delayed or taken', async () => {
    const queue = testQueue(redis.url);
    const waiting = ticket(jobId());
    const delayed = ticket(jobId());
    const taken = ticket(jobId());
    const release = gate();
    const handled: string[] = [];

    await queue.tickets.issue({ ...taken, priority: 50 });
    const consumer = queue.consume({
      handler: async ({ job }) => {
        handled.push(job);
        if (job === taken.job) await release.promise;
      },
    });
    await until('the ticket is taken', () => consumer.running().length === 1);
    for (let i = 0; i < 3; i += 1) {
      await queue.tickets.issue({ ...waiting, priority: 50 });
      await queue.tickets.issue({ ...delayed, priority: 50, delayMs: 60_000 });
      await queue.tickets.issue({ ...taken, priority: 50 });
    }
    expect(await queue.tickets.depth()).toEqual({ waiting: 1, delayed: 1, active: 1 });
    expect(await queue.tickets.find(waiting)).toMatchObject({ id: `${waiting.job}.g0.f0`, state: 'waiting', priority: 50, reissue: false, ...waiting });
    expect(await queue.tickets.find(delayed)).toMatchObject({ state: 'delayed' });
    expect(await queue.tickets.find(taken)).toMatchObject({ state: 'active' });
    expect(await queue.tickets.hasMany([waiting, delayed, taken, ticket(jobId())])).toEqual([true, true, true, false]);

    release.open();
    await until('the line is empty', async () => (await queue.tickets.depth()).waiting === 0 && consumer.running().length === 0);
    expect(handled).toEqual([taken.job, waiting.job]);
  });

  it('can be issued again once it is over, and its next fence or gen is another ticket', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    const handled: Ticket[] = [];
    queue.consume({ handler: async (taken) => void handled.push(taken) });
    for (const each of [ticket(job), ticket(job), ticket(job, 1), ticket(job, 1, 1)]) {
      await queue.tickets.issue({ ...each, priority: 0 });
      await until('it is over', async () => !(await queue.tickets.has(each)));
    }
    expect(handled).toMatchObject([ticket(job), ticket(job), ticket(job, 1), ticket(job, 1, 1)]);
  });

  it('that is over leaves no key of its own', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    queue.consume({ handler: async () => undefined });
    await queue.tickets.issue({ ...ticket(job), priority: 0 });
    await until('it is over', async () => !(await queue.tickets.has(ticket(job))));
    const keys = await withRedis(redis.url, (redis) => redis.keys(`${queue.prefix}:*`));
    expect(keys.filter((key) => key.includes(job))).toEqual([]);
  });

  it('is withdrawn while it waits, not once it is taken', async () => {
    const queue = testQueue(redis.url);
    const [first, second] = [ticket(jobId()), ticket(jobId())];
    const release = gate();
    await queue.tickets.issue({ ...first, priority: 0 });
    const consumer = queue.consume({ handler: () => release.promise });
    await until('the ticket is taken', () => consumer.running().length === 1);
    await queue.tickets.issue({ ...second, priority: 0 });
    expect(await queue.tickets.withdraw(first)).toBe(false);
    expect(await queue.tickets.withdraw(second)).toBe(true);
    expect(await queue.tickets.withdraw(second)).toBe(false);
    expect(await queue.tickets.has(second)).toBe(false);
    release.open();
  });

  it('is refused with a priority outside −100 to 100, before anything is sent', async () => {
    const queue = testQueue(redis.url);
    for (const priority of [-101, 101, 1.5, Number.NaN]) {
      await expect(queue.tickets.issue({ ...ticket(jobId()), priority })).rejects.toMatchObject({ code: 'invalid_request', param: 'priority' });
    }
    expect((await queue.tickets.depth()).waiting).toBe(0);
  });
});

describe('the line', () => {
  it('puts high priorities first, keeps the order within one, and re-issued tickets ahead of their own priority only', async () => {
    const queue = testQueue(redis.url);
    const order: [string, number, boolean][] = [
      ['low', -100, false],
      ['mid a', 50, false],
      ['mid b', 50, false],
      ['mid again a', 50, true],
      ['higher', 51, false],
      ['top', 100, false],
      ['mid again b', 50, true],
      ['top again', 100, true],
      ['low again', -100, true],
    ];
    const named = new Map(order.map(([name]) => [jobId(), name]));
    const jobs = [...named.keys()];
    await queue.tickets.issueMany(order.map(([, priority, reissue], index) => ({ ...ticket(jobs[index] ?? ''), priority, reissue })));
    const expected = ['top again', 'top', 'higher', 'mid again a', 'mid again b', 'mid a', 'mid b', 'low again', 'low'];

    const next = await queue.tickets.next(100);
    expect(next.map(({ job }) => named.get(job))).toEqual(expected);
    expect(next.slice(0, 2)).toMatchObject([{ priority: 100, reissue: true }, { priority: 100, reissue: false }]);
    expect((await queue.tickets.next(3)).map(({ job }) => named.get(job))).toEqual(expected.slice(0, 3));

    const handled: (string | undefined)[] = [];
    queue.consume({ handler: async ({ job }) => void handled.push(named.get(job)) });
    await until('all are handled', () => handled.length === expected.length);
    expect(handled).toEqual(expected);
  });

  it('lets a delayed ticket in at its own priority when its time has come', async () => {
    const queue = testQueue(redis.url);
    const [delayed, waiting, later] = [ticket(jobId()), ticket(jobId()), ticket(jobId())];
    const handled: string[] = [];
    const release = gate();
    const begun = performance.now();
    await queue.tickets.issue({ ...delayed, priority: 10, delayMs: 400 });
    await queue.tickets.issue({ ...waiting, priority: 10 });
    queue.consume({
      handler: async ({ job }) => {
        handled.push(job);
        if (job === waiting.job) await release.promise;
      },
    });
    await until('the waiting one is taken', () => handled.length === 1);
    await queue.tickets.issue({ ...later, priority: 9 });
    await until('the delay is over', () => performance.now() - begun > 450);
    release.open();
    await until('all are handled', () => handled.length === 3);
    expect(handled).toEqual([waiting.job, delayed.job, later.job]);
  });

  it('wakes an idle consumer for a delayed ticket', async () => {
    const queue = testQueue(redis.url);
    const taken = gate<number>();
    queue.consume({ handler: async () => taken.open(performance.now()) });
    await until('the consumer idles', async () => (await queue.connections()).length >= 3);
    const begun = performance.now();
    await queue.tickets.issue({ ...ticket(jobId()), priority: 0, delayMs: 300 });
    const waitedMs = (await taken.promise) - begun;
    expect(waitedMs).toBeGreaterThanOrEqual(295);
    expect(waitedMs).toBeLessThan(2_000);
  });

  it('knows how many delayed tickets will be due by a time', async () => {
    const queue = testQueue(redis.url);
    for (const delayMs of [100, 50_000, 70_000]) await queue.tickets.issue({ ...ticket(jobId()), priority: 0, delayMs });
    await queue.tickets.issue({ ...ticket(jobId()), priority: 0 });
    expect([await queue.tickets.dueWithin(0), await queue.tickets.dueWithin(60_000), await queue.tickets.dueWithin(80_000)]).toEqual([0, 2, 3]);
  });

  it('knows its depth and the age of its oldest ticket, also behind many others', async () => {
    const queue = testQueue(redis.url);
    expect(await queue.tickets.oldestWaitMs()).toBeNull();
    const issued = performance.now();
    await queue.tickets.issue({ ...ticket(jobId()), priority: 3 });
    await queue.tickets.issue({ ...ticket(jobId()), priority: 3 });
    await until('time passes', () => performance.now() - issued > 300);
    await queue.tickets.issueMany(Array.from({ length: 1_200 }, (_, i) => ({ ...ticket(jobId()), priority: 20 + (i % 60) })));
    expect(await queue.tickets.depth()).toEqual({ waiting: 1_202, delayed: 0, active: 0 });
    const oldest = await queue.tickets.oldestWaitMs();
    expect(oldest).toBeGreaterThanOrEqual(200);
    expect(oldest).toBeLessThan(performance.now() - issued + 10);
  });
});
