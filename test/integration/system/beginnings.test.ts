// Jobs that begin with another's checkpoint: its weights, or its whole state, which goes on in the bits of a job that was never two.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { isAppError } from '../../../lib/errors.js';
import { admitSpec } from '../../../lib/jobs/admission.js';
import { type Proc, startTestSystem, type TestSystem, trainerOf } from '../../support/system.js';

let system: TestSystem;
let worker: Proc;
beforeAll(async () => {
  system = await startTestSystem();
  await system.startController();
  worker = await system.startWorker();
});
afterAll(() => system.stop());

const LAYERS: JobSpecInput['model']['layers'] = [{ type: 'conv2d', filters: 4, kernel_size: 3, activation: 'relu' }, { type: 'batch_normalization' }, { type: 'dropout', rate: 0.2 }, { type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }];
const spec = (training: JobSpecInput['training'], init: JobSpecInput['model']['init'] = null, checkpoint: JobSpecInput['checkpoint'] = { every_micro_batches: 5 }): JobSpecInput => ({
  data: { type: 'builtin', name: 'digits', normalize: 'unit' },
  model: { layers: LAYERS, init },
  training: { batch_size: 16, accum_iters: 3, seed: 5, optimizer: { type: 'adam', lr: 0.01, decay: 1e-2 }, ...training },
  checkpoint,
});

/** As the API takes a job in. */
async function submit(input: JobSpecInput): Promise<string> {
  const { spec: admitted, beginning } = await admitSpec(input, { roots: [], buckets: null }, system.store);
  return system.submit(admitted, beginning);
}
async function finished(input: JobSpecInput) {
  const job = await submit(input);
  const head = await system.terminal(job);
  return { job, head };
}
async function succeeded(input: JobSpecInput) {
  const { job, head } = await finished(input);
  expect(head.state, head.message ?? '').toBe('succeeded');
  return { job, head, result: head.result! };
}
async function refusals(input: JobSpecInput): Promise<string[]> {
  const problems = await admitSpec(input, { roots: [], buckets: null }, system.store).then(
    () => [],
    (error: unknown) => (isAppError(error) ? error.details : Promise.reject(error as Error)),
  );
  return problems.map(({ param, message }) => `${param}: ${message}`);
}

