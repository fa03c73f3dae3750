import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { LayerSpec } from '../../../lib/contract/layers.js';
import type { ModelPlan } from '../../../lib/model/plan.js';
import { planModel } from '../../../lib/model/plan-model.js';
import { layersOf } from './layers-of.js';

function planOf(layers: LayerSpec[], input: number[], classes?: number): ModelPlan {
  const planned = planModel(layers, input, classes === undefined ? {} : { classes });
  if ('problems' in planned) throw new Error(JSON.stringify(planned.problems));
  return planned.plan;
}
function problemsOf(layers: LayerSpec[], input: number[], classes?: number): [string, string][] {
  const planned = planModel(layers, input, classes === undefined ? {} : { classes });
  return 'problems' in planned ? planned.problems.map(({ param, message }) => [param, message]) : [];
}
const conv = (filters: number, kernel_size: number | number[], more = {}) => ({ type: 'conv2d', filters, kernel_size, ...more });
const depthwise = (kernel_size: number | number[], more = {}) => ({ type: 'depthwise_conv2d', kernel_size, ...more });
const separable = (filters: number, kernel_size: number | number[], more = {}) => ({ type: 'separable_conv2d', filters, kernel_size, ...more });
const pool = (more = {}) => ({ type: 'max_pooling2d', ...more });
const flatten = { type: 'flatten' };
const dense = (units: number, more = {}) => ({ type: 'dense', units, ...more });

describe('output shapes', () => {
  // Keras's: valid ⌊(in − ((k−1)·d + 1))/s⌋ + 1, same ⌈in/s⌉
  it.each([
    [conv(4, 3), [8, 8, 1], [6, 6, 4]],
    [conv(4, 3, { padding: 'same' }), [8, 8, 1], [8, 8, 4]],
    [conv(4, 3, { strides: 2 }), [8, 8, 1], [3, 3, 4]],
    [conv(4, 3, { strides: 2, padding: 'same' }), [7, 8, 1], [4, 4, 4]],
    [conv(4, 3, { dilation_rate: 2 }), [8, 8, 1], [4, 4, 4]],
    [conv(4, 3, { dilation_rate: 3, padding: 'same' }), [8, 8, 1], [8, 8, 4]],
    [conv(4, [1, 5]), [8, 9, 2], [8, 5, 4]],
    [conv(64, 7, { strides: 2, padding: 'same' }), [224, 224, 3], [112, 112, 64]],
    [conv(96, 11, { strides: 4 }), [227, 227, 3], [55, 55, 96]],
    [conv(4, 8), [8, 8, 1], [1, 1, 4]],
    [conv(4, 9, { padding: 'same' }), [8, 8, 1], [8, 8, 4]],
    [depthwise(3), [8, 8, 4], [6, 6, 4]],
    [depthwise(3, { strides: 2, padding: 'same', depth_multiplier: 3 }), [7, 8, 4], [4, 4, 12]],
    [depthwise([1, 3], { dilation_rate: 2 }), [8, 8, 4], [8, 4, 4]],
    [separable(5, 3, { strides: 2 }), [8, 8, 4], [3, 3, 5]],
    [separable(5, 3, { dilation_rate: 2, padding: 'same', depth_multiplier: 2 }), [8, 8, 4], [8, 8, 5]],
    [pool(), [8, 8, 3], [4, 4, 3]],
    [pool(), [7, 7, 3], [3, 3, 3]],
    [pool({ padding: 'same' }), [7, 7, 3], [4, 4, 3]],
    [pool({ pool_size: 3, strides: 2 }), [55, 55, 96], [27, 27, 96]],
    [pool({ pool_size: [2, 1] }), [8, 8, 3], [4, 8, 3]],
    [pool({ pool_size: 3, strides: 1, padding: 'same' }), [8, 8, 3], [8, 8, 3]],
    [flatten, [4, 5, 6], [120]],
    [{ type: 'activation', activation: 'relu' }, [4, 5, 6], [4, 5, 6]],
    [{ type: 'dropout', rate: 0.5 }, [4, 5, 6], [4, 5, 6]],
    [{ type: 'spatial_dropout2d', rate: 0.5 }, [4, 5, 6], [4, 5, 6]],
    [{ type: 'average_pooling2d', pool_size: [2, 3], padding: 'same' }, [5, 7, 6], [3, 3, 6]],
    [{ type: 'global_average_pooling2d' }, [4, 5, 6], [6]],
    [{ type: 'global_max_pooling2d' }, [4, 5, 6], [6]],
    [{ type: 'layer_normalization' }, [4, 5, 6], [4, 5, 6]],
    [{ type: 'group_normalization', groups: 3 }, [4, 5, 6], [4, 5, 6]],
    [{ type: 'group_normalization', groups: 3 }, [6], [6]],
    [{ type: 'batch_normalization' }, [4, 5, 6], [4, 5, 6]],
  ])('%j on %j is %j', (layer, input, output) => {
    expect(planOf(layersOf(layer), input).outputShape).toEqual(output);
  });
});

