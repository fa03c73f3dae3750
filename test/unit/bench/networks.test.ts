import { describe, expect, test } from 'vitest';
import { digitsNetwork, normalizedNetwork, smallNetwork, specOf } from '../../bench/networks.js';
import type { Store } from '../../../lib/store/index.js';
import { admitSpec, dryRun } from '../../../lib/jobs/admission.js';

const subjects = [
  { network: smallNetwork(8), trainable: 234_282 },
  { network: normalizedNetwork(), trainable: 140_064 + 128 * 10 + 10 },
  { network: digitsNetwork(5), trainable: 2_730 },
];

describe('the measured networks', () => {
  test.each(subjects)('$network.name is a job that the API takes, with the parameters it should have', async ({ network, trainable }) => {
    const { parameters, total_updates: updates, spec } = dryRun(await admitSpec(specOf(network)(123), { roots: [], buckets: null }, {} as Store));
    expect(parameters?.trainable).toBe(trainable);
    expect(updates).toBe(123);
    expect(spec.training).toMatchObject({ batch_size: network.batchSize, accum_iters: network.accumIters, optimizer: { type: 'adam', lr: 0.001 } });
  });
});
