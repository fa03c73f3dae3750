// The API as a process of its own: how it starts, and every way in which it has to go.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeClient } from '../../../api/client.js';
import { SPEC, until } from '../../support/api.js';
import { startRedis } from '../../support/redis.js';
import { makeTempDir } from '../../support/temp.js';

const MAIN = join(import.meta.dirname, '../../../dist/api/main.js');

interface Started {
  child: ChildProcess;
  url: string;
  err(): string;
  /** The exit code, or the signal's name. */
  ended: Promise<number | string>;
}

async function start(env: Record<string, string> = {}): Promise<Started> {
  const folder = await makeTempDir('process');
  const child = fork(MAIN, [], { cwd: folder.path, stdio: ['ignore', 'ignore', 'pipe', 'ipc'], env: { PATH: process.env['PATH'], PAWL_PORT: '0', REDIS_URL: 'redis://127.0.0.1:9', ...env } });
  let err = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
  const ended = new Promise<number | string>((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal ?? '')));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
    await folder.remove();
  });
  const ready = new Promise<string>((resolve) => child.on('message', (message: { type: string; url: string }) => message.type === 'ready' && resolve(message.url)));
  const url = await Promise.race([ready, ended.then(() => '')]);
  return { child, url, err: () => err, ended };
}

/** Serves, streams, closes, and then has nothing left to live for. */
const BRIEF_LIFE = `
  const [dist, folder] = process.argv.slice(2);
  const { buildServer } = await import(dist + '/api/server.js');
  const { makeClient } = await import(dist + '/api/client.js');
  const { systemClock } = await import(dist + '/lib/clock.js');
  const { silentLog } = await import(dist + '/lib/log.js');
  const { connectQueue } = await import(dist + '/lib/queue/index.js');
  const { makeFileStore } = await import(dist + '/lib/store/file.js');
  const store = await makeFileStore({ root: folder });
  const queue = connectQueue({ url: process.env.REDIS_URL });
  const app = buildServer({ store, queue, clock: systemClock, log: silentLog, places: { roots: [], buckets: null }, limits: { openJobs: 1_000, requestsPerMinute: null }, version: 'test', security: { tokens: [], corsOrigins: [], host: '127.0.0.1' } });
  const client = makeClient({ url: await app.listen({ host: '127.0.0.1', port: 0 }) });
  const { job } = await client.submit(SPEC);
  const stop = new AbortController();
  for await (const item of client.stream(job.id, { signal: stop.signal })) break;
  await client.jobs();
  await client.verb(job.id, 'cancel');
  await client.preempt(job.id).catch(() => undefined);
  await client.workers().catch(() => undefined);
  await app.close();
  await queue.close();
  await store.close();
  console.error('closed');
`;

describe('the API’s process', () => {
  it('serves without Redis, and ends in order on SIGTERM, with a stream open', async () => {
    const { child, url, ended } = await start();
    const client = makeClient({ url });
    const { job } = await client.submit(SPEC);
    const seen: string[] = [];
    const stream = (async () => {
      for await (const item of client.stream(job.id, { patienceMs: 0 })) if (item.kind === 'event') seen.push(item.event.type);
    })().catch((error: unknown) => error);
    await until('a first event', async () => seen.length > 0);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(await stream).toMatchObject({ code: 'unreachable' });
  });

  it('goes when its parent has gone', async () => {
    const { child, ended } = await start();
    child.disconnect();
    expect(await ended).toBe(0);
  });

  it('has nothing left to live for once the server is closed', async () => {
    const redis = await startRedis({ appendonly: false });
    const folder = await makeTempDir('brief');
    onTestFinished(async () => {
      await redis.stop();
      await folder.remove();
    });
    const script = join(folder.path, 'brief.mjs');
    await writeFile(script, BRIEF_LIFE.replace('SPEC', JSON.stringify(SPEC)));
    for (const url of [redis.url, 'redis://127.0.0.1:9']) {
      const child = spawn(process.execPath, [script, join(MAIN, '../..'), join(folder.path, 'store')], { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env['PATH'], REDIS_URL: url } });
      let err = '';
      let closedAt = 0;
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        err += text;
        closedAt = performance.now();
      });
      const late = setTimeout(() => child.kill('SIGKILL'), 30_000);
      const code = await new Promise((resolve) => child.on('exit', (status, signal) => resolve(status ?? signal)));
      clearTimeout(late);
      expect([url, code, err]).toEqual([url, 0, 'closed\n']);
      expect(performance.now() - closedAt).toBeLessThan(5_000);
    }
  });

  it('does not start open to others, nor with an environment that cannot be', async () => {
    const open = await start({ PAWL_HOST: '0.0.0.0' });
    expect([open.url, await open.ended]).toEqual(['', 2]);
    expect(open.err()).toMatch(/^PAWL_HOST is 0\.0\.0\.0, which others can reach: set PAWL_API_TOKEN/);
    const wrong = await start({ PAWL_PORT: 'http', PAWL_API_TOKEN: 'short' });
    expect(await wrong.ended).toBe(2);
    expect(wrong.err()).toMatch(/PAWL_PORT .*; PAWL_API_TOKEN/);
    const bound = await start({ PAWL_HOST: '0.0.0.0', PAWL_API_TOKEN: 'a-token-of-thirty-two-characters' });
    expect(bound.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    await expect(makeClient({ url: bound.url }).jobs()).rejects.toMatchObject({ status: 401 });
    expect(bound.err()).not.toContain('a-token-of-thirty-two-characters');
  });
});
