// Redis down, hung, refusing or emptied: every call answers within its bound, nothing is lost that was promised, all comes back.
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { makeFastConnection } from '../../../lib/queue/connection.js';
import { makeControlChannel } from '../../../lib/queue/control-channel.js';
import { connectQueue, DEFAULT_TIMING, type JobQueue } from '../../../lib/queue/index.js';
import { makeSubscriber } from '../../../lib/queue/pubsub.js';
import { resolveQueueSettings } from '../../../lib/queue/settings.js';
import { startRedis, type RedisServer, type RedisServerOptions } from '../../support/redis.js';
import { runQueueProcess } from './queue-process.js';
import { gate, jobId, memoryLog, QUICK, testQueue, ticket, uniquePrefix, until, withRedis } from './setup.js';

let outage: ReturnType<typeof longOutage>;
beforeAll(() => {
  // Begun before the other tests, so that it costs no time of its own; awaited in its test.
  outage = longOutage();
  outage.catch(() => undefined);
});
afterAll(() => outage.then(() => undefined, () => undefined));

/** Some BullMQ releases never consume again after one (6.1.2 to 6.3.2). With one ticket in hand throughout. */
async function longOutage(): Promise<{ resumedMs: number; handled: number }> {
  const redis = await startRedis();
  const { lockDurationMs, stalledIntervalMs, retryCapMs } = DEFAULT_TIMING;
  const queue = connectQueue({ url: redis.url, prefix: uniquePrefix(), timing: { ...QUICK, lockDurationMs, stalledIntervalMs, retryCapMs } });
  const [inHand, next] = [ticket(jobId()), ticket(jobId())];
  const release = gate();
  let handled = 0;
  const consumer = queue.makeConsumer({
    slots: 2,
    handler: async ({ job }) => {
      handled += 1;
      if (job === inHand.job) await release.promise;
    },
  });
  try {
    consumer.start();
    await queue.tickets.issue({ ...inHand, priority: 1 });
    await until('it consumes', () => handled === 1);
    await redis.kill();
    const down = performance.now();
    await until('20 s are over', () => performance.now() - down > 20_000, 25_000);
    await redis.restart();
    const back = performance.now();
    await until('it issues', () => queue.tickets.issue({ ...next, priority: 1 }).then(() => true, () => false));
    await until('it consumes again', () => handled === 2);
    const resumedMs = performance.now() - back;
    release.open();
    await until('the old one is over', () => consumer.running().length === 0);
    return { resumedMs, handled };
  } finally {
    await consumer.close({ waitMs: 0 });
    await queue.close();
    await redis.stop();
  }
}

async function ownRedis(options?: RedisServerOptions): Promise<RedisServer> {
  const server = await startRedis(options);
  onTestFinished(server.stop);
  return server;
}

/** One call of every part, by name. */
function everyCall(queue: JobQueue): Record<string, () => Promise<unknown>> {
  const job = jobId();
  const stamp = { gen: 0, fence: 1, seq: 0 };
  return {
    issue: () => queue.tickets.issue({ ...ticket(job), priority: 1 }),
    issueMany: () => queue.tickets.issueMany([{ ...ticket(job), priority: 1 }]),
    has: () => queue.tickets.has(ticket(job)),
    find: () => queue.tickets.find(ticket(job)),
    depth: () => queue.tickets.depth(),
    oldestWaitMs: () => queue.tickets.oldestWaitMs(),
    beat: () => queue.heartbeats.beat({ job, attempt: 'a', number: 1, worker: 'w', phase: 'running', progress: null, gen: 0, fence: 1 }),
    signs: () => queue.heartbeats.signs(job, 'a'),
    dead: () => queue.heartbeats.dead(10),
    workers: () => queue.workers.list(),
    append: () => queue.journal.append(job, stamp, []),
    read: () => queue.journal.read(job, { afterId: null, limit: 1 }),
    rows: () => queue.rows.list(job, 'update', { after: null, limit: 1 }),
    cache: () => queue.cache.put(job, stamp, 1),
    seed: () => queue.seed.isSeeded(),
    preempt: () => queue.control.requestPreempt(job, null, { graceSeconds: 1 }),
    nudge: () => queue.control.nudge(job),
    check: () => queue.check(),
  };
}

/** All at once, as a busy process would; returns the slowest time to an answer. */
async function expectUnavailable(queue: JobQueue): Promise<number> {
  const begun = performance.now();
  const answers = await Promise.all(
    Object.entries(everyCall(queue)).map(async ([name, call]) => {
      const error: unknown = await call().then(() => 'an answer', (failure: unknown) => failure);
      return [name, error instanceof Error && 'code' in error ? error.code : error, performance.now() - begun] as const;
    }),
  );
  for (const [name, code] of answers) expect([name, code]).toEqual([name, 'queue_unavailable']);
  return Math.max(...answers.map(([, , ms]) => ms));
}

