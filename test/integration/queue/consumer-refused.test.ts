// A Redis that is there and refuses what a consumer asks for: it is asked again, less and less often, and the log is not filled.
import { beforeAll, afterAll, expect, it, onTestFinished } from 'vitest';
import { connectQueue } from '../../../lib/queue/index.js';
import { startRedis, type RedisServer } from '../../support/redis.js';
import { runQueueProcess } from './queue-process.js';
import { gate, jobId, memoryLog, QUICK, testQueue, ticket, until, withRedis } from './setup.js';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ appendonly: false });
});
afterAll(() => redis.stop());

const asUser = (name: string): string => redis.url.replace('//', `//${name}:secret@`);

const admin = (...command: [string, ...string[]]): Promise<unknown> => withRedis(redis.url, (client) => client.call(...command));

async function makeUser(name: string, ...rules: string[]): Promise<void> {
  await admin('ACL', 'SETUSER', name, 'on', '>secret', '&*', ...rules);
  onTestFinished(async () => void (await admin('ACL', 'DELUSER', name)));
}

/** Scripts that were asked for, by anybody, refused or not: BullMQ asks for tickets with one. */
async function scriptsAsked(): Promise<number> {
  const stats = String(await admin('INFO', 'commandstats'));
  return [...stats.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+).*rejected_calls=(\d+)/gm)].reduce((sum, match) => sum + Number(match[1]) + Number(match[2]), 0);
}

it('a user who may not use @dangerous takes tickets, and the rest of its process goes on', async () => {
  await makeUser('plain', '~*', '+@all', '-@dangerous');
  const queue = testQueue(redis.url);
  await queue.tickets.issue({ ...ticket(jobId()), priority: 0 });
  // A process of its own: one that spins runs no timer, its test's neither.
  const child = runQueueProcess(
    `
    const [url, prefix, timing] = args;
    let lines = 0;
    const write = () => void (lines += 1);
    const queue = connectQueue({ url, prefix, timing, log: { info: write, warn: write, error: write } });
    say(await queue.check().then(() => 'may ask', (error) => error.message));
    const janitor = queue.makeJanitor();
    janitor.start();
    let taken;
    const first = new Promise((resolve) => (taken = resolve));
    const consumer = queue.makeConsumer({ slots: 1, handler: async () => taken() });
    consumer.start();
    await first;
    say('taken');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await consumer.close({ waitMs: 500 });
    await janitor.close();
    await queue.close();
    say({ lines });
    `,
    [asUser('plain'), queue.prefix, QUICK],
  );
  await child.says(1);
  expect(child.said[0]).toMatch(/NOPERM.*info/);
  await child.says(2);
  expect(child.said[1]).toBe('taken');
  await child.says(3);
  expect((child.said[2] as { lines: number }).lines).toBeLessThan(5);
  expect(await child.ended).toBe(0);
});

const refusals: Record<string, { words: string; begin(prefix: string): Promise<unknown>; end(prefix: string): Promise<unknown> }> = {
  'memory is full': {
    words: 'OOM',
    begin: () => admin('CONFIG', 'SET', 'maxmemory', '1000'),
    end: () => admin('CONFIG', 'SET', 'maxmemory', '0'),
  },
  'keys may not be written': {
    words: 'NOPERM',
    begin: (prefix) => admin('ACL', 'SETUSER', 'limited', 'resetkeys', `%R~${prefix}:*`),
    end: (prefix) => admin('ACL', 'SETUSER', 'limited', 'resetkeys', `~${prefix}:*`),
  },
};

it.each(Object.keys(refusals))('where %s, is asked rarely, says so once, and hands out its tickets afterwards', async (name) => {
  const { words, begin, end } = refusals[name] ?? expect.fail();
  const queue = testQueue(redis.url);
  const [held, decoy, waiting] = [ticket(jobId()), ticket(jobId()), ticket(jobId())];
  await makeUser('limited', `~${queue.prefix}:*`, '+@all');
  const log = memoryLog();
  const limited = connectQueue({ url: asUser('limited'), prefix: queue.prefix, timing: { ...QUICK, lockDurationMs: 60_000, stalledIntervalMs: 60_000 }, log });
  const release = gate();
  const handled: string[] = [];
  const consumer = limited.makeConsumer({
    slots: 2,
    handler: async ({ job }) => {
      handled.push(job);
      if (job === held.job) await release.promise;
    },
  });
  onTestFinished(async () => {
    await consumer.close({ waitMs: 1_000 });
    await limited.close();
  });
  consumer.start();
  await queue.tickets.issue({ ...held, priority: 0 });
  await until('one is in hand', () => handled.length === 1);
  await until('it waits for the next', () => queue.blocked());
  consumer.pause();
  // What the read brings that is already under way.
  await queue.tickets.issue({ ...decoy, priority: 0 });
  await until('it has put it back', async () => (await queue.tickets.depth()).active === 1 && queue.tickets.withdraw(decoy));
  await queue.tickets.issue({ ...waiting, priority: 0 });
  await begin(queue.prefix);
  onTestFinished(async () => void (await end(queue.prefix)));
  consumer.resume();
  const refused = () => log.lines.filter(({ fields }) => String(fields['err']).includes(words));
  await until('it is refused', () => refused().length > 0);
  const before = await scriptsAsked();
  const since = performance.now();
  await until('it could have asked hundreds of times', () => performance.now() - since > 3_000);
  // After 0.1, 0.2, 0.4, 0.8 and 1.6 s, and a stall check each five seconds.
  expect((await scriptsAsked()) - before).toBeLessThan(15);
  expect(refused().length).toBeLessThan(4);
  expect(handled).toEqual([held.job]);
  await end(queue.prefix);
  await until('the other one is taken, too', () => handled.length === 2, 5_000);
  expect(handled[1]).toBe(waiting.job);
  release.open();
});