describe('weights', () => {
  it('have Keras names, shapes, order, initializers and fans', () => {
    const { weights } = planOf(layersOf(conv(16, [3, 5]), { type: 'batch_normalization' }, flatten, dense(10, { kernel_initializer: 'he_normal' })), [8, 8, 2]);
    expect(weights).toEqual([
      { name: 'conv2d_1/kernel', shape: [3, 5, 2, 16], trainable: true, initializer: 'glorot_uniform', fanIn: 30, fanOut: 240 },
      { name: 'conv2d_1/bias', shape: [16], trainable: true, initializer: 'zeros', fanIn: 16, fanOut: 16 },
      { name: 'batch_normalization_1/gamma', shape: [16], trainable: true, initializer: 'ones', fanIn: 16, fanOut: 16 },
      { name: 'batch_normalization_1/beta', shape: [16], trainable: true, initializer: 'zeros', fanIn: 16, fanOut: 16 },
      { name: 'batch_normalization_1/moving_mean', shape: [16], trainable: false, initializer: 'zeros', fanIn: 16, fanOut: 16 },
      { name: 'batch_normalization_1/moving_variance', shape: [16], trainable: false, initializer: 'ones', fanIn: 16, fanOut: 16 },
      { name: 'dense_1/kernel', shape: [384, 10], trainable: true, initializer: 'he_normal', fanIn: 384, fanOut: 10 },
      { name: 'dense_1/bias', shape: [10], trainable: true, initializer: 'zeros', fanIn: 10, fanOut: 10 },
    ]);
  });

  // keras.src.initializers.random_initializers.compute_fans: only the last two axes and the receptive field count
  it('of depthwise and separable convolutions have Keras names, shapes, order and fans', () => {
    const { weights } = planOf(layersOf(depthwise([3, 5], { depth_multiplier: 2, kernel_initializer: 'he_normal' }), separable(7, 2, { depth_multiplier: 3, pointwise_initializer: 'ones' })), [8, 8, 4]);
    expect(weights).toEqual([
      { name: 'depthwise_conv2d_1/kernel', shape: [3, 5, 4, 2], trainable: true, initializer: 'he_normal', fanIn: 60, fanOut: 30 },
      { name: 'depthwise_conv2d_1/bias', shape: [8], trainable: true, initializer: 'zeros', fanIn: 8, fanOut: 8 },
      { name: 'separable_conv2d_1/depthwise_kernel', shape: [2, 2, 8, 3], trainable: true, initializer: 'glorot_uniform', fanIn: 32, fanOut: 12 },
      { name: 'separable_conv2d_1/pointwise_kernel', shape: [1, 1, 24, 7], trainable: true, initializer: 'ones', fanIn: 24, fanOut: 7 },
      { name: 'separable_conv2d_1/bias', shape: [7], trainable: true, initializer: 'zeros', fanIn: 7, fanOut: 7 },
    ]);
  });

  it('of a separable convolution say the regularizer and constraint of each kernel', () => {
    const rules = { depthwise_regularizer: { l1: 0.1 }, pointwise_regularizer: { l2: 0.2 }, depthwise_constraint: { type: 'non_neg' }, pointwise_constraint: { type: 'unit_norm' }, use_bias: false };
    const { weights } = planOf(layersOf(separable(7, 2, rules)), [8, 8, 4]);
    expect(weights.map(({ regularizer, constraint }) => [regularizer, constraint])).toEqual([[{ l1: 0.1, l2: 0 }, { type: 'non_neg' }], [{ l1: 0, l2: 0.2 }, { type: 'unit_norm', axis: 0 }]]);
  });

  it('are left out where a layer does without', () => {
    const { weights } = planOf(layersOf(conv(4, 3, { use_bias: false }), { type: 'batch_normalization', center: false, scale: false }), [8, 8, 1]);
    expect(weights.map(({ name }) => name)).toEqual(['conv2d_1/kernel', 'batch_normalization_1/moving_mean', 'batch_normalization_1/moving_variance']);
  });

  it('of a frozen layer are not trainable', () => {
    const { weights, parameters } = planOf(layersOf(conv(4, 3, { trainable: false }), { type: 'batch_normalization', trainable: false }), [8, 8, 1]);
    expect(weights.some(({ trainable }) => trainable)).toBe(false);
    expect(parameters).toEqual({ trainable: 0, nonTrainable: 3 * 3 * 4 + 4 + 4 * 4 });
  });

  // counts that Keras prints for these well-known networks
  it.each([
    ['the MNIST convnet of the Keras examples', [28, 28, 1], 34_826, [conv(32, 3), pool(), conv(64, 3), pool(), flatten, { type: 'dropout', rate: 0.5 }, dense(10)]],
    ['LeNet-5', [28, 28, 1], 61_706, [conv(6, 5, { padding: 'same' }), pool(), conv(16, 5), pool(), flatten, dense(120), dense(84), dense(10)]],
    ['the CIFAR-10 network of the TensorFlow tutorial', [32, 32, 3], 122_570, [conv(32, 3), pool(), conv(64, 3), pool(), conv(64, 3), flatten, dense(64), dense(10)]],
    [
      'VGG16',
      [224, 224, 3],
      138_357_544,
      [...[64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0].map((filters) => (filters === 0 ? pool() : conv(filters, 3, { padding: 'same' }))), flatten, dense(4096), dense(4096), dense(1000)],
    ],
  ])('of %s are as many as Keras counts', (_, input, count, layers) => {
    expect(planOf(layersOf(...layers), input).parameters).toEqual({ trainable: count, nonTrainable: 0 });
  });

  it('say their regularizer and constraint, where they have one', () => {
    const { weights } = planOf(layersOf(flatten, dense(3, { kernel_regularizer: { l2: 0.1 }, bias_regularizer: { l1: 0 }, kernel_constraint: { type: 'non_neg' } })), [4, 4, 1]);
    expect(weights.map(({ regularizer, constraint }) => [regularizer, constraint])).toEqual([[{ l1: 0, l2: 0.1 }, { type: 'non_neg' }], [undefined, undefined]]);
  });

  it('of layer and group normalization are all trainable, gamma and beta as far as they are wanted', () => {
    const { weights } = planOf(layersOf({ type: 'layer_normalization' }, { type: 'group_normalization', groups: 2, scale: false }), [8, 8, 4]);
    expect(weights.map(({ name, shape, trainable, initializer }) => [name, shape, trainable, initializer])).toEqual([
      ['layer_normalization_1/gamma', [4], true, 'ones'],
      ['layer_normalization_1/beta', [4], true, 'zeros'],
      ['group_normalization_1/beta', [4], true, 'zeros'],
    ]);
  });

  it('of batch normalization are half trainable', () => {
    expect(planOf(layersOf({ type: 'batch_normalization' }), [8, 8, 64]).parameters).toEqual({ trainable: 128, nonTrainable: 128 });
  });

  it.each(['seed', 'ragged-amsgrad', 'ragged-flush'])('are those of the reference file %s', (name) => {
    const folder = new URL(`../../fixtures/cnn/${name}/`, import.meta.url);
    const job = JSON.parse(readFileSync(new URL('job.json', folder), 'utf8')) as { model: { layers: Record<string, unknown>[] } };
    const bytes = readFileSync(new URL('init.safetensors', folder));
    const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString()) as Record<string, { shape: number[] }>;
    const { weights } = planOf(layersOf(...job.model.layers), [8, 8, 1], 10);
    expect(Object.fromEntries(weights.map((weight) => [weight.name, weight.shape]))).toEqual(Object.fromEntries(Object.entries(header).map(([key, { shape }]) => [key, shape])));
  });
});

