// One key, one job: repeats, races, other bodies, and data that has changed since.
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SPEC, startApi, type TestApi } from '../../support/api.js';

const send = (api: TestApi, key: string, payload: object = SPEC) => api.app.inject({ method: 'POST', url: '/v1/jobs', payload, headers: { 'idempotency-key': key } });

describe('an idempotency key', () => {
  it('answers a repeat with the first status and the job as it is now', async () => {
    const api = await startApi();
    const first = await send(api, 'k1');
    expect([first.statusCode, first.headers['idempotent-replayed']]).toEqual([201, undefined]);
    const { id } = first.json();
    await api.app.inject({ method: 'POST', url: `/v1/jobs/${id}/pause` });
    const again = await send(api, 'k1');
    expect([again.statusCode, again.headers['idempotent-replayed'], again.json().id, again.json().status]).toEqual([201, 'true', id, 'paused']);
    expect((await send(api, 'k2')).json().id).not.toBe(id);
  });

  it('is the same body whatever the order of its keys, and refuses another one', async () => {
    const api = await startApi();
    const { id } = (await send(api, 'k')).json();
    expect((await send(api, 'k', Object.fromEntries(Object.entries(SPEC).reverse()))).json().id).toBe(id);
    const before = await api.keys();
    const other = await send(api, 'k', { ...SPEC, name: 'another' });
    expect([other.statusCode, other.json().error]).toMatchObject([409, { code: 'idempotency_key_reused', param: 'Idempotency-Key' }]);
    expect(await api.keys()).toEqual(before);
  });

  it('makes one job of ten requests at once', async () => {
    const api = await startApi();
    const answers = await Promise.all(Array.from({ length: 10 }, () => send(api, 'race')));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array(10).fill(201));
    expect(new Set(answers.map((answer) => answer.json().id)).size).toBe(1);
    expect((await api.keys()).filter((key) => key.endsWith('/job.json'))).toHaveLength(1);
    expect((await api.keys()).filter((key) => key.startsWith('open/'))).toHaveLength(1);
  });

  it('refuses all but one of different bodies at once, and leaves nothing of the others', async () => {
    const api = await startApi();
    const answers = await Promise.all(Array.from({ length: 6 }, (_, index) => send(api, 'race', { ...SPEC, name: `body-${index}` })));
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([201, ...Array(5).fill(409)]);
    const { id } = answers.find(({ statusCode }) => statusCode === 201)!.json();
    expect((await api.keys()).filter((key) => !key.startsWith('keys/')).sort()).toEqual([`jobs/${id}/job.json`, `open/${id}.0`]);
  });

  it('finishes what an interrupted submit left, under the id that was stored first', async () => {
    const api = await startApi();
    const { id } = (await send(api, 'k')).json();
    await api.store.delete(`jobs/${id}/job.json`);
    await api.store.delete(`open/${id}.0`);
    const again = await send(api, 'k');
    expect([again.statusCode, again.json().id]).toEqual([201, id]);
    expect(await api.keys()).toContain(`open/${id}.0`);
  });

  it('is honoured although the data is no longer what it was', async () => {
    const api = await startApi();
    const data = join(api.dataRoot, 'data.npz');
    await copyFile('test/fixtures/cnn/seed/data.npz', data);
    const spec = { ...SPEC, data: { type: 'npz', path: 'data.npz' }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] } };
    const first = await send(api, 'k', spec);
    expect([first.statusCode, first.json().error]).toEqual([201, null]);
    await writeFile(data, 'overwritten');
    expect((await send(api, 'another', spec)).json().error.code).toBe('invalid_data');
    expect((await send(api, 'k', spec)).headers['idempotent-replayed']).toBe('true');
  });

  it('has to be readable', async () => {
    const api = await startApi();
    for (const key of ['', ' ', 'x'.repeat(256), 'ü']) expect([key, (await send(api, key)).json().error]).toMatchObject([key, { code: 'invalid_request', param: 'Idempotency-Key' }]);
    for (const url of ['/v1/jobs?dry_run=true', '/v1/sweeps?dry_run=true']) {
      const answer = await api.app.inject({ method: 'POST', url, payload: SPEC, headers: { 'idempotency-key': 'ü' } });
      expect([url, answer.json().error]).toMatchObject([url, { code: 'invalid_request', param: 'Idempotency-Key' }]);
    }
    expect(await api.keys()).toEqual([]);
  });
});