async function expectAvailable(queue: JobQueue): Promise<void> {
  for (const [name, call] of Object.entries(everyCall(queue))) {
    await call().catch((error: unknown) => {
      throw new Error(`${name} does not work again`, { cause: error });
    });
  }
}

describe('a queue made while Redis is down', () => {
  it('says so at once, and works when Redis comes', async () => {
    const redis = await ownRedis();
    await redis.kill();
    const queue = testQueue(redis.url);
    expect(await expectUnavailable(queue)).toBeLessThan(QUICK.callTimeoutMs! + 300);
    expect(queue.state().status).toBe('away');
    const begun = performance.now();
    await expect(queue.tickets.depth()).rejects.toMatchObject({ code: 'queue_unavailable', retryable: true, retryAfterSeconds: 2 });
    expect(performance.now() - begun).toBeLessThan(200);
    await redis.restart();
    await until('it is connected', () => queue.state().status === 'connected');
    await expectAvailable(queue);
  });

  it('closes within its bound, with a consumer and a janitor waiting', async () => {
    const redis = await ownRedis();
    await redis.kill();
    const queue = connectQueue({ url: redis.url, prefix: uniquePrefix(), timing: QUICK });
    const consumer = queue.makeConsumer({ slots: 1, handler: async () => undefined });
    const janitor = queue.makeJanitor();
    consumer.start();
    janitor.start();
    const stop = queue.journal.subscribe(jobId(), () => undefined);
    await expect(queue.tickets.depth()).rejects.toMatchObject({ code: 'queue_unavailable' });
    const begun = performance.now();
    await consumer.close({ waitMs: 100 });
    await janitor.close();
    stop();
    await queue.close();
    expect(performance.now() - begun).toBeLessThan(4_000);
    await expect(queue.tickets.depth()).rejects.toMatchObject({ code: 'queue_unavailable' });
  });
});

describe('a queue made while Redis hangs', () => {
  it('says so within the bound, and works when Redis answers', async () => {
    const redis = await ownRedis();
    redis.freeze();
    const queue = testQueue(redis.url);
    expect(await expectUnavailable(queue)).toBeLessThan(QUICK.callTimeoutMs! + 300);
    redis.thaw();
    await until('it is connected', () => queue.state().status === 'connected');
    await expectAvailable(queue);
  });
});

describe('a call', () => {
  it('ends within its bound even if what it waits for never does', async () => {
    const redis = await ownRedis();
    const connection = makeFastConnection(resolveQueueSettings({ url: redis.url, prefix: uniquePrefix(), timing: QUICK }));
    onTestFinished(connection.close);
    const begun = performance.now();
    await expect(connection.call('wait', () => new Promise(() => undefined))).rejects.toMatchObject({ code: 'queue_unavailable' });
    expect(performance.now() - begun).toBeLessThan(QUICK.callTimeoutMs! + 300);
  });
});

describe('the connection that listens', () => {
  it('comes back with the one that asks, however long its own next try would take', async () => {
    const redis = await ownRedis();
    const prefix = uniquePrefix();
    const quick = resolveQueueSettings({ url: redis.url, prefix, timing: { ...QUICK, retryCapMs: 200 } });
    const slow = resolveQueueSettings({ url: redis.url, prefix, timing: { ...QUICK, retryCapMs: 60_000 } });
    const connection = makeFastConnection(quick);
    const subscriber = makeSubscriber(slow, connection);
    const control = makeControlChannel(connection, subscriber, quick);
    onTestFinished(() => subscriber.close().then(connection.close));
    let inPlace = 0;
    subscriber.subscribe('news', { message: () => undefined, resync: () => void (inPlace += 1) });
    await until('it listens', () => inPlace === 1);
    await redis.kill();
    // Its tries are 100, 300, 700, 1,500, 3,100 and 6,300 ms after the outage began.
    const down = performance.now();
    await until('its tries are seconds apart', () => performance.now() - down > 3_300);
    await redis.restart();
    await until('the other one is connected', () => connection.state().status === 'connected');
    expect(await control.requestPreempt(jobId(), null, { graceSeconds: 1 })).toBe(false);
    await until('it listens again', () => inPlace === 2, 500);
  });
});

