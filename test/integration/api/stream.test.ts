// Server-sent events from a listening server: history, what comes live, resuming, gaps, the end, readers who do not read, and all
// of it from the store alone.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { frame, openEventStream } from '../../../api/event-stream.js';
import { headKey } from '../../../lib/jobs/names.js';
import type { Store } from '../../../lib/store/index.js';
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

  it('costs one look at the job for each piece of news, however many read', async () => {
    let looks = 0;
    const wrapStore = (store: Store): Store => ({ ...store, get: async (key, ...rest) => ((looks += key.endsWith('/HEAD') ? 1 : 0), store.get(key, ...rest)) });
    const api = await startApi({ redisUrl: redis.url, wrapStore, timing: { streamPollMs: 60_000 } });
    const address = await api.listen();
    const job = await api.submit();
    const owner = await api.own(job);
    const first = owner.claim.head().counters.events;
    const readers = await Promise.all(Array.from({ length: 30 }, () => read(address, job)));
    const say = async (id: number): Promise<void> => {
      await owner.say(event(id));
      await until('everybody has it', async () => readers.every((reader) => ids(reader).at(-1) === id));
    };
    await say(first + 1);
    const before = looks;
    await say(first + 2);
    expect(looks - before).toBeGreaterThan(0);
    expect(looks - before).toBeLessThan(4);
  });

  it.each([['leaves', 60_000], ['is told that it takes too long', 3_000]])('keeps nothing of a reader who %s before the first byte', async (_what, handlerMs) => {
    let slowKey: string | null = null;
    let struck = false;
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const wrapStore = (store: Store): Store => ({
      ...store,
      get: async (key, ...rest) => {
        if (key === slowKey) {
          slowKey = null;
          struck = true;
          await answered;
        }
        return store.get(key, ...rest);
      },
    });
    const commentMs = 54_321;
    const api = await startApi({ redisUrl: redis.url, wrapStore, timing: { streamCommentMs: commentMs, streamPollMs: 50, handlerMs } });
    const address = await api.listen();
    const job = await api.submit();
    const timers = vi.spyOn(globalThis, 'setInterval');
    onTestFinished(() => timers.mockRestore());
    const opened = (): number => timers.mock.calls.filter(([, ms]) => ms === commentMs).length;

    slowKey = headKey(job);
    const accepted = once(api.app.server, 'connection') as Promise<[Socket]>;
    const reader = await readNothing(address, job);
    const [served] = await accepted;
    await until('the store is asked', async () => struck);
    if (handlerMs === 60_000) {
      reader.destroy();
      await until('the server knows', async () => served.destroyed);
    } else {
      await until('it is told', async () => served.bytesWritten > 0);
    }
    answer();
    // Somebody who asks after that has what the first would have had.
    const next = await read(address, job);
    await until('history', async () => ids(next).length === 1);
    expect(opened()).toBe(1);
    next.stop();
    await until('nobody is left', async () => /pawl_event_streams 0/.test((await api.app.inject('/metrics')).body));
    reader.destroy();
  });

  it('refuses an id that is none', async () => {
    const { address, job } = await running();
    expect((await read(address, job, 'last')).status).toBe(400);
  });

  it('cuts a reader who does not read, and holds no more for him than one batch', async () => {
    const { api, address, job, owner, first } = await running(redis.url, { streamStallMs: 3_000 });
    const accepted = once(api.app.server, 'connection') as Promise<[Socket]>;
    const lazy = await readNothing(address, job);
    const [served] = await accepted;
    const reader = await read(address, job);
    const bytes = 200_000;
    let said = 0;
    /** One by one, so that a batch is one event; another reader has had it when this returns. */
    const say = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) {
        said += 1;
        await owner.say({ ...event(first + said), message: 'x'.repeat(bytes) });
        await until('the other reader has it', async () => reader.text().endsWith('"data":{}}\n\n') && ids(reader).at(-1) === first + said);
      }
    };
    // The buffers of the connection have some megabytes; what is held beyond them is this process's.
    let held = 0;
    for (; held === 0 && said < 200; held = served.writableLength) await say(1);
    expect(held).toBeGreaterThan(0);
    await say(2);
    held = served.writableLength;
    expect(held).toBeGreaterThan(0);
    await say(40);
    expect(served.destroyed).toBe(false);
    expect(served.writableLength).toBe(held);
    expect(held).toBeLessThan(3 * bytes);
    await until('the cut', async () => served.destroyed && /pawl_event_streams 1/.test((await api.app.inject('/metrics')).body));
    expect(reader.ended()).toBe(false);
    lazy.destroy();
  });

  it('cuts a reader who does not read what came last', async () => {
    let held = 0;
    const gone = new Promise<void>((resolve) => {
      const server = createServer((_request, response) => {
        const stream = openEventStream(response, {}, { streamCommentMs: 60_000, streamStallMs: 200, streamRetryMs: 1 });
        response.once('close', resolve);
        void (async () => {
          // Pieces so small that the last of them has not to be waited for, until the buffers of the connection are full.
          for (let full = 0; full < 3; full = response.writableLength > 0 ? full + 1 : 0) {
            if (response.writableLength === 0) void stream.write(frame('epoch.completed', 'x'.repeat(12_000), 1));
            await new Promise((settled) => setTimeout(settled, 1));
          }
          held = response.writableLength;
          expect(response.writableNeedDrain).toBe(false);
          stream.end();
        })();
      }).listen(0, '127.0.0.1', () => void readNothing(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'any').then((socket) => onTestFinished(() => void socket.destroy())));
      onTestFinished(() => void server.close());
    });
    await gone;
    expect(held).toBeGreaterThan(0);
  });
});

/** A connection that asks for a stream and reads none of it. */
async function readNothing(address: string, job: string): Promise<Socket> {
  const socket = connect(Number(new URL(address).port), '127.0.0.1');
  socket.pause().on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(`GET /v1/jobs/${job}/stream HTTP/1.1\r\nhost: localhost\r\n\r\n`);
  return socket;
}