describe('problems', () => {
  it.each<[string, Record<string, unknown>[], number[], string, RegExp]>([
    ['a kernel larger than its input', [conv(4, 9)], [8, 8, 1], 'model.layers.0.kernel_size', /\[9, 9\].*does not fit into the input \[8, 8, 1\]/],
    ['a depthwise kernel larger than its input', [depthwise(9)], [8, 8, 1], 'model.layers.0.kernel_size', /\[9, 9\] does not fit/],
    ['a depthwise convolution on flat input', [flatten, depthwise(3)], [8, 8, 1], 'model.layers.1', /depthwise_conv2d needs/],
    ['a separable convolution on flat input', [flatten, separable(2, 3)], [8, 8, 1], 'model.layers.1', /separable_conv2d needs/],
    ['a dilated kernel larger than its input', [conv(4, 3, { dilation_rate: 4 })], [8, 8, 1], 'model.layers.0.kernel_size', /spans \[9, 9\]/],
    ['a pool larger than its input', [conv(4, 8), pool()], [8, 8, 1], 'model.layers.1.pool_size', /\[2, 2\] does not fit into the input \[1, 1, 4\]/],
    ['dense on an image', [dense(4)], [8, 8, 1], 'model.layers.0', /add a flatten layer/],
    ['a convolution on flat input', [flatten, conv(4, 3)], [8, 8, 1], 'model.layers.1', /needs \[height, width, channels\].*\[64\]/],
    ['a pool on flat input', [flatten, pool()], [8, 8, 1], 'model.layers.1', /max_pooling2d needs/],
    ['a global pool on flat input', [flatten, { type: 'global_max_pooling2d' }], [8, 8, 1], 'model.layers.1', /global_max_pooling2d needs/],
    ['spatial dropout on flat input', [flatten, { type: 'spatial_dropout2d', rate: 0.1 }], [8, 8, 1], 'model.layers.1', /spatial_dropout2d needs/],
    ['groups that do not divide the channels', [conv(6, 3), { type: 'group_normalization', groups: 4 }], [8, 8, 1], 'model.layers.1.groups', /must divide the input's 6 channels, got 4/],
    ['a kernel beyond 2³¹ − 1 elements', [flatten, dense(1_048_576)], [64, 64, 1], 'model.layers.1', /dense_1\/kernel \[4096, 1048576\] has 4294967296 elements/],
    ['an output beyond 2³¹ − 1 elements', [conv(65_536, 1)], [256, 256, 1], 'model.layers.0', /its output for one sample/],
  ])('%s is refused', (_, layers, input, param, message) => {
    expect(problemsOf(layersOf(...layers), input)).toEqual([[param, expect.stringMatching(message)]]);
  });

  it('of layers that need no shape are told even after a layer without one', () => {
    const layers = layersOf(conv(4, 9, { name: 'a' }), conv(4, 3));
    const later = [...layers, { ...layers[1]!, name: 'a', strides: [2, 2], dilation_rate: [2, 1] } as LayerSpec];
    expect(problemsOf(later, [8, 8, 1], 10).map(([param]) => param)).toEqual(['model.layers.2.name', 'model.layers.2.dilation_rate', 'model.layers.0.kernel_size']);
  });

  it('name the last layer and both numbers if it does not give the classes', () => {
    expect(problemsOf(layersOf(flatten, dense(7, { name: 'head' })), [8, 8, 1], 10)).toEqual([
      ['model.layers.1.units', 'the last layer "head" gives 7 values, but the data has 10 classes'],
    ]);
    const [problem] = problemsOf(layersOf(conv(10, 8, { name: 'head' })), [8, 8, 1], 10);
    expect(problem).toEqual(['model.layers.0', expect.stringMatching(/"head" gives \[1, 1, 10\].*10 classes/)]);
    expect(problemsOf(layersOf(flatten, dense(12), { type: 'activation', activation: 'softmax' }), [8, 8, 1], 10)[0]?.[0]).toBe('model.layers.2');
    expect(problemsOf(layersOf(flatten, dense(10)), [8, 8, 1], 10)).toEqual([]);
  });
});

describe('a residual', () => {
  const residual = (layers: object[], shortcut: object[] | null = null) => ({ type: 'residual', layers, shortcut: shortcut === null ? null : { layers: shortcut } });

  it('adds its layers to its input, or to what its shortcut makes of it', () => {
    const plan = planOf(layersOf(residual([conv(2, 3, { padding: 'same' })]), residual([conv(4, 3, { strides: 2, padding: 'same' }), residual([conv(4, 1)])], [conv(4, 1, { strides: 2, use_bias: false })]), flatten, dense(3)), [6, 6, 2], 3);
    expect(plan.layers.map(({ name, outputShape }) => [name, outputShape])).toEqual([['residual_1', [6, 6, 2]], ['residual_2', [3, 3, 4]], ['flatten_1', [36]], ['dense_1', [3]]]);
    expect(plan.every.map(({ name }) => name)).toEqual(['residual_1', 'conv2d_1', 'residual_2', 'conv2d_2', 'residual_3', 'conv2d_3', 'conv2d_4', 'flatten_1', 'dense_1']);
    expect(plan.weights.map(({ name }) => name)).toEqual(['conv2d_1/kernel', 'conv2d_1/bias', 'conv2d_2/kernel', 'conv2d_2/bias', 'conv2d_3/kernel', 'conv2d_3/bias', 'conv2d_4/kernel', 'dense_1/kernel', 'dense_1/bias']);
    expect(plan.parameters).toEqual({ trainable: (9 * 2 * 2 + 2) + (9 * 2 * 4 + 4) + (4 * 4 + 4) + 2 * 4 + (36 * 3 + 3), nonTrainable: 0 });
    // input, two of the first residual, three and the inner sum's of the second's layers, its shortcut's and its own, flatten, dense
    expect(plan.activationFloatsPerSample).toBeGreaterThan(72 + 2 * 72 + 5 * 36);
  });

  it('of two shapes is refused, and so is what is wrong inside', () => {
    expect(problemsOf(layersOf(residual([conv(3, 3, { padding: 'same' })]), flatten, dense(3)), [6, 6, 2])).toEqual([['model.layers.0', 'the layers of "residual_1" give [6, 6, 3] and its shortcut [6, 6, 2], but the two are added: give it a shortcut whose layers do the same']]);
    expect(problemsOf(layersOf(residual([conv(3, 3)], [conv(3, 1)]), flatten, dense(3)), [6, 6, 2])[0]).toEqual(['model.layers.0', expect.stringMatching(/give \[4, 4, 3\] and its shortcut \[6, 6, 3\].*they have to be alike/)]);
    expect(problemsOf(layersOf(residual([residual([conv(2, 9)])], [conv(2, 7)])), [6, 6, 2]).map(([param]) => param)).toEqual(['model.layers.0.layers.0.layers.0.kernel_size', 'model.layers.0.shortcut.layers.0.kernel_size']);
  });
});

describe('a single output', () => {
  it('is for two classes and the losses that take it', () => {
    const fits = (classes: number, type: 'binary_crossentropy' | 'mean_squared_error' | 'categorical_crossentropy') => 'plan' in planModel(layersOf(flatten, dense(1)), [2, 2, 1], { classes, loss: { type } });
    expect(fits(2, 'binary_crossentropy')).toBe(true);
    expect(fits(2, 'mean_squared_error')).toBe(true);
    expect(fits(2, 'categorical_crossentropy')).toBe(false);
    expect(fits(3, 'binary_crossentropy')).toBe(false);
  });
});

describe('activation memory', () => {
  it('counts what lies between the halves of a separable convolution', () => {
    const { activationFloatsPerSample } = planOf(layersOf(separable(2, 1, { depth_multiplier: 5, activation: 'relu' })), [4, 4, 1]);
    // input 16; between 80; output 32 and its input to relu 32; two gradients of the largest layer's output
    expect(activationFloatsPerSample).toBe(16 + 80 + 64 + 2 * 32);
  });


  it('counts what forward keeps and the two gradients that backward holds', () => {
    const { activationFloatsPerSample } = planOf(
      layersOf(conv(2, 1, { activation: 'relu' }), { type: 'batch_normalization' }, pool(), flatten, { type: 'dropout', rate: 0.5 }, dense(3)),
      [4, 4, 1],
    );
    // input 16; conv 32 + its input to relu 32; bn 64; pool 8; dropout 16; dense 3; two gradients of the largest
    expect(activationFloatsPerSample).toBe(16 + 64 + 64 + 8 + 16 + 3 + 2 * 32);
  });
});
