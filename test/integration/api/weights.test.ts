// Downloading weights: whole, in ranges, conditionally, damaged, and from jobs that have none.
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Head } from '../../../lib/contract/records.js';
import type { Store } from '../../../lib/store/index.js';
import { resultWith, sha256, startApi, type TestApi } from '../../support/api.js';

async function finished(weights: Buffer): Promise<{ api: TestApi; job: string; url: string }> {
  const api = await startApi();
  const job = await api.submit();
  const owner = await api.own(job);
  await owner.commit({ updates: 1, microBatches: 5, weights: Buffer.from('earlier') });
  await owner.commit({ updates: 57, microBatches: 288, weights, end: { kind: 'completed', result: resultWith(weights, 57) } });
  return { api, job, url: `/v1/jobs/${job}/weights` };
}

describe('weights', () => {
  it('are the result’s bytes, under their hash', async () => {
    // More than one piece.
    const weights = randomBytes(9 << 20);
    const { api, job, url } = await finished(weights);
    const answer = await api.app.inject(url);
    expect(answer.statusCode).toBe(200);
    expect(sha256(answer.rawPayload)).toBe(sha256(weights));
    expect(answer.headers).toMatchObject({ etag: `"${sha256(weights)}"`, 'content-length': String(weights.length), 'accept-ranges': 'bytes', 'content-type': 'application/octet-stream', 'content-disposition': `attachment; filename="${job}.safetensors"` });
    const head = await api.app.inject({ method: 'HEAD', url });
    expect([head.statusCode, head.rawPayload.length, head.headers['content-length'], head.headers['etag']]).toEqual([200, 0, String(weights.length), answer.headers['etag']]);
  });

  it('come in ranges', async () => {
    const weights = randomBytes(10_000);
    const { api, url } = await finished(weights);
    const ranged = (range: string, more = {}) => api.app.inject({ url, headers: { range, ...more } });
    for (const [range, from, to] of [['bytes=0-99', 0, 99], ['bytes=9990-', 9990, 9999], ['bytes=-10', 9990, 9999], ['bytes=5-1000000', 5, 9999]] as const) {
      const answer = await ranged(range);
      expect([answer.statusCode, answer.headers['content-range']]).toEqual([206, `bytes ${from}-${to}/10000`]);
      expect(answer.rawPayload.equals(weights.subarray(from, to + 1))).toBe(true);
    }
    const beyond = await ranged('bytes=10000-');
    expect([beyond.statusCode, beyond.headers['content-range'], beyond.json().error.code]).toEqual([416, 'bytes */10000', 'range_not_satisfiable']);
    expect((await ranged('bytes=0-1,5-6')).statusCode).toBe(200);
    expect((await ranged('bytes=0-9', { 'if-range': '"another"' })).statusCode).toBe(200);
    expect((await ranged('bytes=0-9', { 'if-range': `"${sha256(weights)}"` })).statusCode).toBe(206);
  });

  it('are not sent again to who has them', async () => {
    const weights = randomBytes(100);
    const { api, url } = await finished(weights);
    const answer = await api.app.inject({ url, headers: { 'if-none-match': `"x", "${sha256(weights)}"` } });
    expect([answer.statusCode, answer.rawPayload.length]).toEqual([304, 0]);
  });

  it('of a checkpoint come to their end while the job commits on and drops others', async () => {
    let struck = 0;
    let between = async (): Promise<void> => undefined;
    const wrapStore = (store: Store): Store => ({
      ...store,
      get: async (key, options) => {
        if (options?.range !== undefined && options.range.start > 0 && struck++ === 0) await between();
        return store.get(key, options);
      },
    });
    const api = await startApi({ wrapStore });
    const job = await api.submit();
    const owner = await api.own(job);
    // More than one piece.
    const weights = randomBytes(9 << 20);
    const { retained: [read] } = await owner.commit({ updates: 1, microBatches: 5, weights });
    const commitOn = async (from: number): Promise<Head> => {
      let head = owner.claim.head();
      for (let updates = from; updates < from + 5; updates++) head = await owner.commit({ updates, microBatches: 5 * updates });
      return head;
    };
    let after: Head | null = null;
    between = async () => void (after = await commitOn(2));
    const answer = await api.app.inject(`/v1/jobs/${job}/weights?checkpoint=${read!.id}`);
    expect([answer.statusCode, sha256(answer.rawPayload), struck > 0]).toEqual([200, sha256(weights), true]);
    const others = after!.retained.map(({ updates }) => updates).filter((updates) => updates > 1);
    expect(others).not.toContain(2);
    expect(after!.holds).toMatchObject([{ checkpoint: read!.id }]);
  });

  it('of a checkpoint are there before the end, those of the result are not', async () => {
    const api = await startApi();
    const job = await api.submit();
    const url = `/v1/jobs/${job}/weights`;
    const early = await api.app.inject(url);
    expect([early.statusCode, early.json().error.type, early.json().error.code]).toEqual([409, 'not_ready', 'not_ready']);
    const head = await (await api.own(job)).commit({ updates: 1, microBatches: 5, weights: Buffer.from('so far') });
    expect((await api.app.inject(url)).statusCode).toBe(409);
    expect((await api.app.inject(`${url}?checkpoint=${head.retained[0]!.id}`)).body).toBe('so far');
    const unknown = await api.app.inject(`${url}?checkpoint=ckpt_01jzzzzzzzzzzzzzzzzzzzzzzz`);
    expect([unknown.statusCode, unknown.json().error.param]).toEqual([404, 'checkpoint']);
    expect((await api.app.inject(`${url}?checkpoint=${head.retained[0]!.id}&weights=ema`)).json().error).toMatchObject({ code: 'invalid_request', param: 'weights' });
  });

  it('that are damaged never come out whole', async () => {
    const weights = randomBytes(5 << 20);
    const { api, job, url } = await finished(weights);
    const { retained } = JSON.parse((await api.store.get(`jobs/${job}/HEAD`))!.body.toString());
    const { key } = retained.at(-1).blobs[0];
    const damaged = Buffer.from(weights);
    damaged[100]! ^= 1;
    await api.store.put(key, damaged);
    const address = await api.listen();
    await expect(fetch(`${address}${url}`).then((response) => response.arrayBuffer())).rejects.toThrow();
    await api.store.put(key, weights.subarray(0, 100));
    const short = await fetch(`${address}${url}`);
    expect([short.status, ((await short.json()) as { error: object }).error]).toMatchObject([500, { code: 'checkpoint_corrupt', message: 'the stored data of this job is damaged', details: [] }]);
  });
});
