// The self-test's cases by the naive implementation: where the numbers of worker/trainer/engines/self-test-numbers.ts come from.
import { inputValues, LABELS_NK, pattern, SELF_TEST_CASES } from '../../../../worker/trainer/engines/self-test.js';
import { addBias, averagePool, batchNorm, channelStatistics, conv2d, crossEntropy, depthwiseConv2d, globalPool, map, matMul, maxPool, normaliseGroups, numericGradients, softmax, values, type Values } from './naive.js';

type Compute = (inputs: readonly Values[]) => Values;

const REFERENCES: Record<string, Compute> = {
  'conv2d valid, strides 2 and 1': ([x, k]) => conv2d(x!, k!, { strides: [2, 1], padding: 'valid' }),
  'conv2d same': ([x, k]) => conv2d(x!, k!, { strides: [1, 1], padding: 'same' }),
  'conv2d same, stride 2, even size': ([x, k]) => conv2d(x!, k!, { strides: [2, 2], padding: 'same' }),
  'conv2d valid, dilated': ([x, k]) => conv2d(x!, k!, { strides: [1, 1], padding: 'valid', dilation: [2, 3] }),
  'conv2d same, dilated, even size': ([x, k]) => conv2d(x!, k!, { strides: [1, 1], padding: 'same', dilation: [3, 2] }),
  'depthwise_conv2d valid, stride 2': ([x, k]) => depthwiseConv2d(x!, k!, { strides: [2, 2], padding: 'valid' }),
  'depthwise_conv2d same, multiplier 2': ([x, k]) => depthwiseConv2d(x!, k!, { strides: [1, 1], padding: 'same' }),
  'depthwise_conv2d same, stride 2, even size, one channel': ([x, k]) => depthwiseConv2d(x!, k!, { strides: [2, 2], padding: 'same' }),
  'depthwise_conv2d same, dilated, even size': ([x, k]) => depthwiseConv2d(x!, k!, { strides: [1, 1], padding: 'same', dilation: [3, 2] }),
  'max_pooling2d valid': ([x]) => maxPool(x!, [2, 2], { strides: [2, 2], padding: 'valid' }),
  'max_pooling2d valid, all negative': ([x]) => maxPool(x!, [2, 2], { strides: [2, 2], padding: 'valid' }),
  'max_pooling2d same, overlapping, all negative': ([x]) => maxPool(x!, [3, 3], { strides: [2, 2], padding: 'same' }),
  'average_pooling2d valid': ([x]) => averagePool(x!, [2, 2], { strides: [2, 2], padding: 'valid' }),
  'average_pooling2d same, overlapping': ([x]) => averagePool(x!, [3, 3], { strides: [2, 2], padding: 'same' }),
  global_average_pooling2d: ([x]) => globalPool(x!, (pixels) => pixels.reduce((sum, value) => sum + value, 0) / pixels.length),
  'global_max_pooling2d, all negative': ([x]) => globalPool(x!, (pixels) => Math.max(...pixels)),
  layer_normalization: ([x]) => normaliseGroups(x!, 4, (element) => Math.floor(element / 3), 1e-3),
  group_normalization: ([x]) => normaliseGroups(x!, 2, (element) => Math.floor((element % 4) / 2), 1e-3),
  dense: ([x, k, b]) => addBias(matMul(x!, k!), b!),
  relu: ([x]) => map(x!, (value) => Math.max(0, value)),
  batch_normalization: ([x, gamma, beta]) => batchNorm(x!, gamma!, beta!, 1e-3),
  'batch_normalization, mean': ([x]) => values([2], channelStatistics(x!).mean),
  'batch_normalization, unbiased variance': ([x]) => {
    const { count, m2 } = channelStatistics(x!);
    return values([2], m2.map((sum) => sum / (count - 1)));
  },
  'softmax cross-entropy': ([logits]) => crossEntropy(softmax(logits!), values([2, 3], LABELS_NK)),
};

/** Statistics leave the graph: the engine never differentiates them. */
const WITHOUT_GRADIENT = new Set(['batch_normalization, mean', 'batch_normalization, unbiased variance']);

export function selfTestReferences(): Record<string, { values: number[]; gradients?: number[][] }> {
  return Object.fromEntries(
    SELF_TEST_CASES.map((test) => {
      const compute = REFERENCES[test.name];
      if (compute === undefined) throw new Error(`no reference for the self-test case "${test.name}"`);
      const inputs = inputValues(test).map((data, index) => values(test.shapes[index]!, data));
      const forward = compute(inputs);
      const weights = pattern(forward.data.length, 7);
      const sum = (): number => compute(inputs).data.reduce((total, value, index) => total + value * weights[index]!, 0);
      if (WITHOUT_GRADIENT.has(test.name)) return [test.name, { values: [...forward.data] }];
      return [test.name, { values: [...forward.data], gradients: numericGradients(sum, inputs).map((gradient) => [...gradient]) }];
    }),
  );
}
