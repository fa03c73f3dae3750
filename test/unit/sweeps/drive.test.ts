// A sweep driven over a real file store, with the HEADs of its trials' jobs as workers would have left them.
import { expect, onTestFinished, test } from 'vitest';
import type { Head } from '../../../lib/contract/records.js';
import { emptyHead } from '../../../lib/jobs/lifecycle.js';
import { headKey } from '../../../lib/jobs/names.js';
import { toJson } from '../../../lib/jobs/record.js';
import { admitSpec } from '../../../lib/jobs/admission.js';
import { type DriveDeps, driveSweep, type Known } from '../../../lib/sweeps/drive.js';
import { createSweep, openLog } from '../../../lib/sweeps/log.js';
import { trialJob } from '../../../lib/sweeps/names.js';
import { resolveSweep } from '../../../lib/sweeps/resolve.js';
import { makeFileStore } from '../../../lib/store/file.js';
import { makeTempDir } from '../../support/temp.js';

const SWEEP = {
  method: 'random', metric: { name: 'loss' }, run_cap: 9, parameters: { lr: { min: 0.01, max: 0.1 } }, budget: { compute_seconds: 80, max_concurrent: 1 }, early_terminate: { type: 'asha', min_iter: 1, max_iter: 9 },
  job: { data: { type: 'builtin', name: 'digits' }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] }, training: { max_updates: 9, epochs: 100 } },
};

test.each([['one controller', false], ['another controller each time', true]])('time of trials that wait at a rung counts against the budget: %s', async (_, anew) => {
  const folder = await makeTempDir('drive');
  onTestFinished(folder.remove);
  const store = await makeFileStore({ root: folder.path });
  onTestFinished(() => store.close());
  const deps: DriveDeps = {
    store, clock: { now: () => new Date(), sleep: () => Promise.resolve() }, tickets: { issue: () => Promise.resolve(), withdraw: () => Promise.resolve() }, log: { warn: () => undefined }, nudge: () => undefined,
    isSound: () => Promise.resolve(true), admit: (spec) => admitSpec(spec, { roots: [], buckets: null }, store),
  };
  const resolved = resolveSweep(SWEEP);
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  const record = await createSweep(deps, { id: `swp_${'0'.repeat(26)}`, created_at: new Date().toISOString(), spec: resolved.spec, schedule: null });
  const log = await openLog(deps, record);
  let known: Known = new Map();
  const drive = async (): Promise<void> => void (await driveSweep(deps, log, anew ? (known = new Map()) : known));
  /** It took 50 s to get to its first rung. */
  const reach = async (number: number): Promise<void> => {
    const head: Head = { ...emptyHead(), state: 'paused', want: { verb: 'pause', seq: 1, cause: 'sweep_paused' }, reason: 'sweep_paused', rungs: [{ update: 1, metrics: { loss: 1 + number }, validation: null }], counters: { ...emptyHead().counters, attempt_seconds: 50 } };
    await store.putIfAbsent(headKey(trialJob(record.id, log.state().trials[number]!)), toJson(head));
  };
  await drive();
  await reach(0);
  await drive();
  expect([log.state().spent, log.state().trials.map(({ status }) => status)]).toEqual([null, ['paused', 'running']]);
  await reach(1);
  await drive();
  expect(log.state()).toMatchObject({ spent: 'compute_seconds', end: { status: 'succeeded', why: { budget: 'compute_seconds' } } });
});