describe('a job that begins with another’s', () => {
  test('state goes on in the bits of a single training, also after a kill', async () => {
    const whole = await succeeded(spec({ max_updates: 300 }));
    const first = await succeeded(spec({ max_updates: 20 }));
    const branch: JobSpecInput = spec({ max_updates: 300 }, { job: first.job, include: 'state' });
    const job = await submit(branch);
    // killed once it has committed something of its own
    await system.until(job, 'has committed', ({ seq, owner }) => seq > 0 && owner !== null);
    process.kill(await trainerOf(worker), 'SIGKILL');
    const head = await system.terminal(job);
    expect(head.state, head.message ?? '').toBe('succeeded');
    expect(head.result).toMatchObject({ weights_sha256: whole.result.weights_sha256, state_sha256: whole.result.state_sha256, updates: 300 });
    expect((await system.attempts(job)).length, 'the fault struck').toBeGreaterThan(1);
    const [rows, all] = [await system.rows(job), await system.rows(whole.job)];
    expect(rows).toEqual(all.slice(20));
    // what it began with is named, and stays
    const { checkpoint } = (await admitSpec(branch, { roots: [], buckets: null }, system.store)).beginning!.init;
    expect((await system.head(first.job)).pins).toEqual([checkpoint]);
  });

  test('weights are fine-tuned: fresh slots, and any other training', async () => {
    const first = await succeeded(spec({ max_updates: 5, ema: { momentum: 0.5 } }));
    // a step that no float32 weight feels; moving statistics do move
    const tuned = await succeeded({ ...spec({ max_updates: 1, batch_size: 9, optimizer: { type: 'sgd', lr: 1e-30 } }, { job: first.job }), model: { layers: LAYERS.map((layer) => ({ ...layer, trainable: layer.type === 'dense' })), init: { job: first.job } } });
    expect(tuned.result.weights_sha256).toBe(first.result.weights_sha256);
  });

  test('weights or state is verified from the store that holds them, and nowhere else', async () => {
    const { url } = await system.startApi();
    const first = await submit(spec({ max_updates: 300 }, null, { every_micro_batches: 5, keep_last: 50 }));
    const open = (await system.until(first, 'has committed inside a window', ({ retained }) => retained.some(({ window_position: position }) => position > 0))).retained.find(({ window_position: position }) => position > 0)!;
    const branches = { weights: '', state: '' };
    for (const include of ['weights', 'state'] as const) branches[include] = await submit(spec({ max_updates: open.updates + 12 }, { job: first, checkpoint: open.id, include }));
    await system.terminal(first);
    for (const [include, job] of Object.entries(branches)) {
      const { state, result, message } = await system.terminal(job);
      expect(state, message ?? '').toBe('succeeded');
      const { code, out, err } = await system.pawl(url, ['verify', job, '--json']);
      expect(code, err).toBe(0);
      const { same, comparisons } = JSON.parse(out) as { same: boolean; comparisons: { what: string; job: string; again: string }[] };
      expect(same).toBe(true);
      expect(comparisons).toEqual(expect.arrayContaining([expect.objectContaining({ what: 'weights', again: result!.weights_sha256 }), expect.objectContaining({ what: 'state', again: result!.state_sha256 }), expect.objectContaining({ what: 'rows', again: `${include === 'state' ? 12 : open.updates + 12} rows` })]));
      const elsewhere = await system.pawl(url, ['verify', job], { PAWL_STORE: `file:${join(system.folder, 'another-store')}` });
      expect(elsewhere).toMatchObject({ code: 2, out: '', err: expect.stringMatching(new RegExp(`has no job ${first}, .*PAWL_STORE`)) as string });
    }
    // it is that checkpoint which is read: with a byte of it changed nothing is said to be the same
    const blob = (await system.head(first)).retained.find(({ id }) => id === open.id)!.blobs.find(({ role }) => role === 'slots')!;
    const { body } = (await system.store.get(blob.key))!;
    await system.store.put(blob.key, Buffer.concat([body.subarray(0, -1), Buffer.of(body.at(-1)! ^ 1)]));
    expect(await system.pawl(url, ['verify', branches.state])).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/slots does not match its sha256/) as string });
    await system.store.put(blob.key, body);
  });

  test('old checkpoint keeps it, while the other trains on', async () => {
    const source = await submit(spec({ max_updates: 400 }));
    const early = (await system.until(source, 'has committed', (head) => head.retained.length > 0)).retained[0]!;
    await submit(spec({ max_updates: 401 }, { job: source, checkpoint: early.id, include: 'state' }));
    const head = await system.terminal(source);
    expect(head.seq).toBeGreaterThan(early.seq + 2);
    expect(head.retained.map(({ id }) => id)).toContain(early.id);
    for (const blob of early.blobs) expect(await system.store.head(blob.key), blob.key).not.toBeNull();
  });

  test('data that is not the same is an invalid beginning of a state', async () => {
    const first = await succeeded(spec({ max_updates: 5 }));
    const other = spec({ max_updates: 9 }, { job: first.job, include: 'state' });
    const { head } = await finished({ ...other, data: { type: 'builtin', name: 'synthetic', samples: 1797, shape: [8, 8, 1], classes: 10, seed: 4 } });
    expect(head).toMatchObject({ state: 'failed', error: { code: 'invalid_data', param: 'model.init.job', message: expect.stringMatching(/belongs to other data/) as string } });
  });

  test('and does not fit it is refused before it is taken in', async () => {
    const nobody = 'job_01j8zq4v9m3c7t5x2w6e0r8n1k';
    expect(await refusals(spec({}, { job: nobody }))).toEqual([`model.init.job: there is no job ${nobody}`]);
    const late = await submit({ ...spec({ max_updates: 5 }), run: { start_after: '2099-01-01T00:00:00Z' } });
    expect(await refusals(spec({}, { job: late }))).toEqual([`model.init.job: the job ${late} has no checkpoint yet`]);
    const { job: done } = await succeeded(spec({ max_updates: 5 }));
    const of = (training: JobSpecInput['training'], include: 'weights' | 'state', more: Partial<{ checkpoint: string; layers: JobSpecInput['model']['layers'] }> = {}) =>
      refusals({ ...spec(training, null), model: { layers: more.layers ?? LAYERS, init: { job: done, include, ...(more.checkpoint === undefined ? {} : { checkpoint: more.checkpoint }) } } });
    const ckpt = 'ckpt_01j8zq4v9m3c7t5x2w6e0r8n1k';
    expect(await of({}, 'weights', { checkpoint: ckpt })).toEqual([`model.init.checkpoint: checkpoint ${ckpt} is not among the retained ones of ${done}`]);
    expect(await of({}, 'weights', { layers: [{ type: 'flatten' }, { type: 'dense', units: 10 }] })).toEqual(expect.arrayContaining([expect.stringMatching(/^model.init.job: the tensor "dense_1\/kernel" has shape/)]));
    expect(await of({ max_updates: 9, optimizer: { type: 'sgd', momentum: 0.9 } }, 'state')).toEqual(expect.arrayContaining([expect.stringMatching(/^model.init.job: the tensor "optimizer\/conv2d_1\/kernel\/momentum" .* is missing/)]));
    expect(await of({ max_updates: 9, batch_size: 7 }, 'state')).toEqual([expect.stringMatching(/^model.init.checkpoint: its place in the training is none of this one: cursor.position .*begin with its weights/)]);
    expect(await of({ max_updates: 5 }, 'state')).toEqual(['model.init.checkpoint: the training is over at its place: there is nothing left to train']);
    expect(await of({ max_updates: 9 }, 'state')).toEqual([]);
  });
});