describe('a connected queue', () => {
  it('says within the bound that Redis hangs, at once the next time, and works when it answers', async () => {
    const redis = await ownRedis();
    const queue = testQueue(redis.url);
    const changes: string[] = [];
    queue.onState(({ status }) => void changes.push(status));
    await expectAvailable(queue);
    redis.freeze();
    expect(await expectUnavailable(queue)).toBeLessThan(QUICK.callTimeoutMs! + 300);
    expect(queue.state().status).toBe('away');
    const begun = performance.now();
    await expect(queue.tickets.depth()).rejects.toMatchObject({ code: 'queue_unavailable' });
    expect(performance.now() - begun).toBeLessThan(200);
    redis.thaw();
    await until('it is connected', () => queue.state().status === 'connected');
    await expectAvailable(queue);
    expect(changes).toEqual(['connected', 'away', 'connected']);
  });

  it('notices without being used that Redis hangs', async () => {
    const redis = await ownRedis();
    const queue = testQueue(redis.url);
    await until('it is connected', () => queue.state().status === 'connected');
    redis.freeze();
    await until('it is away', () => queue.state().status === 'away', QUICK.pingEveryMs! + QUICK.callTimeoutMs! + 500);
    redis.thaw();
    await until('it is connected', () => queue.state().status === 'connected');
  });

  it('issues no second ticket when one that timed out lands later', async () => {
    const redis = await ownRedis();
    const queue = testQueue(redis.url);
    const one = ticket(jobId());
    await queue.tickets.depth();
    redis.freeze();
    await expect(queue.tickets.issue({ ...one, priority: 3 })).rejects.toMatchObject({ code: 'queue_unavailable' });
    redis.thaw();
    await until('the lost one lands', () => queue.tickets.has(one).catch(() => false), 5_000);
    await queue.tickets.issue({ ...one, priority: 3 });
    const handled: string[] = [];
    queue.consume({ handler: async ({ job }) => void handled.push(job) });
    await until('it is over', async () => !(await queue.tickets.has(one)));
    expect(await queue.tickets.depth()).toEqual({ waiting: 0, delayed: 0, active: 0 });
    expect(handled).toEqual([one.job]);
  });

  it('calls a Redis that refuses to serve unavailable too: a replica, one without memory, one that wants a password', async () => {
    const redis = await ownRedis();
    const queue = testQueue(redis.url);
    const issue = () => queue.tickets.issue({ ...ticket(jobId()), priority: 1 });
    const issueMany = () => queue.tickets.issueMany([{ ...ticket(jobId()), priority: 1 }]);
    await issue();
    await withRedis(redis.url, (admin) => admin.replicaof('127.0.0.1', 1));
    for (const call of [issue, issueMany]) await expect(call()).rejects.toMatchObject({ code: 'queue_unavailable' });
    await withRedis(redis.url, (admin) => admin.replicaof('NO', 'ONE'));
    await until('it writes again', () => issue().then(() => true, () => false));

    await withRedis(redis.url, (admin) => admin.config('SET', 'maxmemory', '1mb'));
    for (const call of [issue, issueMany]) await expect(call()).rejects.toMatchObject({ code: 'queue_unavailable' });
    await withRedis(redis.url, (admin) => admin.config('SET', 'maxmemory', '0'));
    await issue();

    const guarded = await ownRedis({ args: ['--requirepass', 'right'] });
    const wrong = connectQueue({ url: guarded.url.replace('//', '//:wrong@'), timing: QUICK });
    onTestFinished(wrong.close);
    const error: unknown = await wrong.tickets.depth().catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'queue_unavailable' });
    expect(String(error)).not.toContain('wrong@');
  });

  it('consumes again within 3 s of a 20 s outage of Redis', async () => {
    const { resumedMs, handled } = await outage;
    console.log(`consumed ${Math.round(resumedMs)} ms after Redis was back`);
    expect(resumedMs).toBeLessThan(3_000);
    expect(handled).toBe(2);
  });

  it('finds Redis emptied by a restart, and fills it again', async () => {
    const redis = await ownRedis();
    const queue = testQueue(redis.url);
    const one = ticket(jobId());
    await queue.tickets.issue({ ...one, priority: 1 });
    expect(await queue.seed.markSeeded(await queue.seed.begin())).toBe(true);
    const first = await queue.seed.current();
    const during = await queue.seed.begin();
    await redis.restart({ empty: true });
    await until('it is connected', () => queue.seed.isSeeded().then(() => true, () => false));
    expect(await queue.seed.isSeeded()).toBe(false);
    expect(await queue.tickets.has(one)).toBe(false);
    // A reconcile that was under way when it happened has filled a Redis that is gone.
    expect(await queue.seed.markSeeded(during)).toBe(false);
    const token = await queue.seed.begin();
    await queue.tickets.issue({ ...one, priority: 1 });
    expect(await queue.seed.markSeeded(token)).toBe(true);
    expect(await queue.seed.current()).not.toBe(first);
    expect(await queue.tickets.has(one)).toBe(true);
  });

  it('keeps tickets over a restart of Redis with its append-only file', async () => {
    const redis = await ownRedis();
    const queue = testQueue(redis.url);
    const one = ticket(jobId());
    await queue.tickets.issue({ ...one, priority: 1 });
    await queue.seed.markSeeded(await queue.seed.begin());
    await redis.restart();
    await until('it is connected', () => queue.tickets.has(one).catch(() => false));
    expect(await queue.seed.isSeeded()).toBe(true);
  });
});

