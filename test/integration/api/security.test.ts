// Web pages, other hosts and unknown tokens: none of them gets in, and no token gets out.
import { request } from 'node:http';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { buildServer } from '../../../api/server.js';
import { systemClock } from '../../../lib/clock.js';
import { SPEC, startApi } from '../../support/api.js';

const TOKEN = 'a-token-of-thirty-two-characters';
const NEXT = 'its-successor-of-thirty-two-char';

/** `fetch` does not let a Host be chosen. */
function ask(address: string, headers: Record<string, string>): Promise<number> {
  const { port } = new URL(address);
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: '/v1/jobs', headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

describe('on loopback', () => {
  it('only requests for this host are answered, whatever name leads here', async () => {
    const api = await startApi();
    const address = await api.listen();
    for (const host of ['localhost', 'localhost:8787', '127.0.0.1:1', '[::1]:8787', 'LOCALHOST']) expect([host, await ask(address, { host })]).toEqual([host, 200]);
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'evil.example:8787', '10.0.0.1', '0.0.0.0', 'localhost@evil.example', '[::2]', 'localhost:8787:1']) {
      expect([host, await ask(address, { host })]).toEqual([host, 403]);
    }
  });

  it('a web page is refused, with and without an Origin', async () => {
    const api = await startApi();
    for (const origin of ['https://evil.example', 'http://localhost:3000', 'null', 'http://127.0.0.1:8787.evil.example']) {
      const answer = await api.app.inject({ method: 'POST', url: '/v1/jobs', payload: SPEC, headers: { origin } });
      expect([origin, answer.statusCode, answer.json().error.code, answer.headers['access-control-allow-origin']]).toEqual([origin, 403, 'forbidden_origin', undefined]);
    }
    for (const site of ['cross-site', 'same-site']) expect((await api.app.inject({ url: '/v1/jobs', headers: { 'sec-fetch-site': site } })).statusCode).toBe(403);
    expect((await api.app.inject({ url: '/v1/jobs', headers: { 'sec-fetch-site': 'none' } })).statusCode).toBe(200);
    expect((await api.app.inject({ method: 'OPTIONS', url: '/v1/jobs', headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' } })).statusCode).toBe(403);
    expect(await api.keys()).toEqual([]);
  });

  it('its own page may write, from whichever name of this machine it came, and no page of another port', async () => {
    const api = await startApi();
    const { port } = new URL(await api.listen());
    const write = (host: string, origin: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const sent = request({ host: '127.0.0.1', port, path: '/v1/jobs?dry_run=true', method: 'POST', headers: { host, origin, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' } }, (answer) => {
          answer.resume();
          resolve(answer.statusCode ?? 0);
        });
        sent.on('error', reject).end(JSON.stringify(SPEC));
      });
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]) expect([host, await write(host, `http://${host}`)]).toEqual([host, 200]);
    // as a rebound name would come
    expect(await write(`evil.example:${port}`, `http://evil.example:${port}`)).toBe(403);
    for (const origin of [`http://localhost:${Number(port) + 1}`, `https://localhost:${port}`, `http://127.0.0.1:${port}`, 'null']) expect([origin, await write(`localhost:${port}`, origin)]).toEqual([origin, 403]);
  });

  it('pages of named origins may come', async () => {
    const origin = 'https://console.example';
    const api = await startApi({ corsOrigins: [origin], tokens: [TOKEN] });
    const before = await api.app.inject({ method: 'OPTIONS', url: '/v1/jobs', headers: { origin, 'access-control-request-method': 'POST' } });
    expect([before.statusCode, before.headers['access-control-allow-origin'], before.headers['vary']]).toEqual([204, origin, 'Origin']);
    const answer = await api.app.inject({ url: '/v1/jobs', headers: { origin, authorization: `Bearer ${TOKEN}` } });
    expect([answer.statusCode, answer.headers['access-control-allow-origin']]).toEqual([200, origin]);
    expect((await api.app.inject({ url: '/v1/jobs', headers: { origin } })).statusCode).toBe(401);
    expect((await api.app.inject({ url: '/v1/jobs', headers: { origin: `${origin}.evil.example`, authorization: `Bearer ${TOKEN}` } })).statusCode).toBe(403);
  });
});

describe('a token', () => {
  it('is asked for everywhere but at the two doors of load balancers, and any of the list is good', async () => {
    const api = await startApi({ tokens: [TOKEN, NEXT] });
    const status = async (url: string, authorization?: string) => (await api.app.inject({ url, headers: authorization === undefined ? {} : { authorization } })).statusCode;
    for (const open of ['/healthz', '/readyz']) expect([open, await status(open)]).toEqual([open, 200]);
    for (const url of ['/v1/jobs', '/metrics', '/v1/workers', '/nothing', '/healthz/../v1/jobs', '//healthz']) expect([url, await status(url)]).toEqual([url, 401]);
    for (const token of [TOKEN, NEXT]) expect(await status('/v1/jobs', `Bearer ${token}`)).toBe(200);
    for (const wrong of ['Bearer', 'Bearer ', `Basic ${TOKEN}`, TOKEN, `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(0, -1)}`, `Bearer ${TOKEN},${NEXT}`]) expect([wrong, await status('/v1/jobs', wrong)]).toEqual([wrong, 401]);
    const refused = await api.app.inject('/v1/jobs');
    expect(refused.headers['www-authenticate']).toBe('Bearer');
    expect(refused.json().error).toMatchObject({ type: 'unauthorized', code: 'unauthorized' });
  });

  it('is in no log, right or wrong', async () => {
    const lines: string[] = [];
    const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
    const api = await startApi();
    const app = buildServer({ store: api.store, queue: api.queue, clock: systemClock, log, places: { roots: [], buckets: null }, limits: { openJobs: 1_000, requestsPerMinute: null }, version: 'test', security: { tokens: [TOKEN], corsOrigins: [], host: '127.0.0.1' } });
    await app.inject({ url: '/v1/jobs', headers: { authorization: `Bearer ${TOKEN}` } });
    await app.inject({ url: '/v1/jobs', headers: { authorization: `Bearer ${NEXT}` } });
    await app.inject({ url: '/v1/workers', headers: { authorization: `Bearer ${TOKEN}` } });
    await app.close();
    expect(lines.length).toBeGreaterThan(3);
    expect(lines.join('')).not.toMatch(new RegExp(`${TOKEN}|${NEXT}`));
  });

  it('is needed to listen where others can reach', async () => {
    for (const host of ['0.0.0.0', '::', '192.168.1.1', 'pawl.example']) await expect(startApi({ host })).rejects.toMatchObject({ code: 'invalid_request', param: 'PAWL_API_TOKEN' });
    const api = await startApi({ host: '0.0.0.0', tokens: [TOKEN] });
    const answer = await api.app.inject({ url: '/v1/jobs', headers: { host: 'pawl.example', authorization: `Bearer ${TOKEN}` } });
    expect(answer.statusCode).toBe(200);
  });
});
