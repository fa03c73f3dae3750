// What is said of a sweep when it is taken in that only its data can tell, and is remembered.
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../lib/clock.js';
import { admitSweep, sweepDryRun } from '../../../lib/sweeps/admission.js';
import { openLog } from '../../../lib/sweeps/log.js';
import { submitSweep } from '../../../lib/sweeps/submit.js';
import { makeFileStore } from '../../../lib/store/file.js';
import { makeTempDir } from '../../support/temp.js';
import { told } from './spaces.js';

const PLACES = { roots: [], buckets: null };
const sweepOf = (early_terminate: object, training: object = { max_updates: 9, epochs: 100 }) => ({
  method: 'random', metric: { name: 'loss' }, run_cap: 9, parameters: { lr: { min: 0.01, max: 0.1 } }, early_terminate: { type: 'asha', min_iter: 1, ...early_terminate },
  job: { data: { type: 'builtin', name: 'digits' }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] }, training },
});

async function storeOf() {
  const folder = await makeTempDir('admission');
  onTestFinished(folder.remove);
  const store = await makeFileStore({ root: folder.path });
  onTestFinished(() => store.close());
  return store;
}

test('rungs beyond the end of the training are a warning, in a dry run and ever after', async () => {
  const store = await storeOf();
  const admitted = await admitSweep(sweepOf({ max_iter: 27 }), PLACES, store);
  const warning = 'early_terminate.max_iter: is 27, and the whole training of a trial with parameters in the middle ends at 9 updates: the last rungs may never be reached';
  expect(told(sweepDryRun(admitted).warnings)).toEqual([warning]);
  const { record } = await submitSweep({ store, clock: systemClock }, { id: `swp_${'0'.repeat(26)}`, principal: 'test', key: null, bodySha256: '', ...admitted });
  expect(told((await openLog({ store, clock: systemClock }, record)).warnings)).toEqual([warning]);
});

test.each<[string, object, object?]>([
  ['at its end', { max_iter: 9 }],
  ['before its end', { max_iter: 3 }],
  ['of samples, at its end', { resource: 'samples', max_iter: 9 * 4 * 5 }, { max_updates: 9, epochs: 100, batch_size: 4, accum_iters: 5 }],
  ['where they are not said', {}],
])('a last rung is no warning: %s', async (_, rule, training) => {
  expect(await admitSweep(sweepOf(rule, training), PLACES, await storeOf())).toMatchObject({ warnings: [], noted: [] });
});

test('rungs of samples are compared with samples', async () => {
  const { warnings } = await admitSweep(sweepOf({ resource: 'samples', max_iter: 181 }, { max_updates: 9, epochs: 100, batch_size: 4, accum_iters: 5 }), PLACES, await storeOf());
  expect(told(warnings)).toEqual([expect.stringContaining('ends at 180 samples')]);
});