describe('a process', () => {
  const BODY = `
    const [url, prefix, timing, mode] = args;
    const queue = connectQueue({ url, prefix, timing });
    let handled;
    const taken = new Promise((resolve) => (handled = resolve));
    const consumer = queue.makeConsumer({ slots: 2, handler: async () => { say('handled'); handled(); } });
    const janitor = queue.makeJanitor();
    consumer.start();
    janitor.start();
    const stop = queue.journal.subscribe('job_x', () => {});
    const hush = queue.control.listen('wrk_x', { preempt: () => false, drain() {}, nudge() {} });
    await queue.tickets.issue({ job: 'job_x', gen: 0, fence: 0, priority: 1 }).catch(() => say('unavailable'));
    await queue.control.requestPreempt('job_x', null, { graceSeconds: 0 }).catch(() => undefined);
    if (mode === 'up') await taken;
    say('ready');
    if (mode === 'lost') await new Promise((resolve) => setTimeout(resolve, 1500));
    const begun = performance.now();
    await consumer.close({ waitMs: 500 });
    await janitor.close();
    stop();
    hush();
    await queue.close();
    const closedMs = Math.round(performance.now() - begun);
    // ioredis watches each socket it has closed for another 100 ms.
    await new Promise((resolve) => setTimeout(resolve, 150));
    say({ closedMs, left: process.getActiveResourcesInfo().filter((name) => name === 'Timeout' || name.startsWith('TCP')) });
  `;

  it.each(['up', 'down', 'hung', 'lost'] as const)('ends by itself once its queue is closed, with Redis %s', async (how) => {
    const redis = await ownRedis();
    if (how === 'down') await redis.kill();
    if (how === 'hung') redis.freeze();
    const child = runQueueProcess(BODY, [redis.url, uniquePrefix(), QUICK, how]);
    await until('it is ready', () => child.said.includes('ready'));
    if (how === 'lost') await redis.kill();
    const begun = performance.now();
    expect(await child.ended).toBe(0);
    expect(performance.now() - begun).toBeLessThan(6_000);
    expect(child.stderr()).toBe('');
    const last = child.said.at(-1) as { closedMs: number; left: string[] };
    expect(last.left).toEqual([]);
    expect(last.closedMs).toBeLessThan(4_500);
    if (how === 'up') expect(child.said).toContain('handled');
    else if (how !== 'lost') expect(child.said).toContain('unavailable');
  });
});

describe('the start-up check', () => {
  it('passes a Redis with an append-only file and noeviction', async () => {
    const redis = await ownRedis();
    const queue = testQueue(redis.url);
    const facts = await queue.check();
    expect(facts).toMatchObject({ redis: redis.url, maxmemoryPolicy: 'noeviction', appendonly: true, problems: [] });
    expect(facts.version).toMatch(/^\d+\.\d+/);
    expect(facts.roundTripMs).toBeGreaterThan(0);
  });

  it('refuses eviction, and warns or refuses without an append-only file', async () => {
    const redis = await ownRedis({ appendonly: false, args: ['--maxmemory-policy', 'allkeys-lru'] });
    const queue = testQueue(redis.url);
    const levels = async (how?: 'error' | 'warning') => (await queue.check(how ? { appendonly: how } : {})).problems.map(({ level, message }) => [level, message.split(' ')[0]]);
    expect(await levels()).toEqual([['error', 'maxmemory-policy'], ['warning', 'appendonly']]);
    expect(await levels('error')).toEqual([['error', 'maxmemory-policy'], ['error', 'appendonly']]);
  });
});

describe('the log', () => {
  it('tells once that Redis is away and once that it is back, without a credential', async () => {
    const redis = await ownRedis({ args: ['--requirepass', 'hunter2hunter2'] });
    const log = memoryLog();
    const queue = connectQueue({ url: redis.url.replace('//', '//:hunter2hunter2@'), prefix: uniquePrefix(), timing: QUICK, log });
    onTestFinished(queue.close);
    await queue.tickets.depth();
    await redis.kill();
    for (let i = 0; i < 20; i += 1) await queue.tickets.depth().catch(() => undefined);
    await redis.restart();
    await until('it is connected', () => queue.state().status === 'connected');
    expect(log.lines.map(({ message }) => message)).toEqual(['Redis is connected', 'Redis is away', 'Redis is connected']);
    expect(JSON.stringify(log.lines, (_key, value: unknown) => (value instanceof Error ? [value.message, value.stack] : value))).not.toContain('hunter2');
  });
});
