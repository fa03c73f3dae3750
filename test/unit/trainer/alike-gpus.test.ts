import { expect, test } from 'vitest';
import { alikeGpus } from '../../../worker/trainer/engines/alike-gpus.js';

const four = Array.from({ length: 4 }, () => 'NVIDIA L4');

test.each<[string, string[], string | undefined, number]>([
  ['all of the machine', four, undefined, 4],
  ['those that are visible', four, '2,3', 2],
  ['those before the first that is not there', four, '0,1,-1,2', 2],
  ['identifiers', four, 'GPU-1f, GPU-2e', 2],
  ['one', four, '2', 0],
  ['none', four, '', 0],
  ['more than there are', ['NVIDIA L4', 'NVIDIA L4'], '0,1,2', 2],
  ['slices of one', four, 'MIG-1,MIG-2', 0],
  ['unlike ones', ['NVIDIA L4', 'NVIDIA T4'], undefined, 0],
])('lanes over %s', (_, models, visible, count) => {
  expect(alikeGpus(models, visible)).toEqual(Array.from({ length: count }, (_, index) => `/device:GPU:${index}`));
});
