// Server-sent events from a listening server: history, what comes live, resuming, gaps, the end, readers who do not read, and all
// of it from the store alone.
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { event, resultWith, startApi, type TestApi, until } from '../../support/api.js';
import { type RedisServer, startRedis } from '../../support/redis.js';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ appendonly: false });
});
afterAll(() => redis.stop());

interface Reader {
  status: number;
  text(): string;
  /** `[id, event]` of each frame so far; the id is null where a frame has none. */
  frames(): [number | null, string][];
  ended(): boolean;
  stop(): void;
}

async function read(address: string, job: string, lastEventId?: number | string): Promise<Reader> {
  const abort = new AbortController();
  const response = await fetch(`${address}/v1/jobs/${job}/stream`, { signal: abort.signal, headers: lastEventId === undefined ? {} : { 'last-event-id': String(lastEventId) } });
  let text = '';
  let ended = false;
  const pump = (async () => {
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) text += decoder.decode(bytes as Uint8Array, { stream: true });
  })()
    .catch(() => undefined)
    .finally(() => (ended = true));
  onTestFinished(async () => {
    abort.abort();
    await pump;
  });
  const field = (block: string, name: string): string | null => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? null;
  return {
    status: response.status,
    text: () => text,
    frames: () => text.split('\n\n').filter((block) => block.includes('event: ')).map((block) => [field(block, 'id') === null ? null : Number(field(block, 'id')), field(block, 'event')!]),
    ended: () => ended,
    stop: () => abort.abort(),
  };
}

const ids = (reader: Reader): (number | null)[] => reader.frames().map(([id]) => id);

async function running(redisUrl?: string, timing = {}): Promise<{ api: TestApi; address: string; job: string; owner: Awaited<ReturnType<TestApi['own']>>; first: number }> {
  const api = await startApi({ timing, ...(redisUrl === undefined ? {} : { redisUrl }) });
  const address = await api.listen();
  const job = await api.submit();
  const owner = await api.own(job);
  return { api, address, job, owner, first: owner.claim.head().counters.events };
}

describe.each([['with Redis', true], ['from the store alone', false]] as const)('a stream %s', (_name, hasRedis) => {
  it('says what was, what comes, and ends with the job; who comes again gets 204', async () => {
    const { address, job, owner, first } = await running(hasRedis ? redis.url : undefined);
    const reader = await read(address, job);
    expect(reader.status).toBe(200);
    await until('history', async () => ids(reader).length === 2);
    expect(reader.text().startsWith('retry: 2000\n\n')).toBe(true);
    expect(reader.frames()).toEqual([[0, 'job.submitted'], [first, 'attempt.started']]);
    await owner.commit({ updates: 1, microBatches: 5, events: [event(first + 1)] });
    await until('the committed event', async () => ids(reader).includes(first + 1));
    await owner.commit({ updates: 57, microBatches: 288, end: { kind: 'completed', result: resultWith(Buffer.from('w'), 57) } });
    await until('the end', async () => reader.ended());
    expect(reader.frames().map(([, type]) => type)).toEqual(['job.submitted', 'attempt.started', 'epoch.completed', 'attempt.ended', 'job.succeeded']);
    const last = ids(reader).at(-1)!;
    expect((await read(address, job, last)).status).toBe(204);
    const again = await read(address, job, first);
    await until('the rest', async () => again.ended());
    expect(again.frames().map(([, type]) => type)).toEqual(['epoch.completed', 'attempt.ended', 'job.succeeded']);
  });
});

describe('a stream', () => {
  it('goes on exactly after the last event that was seen, across a restart of the server', async () => {
    const { api, address, job, owner, first } = await running(redis.url);
    const reader = await read(address, job);
    await owner.say(event(first + 1), event(first + 2));
    await until('live events', async () => ids(reader).includes(first + 2));
    reader.stop();
    await owner.say(event(first + 3), event(first + 4));
    const next = await read(address, job, first + 2);
    await until('the rest', async () => ids(next).length === 2);
    expect(ids(next)).toEqual([first + 3, first + 4]);
    await api.app.close();
    await until('an end in order', async () => next.ended());
  });

  it('goes on when Redis was emptied, and says where history is gone', async () => {
    const { api, address, job, owner, first } = await running(redis.url);
    await owner.say(event(first + 1));
    const reader = await read(address, job);
    await until('live events', async () => ids(reader).includes(first + 1));
    await api.queue.reset();
    await owner.say(event(first + 4));
    await until('what came after', async () => ids(reader).includes(first + 4));
    expect(reader.frames().slice(-2)).toEqual([[null, 'gap'], [first + 4, 'epoch.completed']]);
    expect(reader.text()).toContain(`data: {"after":${first + 1},"before":${first + 4}}`);
    // What was said while nobody could hear it is there after the commit, and whoever comes then misses nothing.
    await owner.commit({ updates: 1, microBatches: 5, events: [event(first + 1), event(first + 2), event(first + 3), event(first + 4)] });
    const whole = await read(address, job, 0);
    await until('all of it', async () => ids(whole).includes(first + 4));
    expect(ids(whole)).toEqual([first, first + 1, first + 2, first + 3, first + 4]);
  });

  it('shows the end of a job that nobody announced', async () => {
    const { address, job, api } = await running(redis.url);
    const reader = await read(address, job);
    await until('history', async () => ids(reader).length === 2);
    // As a controller does it: HEAD alone changes.
    await (await api.own(job)).end({ kind: 'failed', reason: 'invalid_data', error: { code: 'invalid_data', message: 'no', param: null }, retryable: false });
    await until('the end', async () => reader.ended());
    expect(reader.frames().at(-1)![1]).toBe('job.failed');
  });

  it('keeps the connection open with comments', async () => {
    const { address, job } = await running(undefined, { streamCommentMs: 20 });
    const reader = await read(address, job);
    await until('comments', async () => reader.text().includes(': still here\n\n'));
  });

  it('refuses an id that is none', async () => {
    const { address, job } = await running();
    expect((await read(address, job, 'last')).status).toBe(400);
  });

  it('cuts a reader who does not read, and holds no more for him than one batch', async () => {
    const { api, address, job, owner, first } = await running(redis.url, { streamStallMs: 300 });
    const big = { ...event(first + 1), message: 'x'.repeat(200_000) };
    const { port } = new URL(address);
    const closed = await new Promise<boolean>((resolve) => {
      const socket: Socket = connect(Number(port), '127.0.0.1', () => {
        socket.pause();
        socket.write(`GET /v1/jobs/${job}/stream HTTP/1.1\r\nhost: localhost\r\n\r\n`);
        void (async () => {
          await until('the stream', async () => /pawl_event_streams 1/.test((await api.app.inject('/metrics')).body));
          for (let n = 1; n <= 60; n++) await owner.say({ ...big, id: first + n });
          await until('the cut', async () => /pawl_event_streams 0/.test((await api.app.inject('/metrics')).body));
          socket.destroy();
          resolve(true);
        })();
      });
      socket.on('error', () => undefined);
    });
    expect(closed).toBe(true);
  });
});
