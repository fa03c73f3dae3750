// The client against a real server, and against servers that refuse, break off and lie.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ApiError, makeClient } from '../../../api/client.js';
import type { StreamedEvent } from '../../../api/client-stream.js';
import { event, resultWith, SPEC, startApi } from '../../support/api.js';

/** A server that answers as told, and remembers what it was asked. */
async function scripted(answer: (request: IncomingMessage, response: ServerResponse, count: number) => void): Promise<{ url: string; asked: { url: string; headers: IncomingMessage['headers'] }[] }> {
  const asked: { url: string; headers: IncomingMessage['headers'] }[] = [];
  const server = createServer((request, response) => {
    asked.push({ url: request.url ?? '', headers: request.headers });
    request.resume();
    answer(request, response, asked.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** An address where nothing listens. */
async function nobody(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

const say = (response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void => void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
const problem = (code: string) => ({ error: { type: 't', code, message: `it is ${code}`, param: 'p', request_id: 'req_1', details: [{ param: 'p', message: 'm' }] } });

describe('the client', () => {
  it('does all that a job needs', async () => {
    const token = 'a-token-of-thirty-two-characters';
    const api = await startApi({ tokens: [token] });
    const client = makeClient({ url: `${await api.listen()}/`, token });
    const { job, replayed } = await client.submit(SPEC);
    expect([job.status, replayed]).toEqual(['queued', false]);
    expect((await client.submit(SPEC, { idempotencyKey: 'k' })).replayed).toBe(false);
    expect((await client.submit(SPEC, { idempotencyKey: 'k' })).replayed).toBe(true);
    expect((await client.dryRun(SPEC)).total_updates).toBe(57);
    expect((await client.jobs({ status: ['queued'], limit: 1 })).has_more).toBe(true);
    expect((await client.jobs({ tags: { team: 'none' } })).data).toEqual([]);
    expect((await client.verb(job.id, 'pause')).status).toBe('paused');
    expect((await client.verb(job.id, 'resume')).status).toBe('queued');
    const weights = Buffer.from('final');
    await (await api.own(job.id)).commit({ updates: 57, microBatches: 288, weights, end: { kind: 'completed', result: resultWith(weights, 57) } });
    expect((await client.job(job.id)).status).toBe('succeeded');
    expect((await client.events(job.id, { limit: 1 })).data[0]?.type).toBe('job.submitted');
    expect((await client.attempts(job.id)).data).toHaveLength(1);
    const [checkpoint] = (await client.checkpoints(job.id)).data;
    expect(await client.checkpoint(job.id, checkpoint!.id)).toEqual(checkpoint);
    expect([(await client.updateRows(job.id)).data, (await client.epochRows(job.id)).data]).toEqual([[], []]);
    const download = await client.weights(job.id);
    expect([download.sha256, download.sizeBytes, await new Response(download.body).text()]).toEqual([resultWith(weights, 57).weights_sha256, 5, 'final']);
    expect((await client.ready()).status).toBe('ready');
    expect((await makeClient({ url: client.url }).ready()).status).toBe('ready');
  });

  it('makes every answer that is no success an ApiError with its facts', async () => {
    const api = await startApi({ tokens: ['a-token-of-thirty-two-characters'] });
    const url = await api.listen();
    await expect(makeClient({ url }).jobs()).rejects.toMatchObject({ name: 'ApiError', status: 401, code: 'unauthorized' });
    const client = makeClient({ url, token: 'a-token-of-thirty-two-characters' });
    await expect(client.job('job_x')).rejects.toMatchObject({ status: 404, code: 'not_found', param: 'id', requestId: expect.stringMatching(/^req_/) });
    await expect(client.submit({ ...SPEC, training: { batch_size: 0, epochs: 0 } })).rejects.toMatchObject({ status: 400, code: 'invalid_spec', details: [{ param: 'training.batch_size' }, { param: 'training.epochs' }] });
    await expect(client.workers()).rejects.toMatchObject({ status: 503, code: 'queue_unavailable', retryAfterSeconds: 2 });
    await expect(makeClient({ url: await nobody(), retryBudgetMs: 0 }).jobs()).rejects.toMatchObject({ status: 0, code: 'unreachable', message: expect.stringMatching(/nothing listens there/) });
    const other = await scripted((_request, response) => void response.end('<html>'));
    await expect(makeClient({ url: other.url }).job('x')).rejects.toMatchObject({ code: 'unexpected_answer' });
    await expect(makeClient({ url: other.url }).sweeps.exportCsv('x')).rejects.toMatchObject({ code: 'unexpected_answer' });
    const proxy = await scripted((_request, response) => void response.writeHead(502).end('<html>bad gateway'));
    await expect(makeClient({ url: proxy.url }).job('x')).rejects.toMatchObject({ status: 502, code: 'unexpected_answer' });
  });

  it('sends a create again under the same key when it does not know what became of it', async () => {
    const server = await scripted((_request, response, count) => {
      if (count === 1) response.destroy();
      else if (count === 2) say(response, 503, problem('store_unavailable'), { 'retry-after': '0' });
      else if (count === 3) say(response, 409, problem('idempotency_in_progress'));
      else say(response, 201, { id: 'job_1' });
    });
    expect((await makeClient({ url: server.url, retryBudgetMs: 5_000 }).submit(SPEC)).job).toEqual({ id: 'job_1' });
    expect(server.asked).toHaveLength(4);
    expect(new Set(server.asked.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    expect(server.asked[0]!.headers['idempotency-key']).toBeTruthy();
  });

  it('does not repeat what might be done twice, nor what is certainly wrong', async () => {
    for (const [what, status, code] of [['retry', 503, 'store_unavailable'], ['preempt', 503, 'queue_unavailable'], ['job', 400, 'invalid_request'], ['job', 500, 'internal_error'], ['job', 404, 'not_found']] as const) {
      const server = await scripted((_request, response) => say(response, status, problem(code), { 'retry-after': '0' }));
      const client = makeClient({ url: server.url, retryBudgetMs: 2_000 });
      await expect(what === 'retry' ? client.verb('j', 'retry') : what === 'preempt' ? client.preempt('j') : client.job('j')).rejects.toMatchObject({ status, code });
      expect([what, server.asked.length]).toEqual([what, 1]);
    }
    const broken = await scripted((_request, response) => void response.destroy());
    await expect(makeClient({ url: broken.url, retryBudgetMs: 2_000 }).verb('j', 'retry')).rejects.toMatchObject({ code: 'unreachable' });
    expect(broken.asked).toHaveLength(1);
  });

  it('takes a server at its word about when to come again, within its budget', async () => {
    const server = await scripted((_request, response) => say(response, 503, problem('store_unavailable'), { 'retry-after': '60' }));
    const before = performance.now();
    await expect(makeClient({ url: server.url, retryBudgetMs: 3_000 }).job('j')).rejects.toMatchObject({ retryAfterSeconds: 60 });
    expect(server.asked).toHaveLength(1);
    expect(performance.now() - before).toBeLessThan(3_000);
  });

  it('waits for a server that is not there yet', async () => {
    const api = await startApi();
    const url = await nobody();
    const asked = makeClient({ url, retryBudgetMs: 10_000 }).ready();
    await api.app.listen({ host: '127.0.0.1', port: Number(new URL(url).port) });
    expect((await asked).status).toBe('ready');
  });

  it('gives up on a server that does not answer', async () => {
    const server = await scripted(() => undefined);
    const client = makeClient({ url: server.url, timeoutMs: 100, retryBudgetMs: 0 });
    await expect(client.job('j')).rejects.toMatchObject({ code: 'unreachable', message: expect.stringMatching(/no answer within 0.1 s/) });
    const half = await scripted((_request, response) => void response.writeHead(200).write('{'));
    await expect(makeClient({ url: half.url, timeoutMs: 100, retryBudgetMs: 0 }).job('j')).rejects.toMatchObject({ code: 'unreachable' });
  });
});

describe('the client’s stream', () => {
  const collect = async (events: AsyncGenerator<StreamedEvent>): Promise<(number | string)[]> => {
    const seen: (number | string)[] = [];
    for await (const item of events) seen.push(item.kind === 'event' ? item.event.id : `gap ${item.after}-${item.before}`);
    return seen;
  };
  const frame = (id: number): string => `id: ${id}\nevent: epoch.completed\ndata: ${JSON.stringify(event(id))}\n\n`;

  it('is one sequence across connections that break in the middle of a frame', async () => {
    const server = await scripted((_request, response, count) => {
      if (count === 4) {
        response.writeHead(204).end();
        return;
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('retry: 10\n\n');
      if (count === 1) {
        response.write(': a comment\n\n' + frame(1) + frame(2) + frame(3).slice(0, 20));
        setTimeout(() => response.destroy(), 20);
      } else if (count === 2) {
        for (const character of frame(3)) response.write(character);
        response.end('event: gap\ndata: {"after":3,"before":7}\n\n' + frame(7));
      } else response.end();
    });
    expect(await collect(makeClient({ url: server.url }).stream('j'))).toEqual([1, 2, 3, 'gap 3-7', 7]);
    expect(server.asked.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '2', '7', '7']);
  });

  it('ends at once where the answer is no', async () => {
    const server = await scripted((_request, response) => say(response, 404, problem('not_found')));
    await expect(collect(makeClient({ url: server.url }).stream('j'))).rejects.toMatchObject({ code: 'not_found' });
    expect(server.asked).toHaveLength(1);
  });

  it('notices a connection that is dead', async () => {
    const server = await scripted((_request, response, count) => {
      if (count === 2) {
        response.writeHead(204).end();
        return;
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('retry: 10\n\n' + frame(1));
    });
    expect(await collect(makeClient({ url: server.url }).stream('j', { silenceMs: 100 }))).toEqual([1]);
  });

  it('loses patience with a server that has gone, and stops when told to', async () => {
    await expect(collect(makeClient({ url: await nobody() }).stream('j', { patienceMs: 0 }))).rejects.toBeInstanceOf(ApiError);
    const server = await scripted((_request, response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).write(frame(1)));
    const abort = new AbortController();
    const seen: number[] = [];
    await expect(
      (async () => {
        for await (const item of makeClient({ url: server.url }).stream('j', { signal: abort.signal })) {
          if (item.kind === 'event') seen.push(item.event.id);
          abort.abort();
        }
      })(),
    ).rejects.toThrow();
    expect(seen).toEqual([1]);
  });

  it('follows a real job to its end', async () => {
    const api = await startApi();
    const client = makeClient({ url: await api.listen() });
    const job = await api.submit();
    const seen = collect(client.stream(job));
    const owner = await api.own(job);
    const first = owner.claim.head().counters.events;
    await owner.commit({ updates: 57, microBatches: 288, end: { kind: 'completed', result: resultWith(Buffer.from('w'), 57) } });
    expect(await seen).toEqual([0, first, first + 1, first + 2]);
  });
});
