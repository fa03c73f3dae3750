// Submitting a job that begins with another's checkpoint: which pins stay, and that whoever is refused leaves none.
import { describe, expect, it } from 'vitest';
import { encodeSafetensors } from '../../../lib/checkpoints/safetensors.js';
import { AppError } from '../../../lib/errors.js';
import { readHead } from '../../../lib/jobs/head.js';
import type { Store } from '../../../lib/store/index.js';
import { SPEC, startApi, type TestApi } from '../../support/api.js';
import type { TestOwner } from '../../support/owner.js';

const f32 = (fill: number, ...shape: number[]) => ({ dtype: 'F32', shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(fill) }) as const;
const weights = (fill: number): Buffer => encodeSafetensors(new Map([['dense_1/kernel', f32(fill, 64, 10)], ['dense_1/bias', f32(fill, 10)]]));

/** What a test does before a verb of the store reaches it. */
interface Gate {
  before?: (verb: 'put' | 'putIfAbsent', key: string) => Promise<void>;
}
const gated = (gate: Gate) => (store: Store): Store => ({
  ...store,
  put: async (key, ...rest) => {
    await gate.before?.('put', key);
    return store.put(key, ...rest);
  },
  putIfAbsent: async (key, ...rest) => {
    await gate.before?.('putIfAbsent', key);
    return store.putIfAbsent(key, ...rest);
  },
});

interface World {
  api: TestApi;
  gate: Gate;
  owner: TestOwner;
  source: string;
  checkpoints: string[];
  pins(): Promise<string[]>;
  /** What the store holds of any other job. */
  others(): Promise<string[]>;
  send(init: object, key?: string): Promise<{ status: number; id: string; error: { code: string; param: string } | undefined }>;
}
async function world(): Promise<World> {
  const gate: Gate = {};
  const api = await startApi({ wrapStore: gated(gate) });
  const source = await api.submit();
  const owner = await api.own(source);
  for (const n of [1, 2]) await owner.commit({ updates: n, microBatches: 5 * n, weights: weights(n) });
  const head = async () => (await readHead({ store: api.store }, source)).head;
  return {
    api, gate, owner, source,
    checkpoints: (await head()).retained.map(({ id }) => id),
    pins: async () => (await head()).pins,
    others: async () => (await api.keys()).filter((key) => !key.includes(source) && !key.startsWith('keys/')),
    send: async (init, key) => {
      const answer = await api.app.inject({ method: 'POST', url: '/v1/jobs', headers: key === undefined ? {} : { 'idempotency-key': key }, payload: { ...SPEC, model: { ...SPEC.model, init: { job: source, ...init } } } });
      const { id, error } = answer.json<{ id: string; error: { code: string; param: string } | undefined }>();
      return { status: answer.statusCode, id, error: error ?? undefined };
    },
  };
}
const away = () => Promise.reject(new AppError('store_unavailable', 'the store is away', { retryAfterSeconds: 1 }));

describe('a job that begins with a checkpoint', () => {
  it('pins it, once for all that begin there, and no dry run or refusal does', async () => {
    const { api, pins, others, send, checkpoints, source } = await world();
    const dry = await api.app.inject({ method: 'POST', url: '/v1/jobs?dry_run=true', payload: { ...SPEC, model: { ...SPEC.model, init: { job: source } } } });
    expect([dry.statusCode, (await send({ checkpoint: checkpoints[0]!, include: 'nothing' })).status, (await send({ checkpoint: `ckpt_${'0'.repeat(26)}` })).status]).toEqual([200, 400, 400]);
    expect([await pins(), await others()]).toEqual([[], []]);
    const answers = await Promise.all([send({}), send({}), send({ checkpoint: checkpoints[1]! })]);
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(await pins()).toEqual([checkpoints[1]]);
    for (const { id } of answers) expect(await others()).toEqual(expect.arrayContaining([`jobs/${id}/job.json`, `open/${id}.0`]));
  });

  it('and goes on inside an epoch sums its losses up as before', async () => {
    const { api, owner, source } = await world();
    const params = async (training: object): Promise<string[]> => {
      const answer = await api.app.inject({ method: 'POST', url: '/v1/jobs', payload: { ...SPEC, training: { ...SPEC.training, ...training }, model: { ...SPEC.model, init: { job: source, include: 'state' } } } });
      return answer.json<{ error?: { details: { param: string }[] } }>().error?.details.map(({ param }) => param).filter((param) => param.startsWith('training')) ?? [];
    };
    const others = { reduction: 'batch', metrics: ['accuracy', { type: 'top_k_accuracy', k: 3 }] };
    expect(await params(others)).toEqual([]);
    await owner.commit({ updates: 2, microBatches: 12, windowPosition: 2, weights: weights(3) });
    expect([await params({}), await params(others)]).toEqual([[], ['training.reduction', 'training.metrics']]);
  });

  it('is one of several bodies under one key: the others leave no pin, and nothing else', async () => {
    const { gate, pins, others, send, checkpoints } = await world();
    // all are admitted before the first has its key
    let waiting = 0;
    let release!: () => void;
    const all = new Promise<void>((resolve) => (release = resolve));
    gate.before = async (_verb, key) => {
      if (!key.startsWith('keys/')) return;
      if (++waiting === 2) release();
      await all;
    };
    const answers = await Promise.all(checkpoints.map((checkpoint) => send({ checkpoint }, 'race')));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
    const won = answers.findIndex(({ status }) => status === 201);
    expect(await pins()).toEqual([checkpoints[won]]);
    expect((await others()).sort()).toEqual([`jobs/${answers[won]!.id}/job.json`, `open/${answers[won]!.id}.0`]);
  });

  it('leaves nothing where its key cannot be stored, or the checkpoint has gone meanwhile', async () => {
    const { gate, owner, pins, others, send, checkpoints } = await world();
    gate.before = (_verb, key) => (key.startsWith('keys/') ? away() : Promise.resolve());
    expect(await send({}, 'k1')).toMatchObject({ status: 503 });
    expect([await pins(), await others()]).toEqual([[], []]);

    gate.before = async (_verb, key) => {
      if (!key.startsWith('keys/')) return;
      delete gate.before;
      await owner.commit({ updates: 3, microBatches: 15, weights: weights(3) });
    };
    expect(await send({ checkpoint: checkpoints[0]! }, 'k2')).toMatchObject({ status: 400, error: { code: 'invalid_spec', param: 'model.init.checkpoint' } });
    expect([await pins(), await others()]).toEqual([[], []]);
    // the key stands for nothing yet
    expect(await send({ checkpoint: checkpoints[1]! }, 'k2')).toMatchObject({ status: 409, error: { code: 'idempotency_key_reused' } });
    expect(await pins()).toEqual([]);
  });

  it('that could not be acknowledged keeps its pin for the repeat that finishes it', async () => {
    const { gate, pins, others, send, checkpoints } = await world();
    gate.before = (verb, key) => (verb === 'putIfAbsent' && key.endsWith('/job.json') ? away() : Promise.resolve());
    expect(await send({}, 'k')).toMatchObject({ status: 503 });
    expect(await pins()).toEqual([checkpoints[1]]);
    const [marker, ...more] = await others();
    expect([marker, more]).toEqual([expect.stringMatching(/^open\/job_\w+\.0$/), []]);
    delete gate.before;
    const { status, id } = await send({}, 'k');
    expect([status, `open/${id}.0`]).toEqual([201, marker]);
    expect(await pins()).toEqual([checkpoints[1]]);
  });
});
