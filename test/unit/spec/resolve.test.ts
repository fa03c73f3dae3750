import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NOT_SUPPORTED } from '../../../lib/contract/not-supported.js';
import type { JobSpec } from '../../../lib/contract/spec.js';
import type { Problem } from '../../../lib/errors.js';
import { resolveSpec } from '../../../lib/jobs/spec/resolve.js';
import { anySpec } from './arbitrary-spec.js';

type Input = Record<string, unknown>;
const dense = { type: 'dense', units: 10 };
const input = (sections: Input = {}): Input => ({ data: { type: 'builtin', name: 'digits' }, model: { layers: [{ type: 'flatten' }, dense] }, ...sections });

function specOf(sections: Input = {}): JobSpec {
  const resolved = resolveSpec(input(sections));
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  return resolved.spec;
}
function problemsOf(value: unknown): Problem[] {
  const resolved = resolveSpec(value);
  return 'problems' in resolved ? resolved.problems : [];
}
const told = (value: unknown) => problemsOf(value).map(({ param, message }) => `${param}: ${message}`);

describe('a resolved spec', () => {
  it('has every default written', () => {
    expect(specOf()).toEqual({
      spec_version: 1,
      name: null,
      data: { type: 'builtin', name: 'digits', normalize: 'none', validation: null },
      model: {
        layers: [
          { type: 'flatten', name: 'flatten_1', trainable: true },
          {
            type: 'dense', name: 'dense_1', trainable: true, units: 10, activation: null, use_bias: true, kernel_initializer: 'glorot_uniform', bias_initializer: 'zeros',
            kernel_regularizer: null, bias_regularizer: null, kernel_constraint: null,
          },
        ],
        init: null,
      },
      training: {
        batch_size: 32, accum_iters: 1, epochs: 1, max_updates: null, tail: 'carry', reduction: 'sample', shuffle: true, seed: 0,
        optimizer: { type: 'adam', lr: 0.001, decay: 0, weight_decay: 0, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, amsgrad: false },
        lr_schedule: { type: 'constant', warmup_updates: 0 },
        loss: { type: 'categorical_crossentropy', label_smoothing: 0, from_logits: false },
        metrics: ['accuracy'], clip_norm: null, clip_value: null, ema: null, nonfinite: 'fail', early_stopping: null,
        precision: 'float32', numerics: 'strict', allow_class_change: false, lanes: 'auto',
      },
      checkpoint: { every_seconds: 30, every_updates: null, every_micro_batches: null, keep_last: 2, keep_best: null },
      resources: { engine: 'auto', gpu: 'preferred', min_memory_mib: null },
      run: { priority: 0, max_failures: 3, max_preemptions: null, max_duration_seconds: null, start_after: null, start_before: null, tags: {} },
    });
  });

  it('resolves to itself, to the last byte', () => {
    fc.assert(
      fc.property(anySpec, (any) => {
        const once = resolveSpec(any);
        if ('problems' in once) throw new Error(JSON.stringify({ any, problems: once.problems }));
        expect(JSON.stringify(resolveSpec(once.spec))).toBe(JSON.stringify(once));
        expect(JSON.stringify(resolveSpec(JSON.parse(JSON.stringify(once.spec))))).toBe(JSON.stringify(once));
      }),
      { numRuns: 150 },
    );
  });

  it.each<[unknown, Input]>([
    ['constant', { type: 'constant', warmup_updates: 0 }],
    ['cosine', { type: 'cosine', decay_updates: null, alpha: 0, warmup_updates: 0 }],
    ['one_cycle', { type: 'one_cycle', pct_start: 0.3, div_factor: 25, final_div_factor: 1e4, warmup_updates: 0 }],
    [{ type: 'step', every_updates: 5 }, { type: 'step', every_updates: 5, gamma: 0.1, warmup_updates: 0 }],
    [{ type: 'exponential', decay_rate: 0.9, decay_steps: 7, warmup_updates: 2 }, { type: 'exponential', decay_rate: 0.9, decay_steps: 7, staircase: false, warmup_updates: 2 }],
    [{ type: 'piecewise', boundaries: [3], values: [1, 2] }, { type: 'piecewise', boundaries: [3], values: [1, 2], warmup_updates: 0 }],
  ])('spells the schedule %o out', (given, schedule) => {
    expect(specOf({ training: { lr_schedule: given } }).training.lr_schedule).toEqual(schedule);
  });

  it('keeps what was given and does not touch it', () => {
    fc.assert(
      fc.property(anySpec, (any) => {
        const before = JSON.stringify(any);
        const resolved = resolveSpec(any) as { spec: JobSpec };
        expect(JSON.stringify(any)).toBe(before);
        expect(resolved.spec.model.layers.map(({ type }) => type)).toEqual((any['model'] as { layers: { type: string }[] }).layers.map(({ type }) => type));
        expect(resolved.spec.data).toMatchObject({ type: (any['data'] as Input)['type'] });
      }),
      { numRuns: 50 },
    );
  });

  it('spells sizes out as pairs, and pool strides as the pool', () => {
    const { layers } = specOf({ model: { layers: [{ type: 'conv2d', filters: 2, kernel_size: 3, strides: [1, 2] }, { type: 'max_pooling2d', pool_size: [2, 3] }, { type: 'max_pooling2d', strides: 1 }] } }).model;
    expect(layers).toMatchObject([
      { kernel_size: [3, 3], strides: [1, 2], dilation_rate: [1, 1] },
      { pool_size: [2, 3], strides: [2, 3] },
      { pool_size: [2, 2], strides: [1, 1] },
    ]);
  });

  it('has every key of a depthwise and of a separable convolution', () => {
    const shared = { trainable: true, kernel_size: [3, 3], strides: [2, 2], padding: 'valid', dilation_rate: [1, 1], depth_multiplier: 1, activation: null, use_bias: true, bias_initializer: 'zeros', bias_regularizer: null };
    const { layers } = specOf({ model: { layers: [{ type: 'depthwise_conv2d', kernel_size: 3, strides: 2 }, { type: 'separable_conv2d', filters: 4, kernel_size: 3, strides: 2 }] } }).model;
    expect(layers).toEqual([
      { type: 'depthwise_conv2d', name: 'depthwise_conv2d_1', ...shared, kernel_initializer: 'glorot_uniform', kernel_regularizer: null, kernel_constraint: null },
      {
        type: 'separable_conv2d', name: 'separable_conv2d_1', filters: 4, ...shared, depthwise_initializer: 'glorot_uniform', pointwise_initializer: 'glorot_uniform',
        depthwise_regularizer: null, pointwise_regularizer: null, depthwise_constraint: null, pointwise_constraint: null,
      },
    ]);
  });

  it.each<[string, Input, Input]>([
    ['loss', { training: { loss: 'sparse_categorical_crossentropy' } }, { training: { loss: { type: 'sparse_categorical_crossentropy', label_smoothing: 0, from_logits: false } } }],
    ['a loss with a setting', { training: { loss: { type: 'categorical_crossentropy', label_smoothing: 0.1 } } }, { training: { loss: { label_smoothing: 0.1, from_logits: false } } }],
    ['epsilon null', { training: { optimizer: { type: 'adam', epsilon: null } } }, { training: { optimizer: { epsilon: 1e-7 } } }],
    ['sgd', { training: { optimizer: { type: 'sgd' } } }, { training: { optimizer: { type: 'sgd', lr: 0.01, decay: 0, weight_decay: 0, momentum: 0, nesterov: false } } }],
    ['max_updates alone', { training: { max_updates: 7 } }, { training: { epochs: null, max_updates: 7 } }],
    ['both lengths', { training: { max_updates: 7, epochs: 2 } }, { training: { epochs: 2, max_updates: 7 } }],
    ['a duration', { checkpoint: { every_seconds: '1.5m' }, run: { max_duration_seconds: '6h' } }, { checkpoint: { every_seconds: 90 }, run: { max_duration_seconds: 21_600 } }],
    ['another cadence', { checkpoint: { every_updates: 5 } }, { checkpoint: { every_seconds: null, every_updates: 5, every_micro_batches: null } }],
    ['synthetic', { data: { type: 'builtin', name: 'synthetic', classes: 4 } }, { data: { samples: 1000, shape: [8, 8, 1], classes: 4, seed: 0 } }],
    ['synthetic of another shape', { data: { type: 'builtin', name: 'synthetic', shape: [3, 4, 5], samples: 6, seed: 7 } }, { data: { samples: 6, shape: [3, 4, 5], classes: 10, seed: 7 } }],
    ['idx', { data: { type: 'idx', images: 'a', labels: 's3://bucket/b', validation: { type: 'idx', images: 'c', labels: 'd' } } }, { data: { images: 'a', labels: 's3://bucket/b', normalize: 'none', validation: { type: 'idx', images: 'c', labels: 'd', normalize: 'none' } } }],
    ['npz', { data: { type: 'npz', path: 'a.npz' } }, { data: { x: 'x', y: 'y', normalize: 'none', validation: null } }],
    ['validation data, normalised as the training data', { data: { type: 'npz', path: 'a.npz', normalize: 'unit', validation: { type: 'npz', path: 'b.npz' } } }, { data: { validation: { path: 'b.npz', x: 'x', normalize: 'unit' } } }],
    ['validation data, normalised on its own', { data: { type: 'npz', path: 'a.npz', normalize: 'unit', validation: { type: 'npz', path: 'b.npz', normalize: 'none' } } }, { data: { validation: { normalize: 'none' } } }],
    ['keys that are there and undefined', { training: { epochs: undefined, optimizer: undefined }, name: undefined }, { name: null, training: { epochs: 1, optimizer: { type: 'adam' } } }],
  ])('spells out %s', (_, sections, expected) => {
    expect(specOf(sections)).toMatchObject(expected);
  });

  it('names layers, the ones without a name', () => {
    const { layers } = specOf({ model: { layers: [{ type: 'flatten' }, { ...dense, name: 'dense_1' }, dense] } }).model;
    expect(layers.map(({ name }) => name)).toEqual(['flatten_1', 'dense_1', 'dense_2']);
  });
});

describe('what is wrong', () => {
  it('is told all at once, each with its field, what was given and what is allowed', () => {
    const wrong = {
      foo: 1,
      data: { type: 'npz', normalize: { mean: 1 }, validation: { split: 2 } },
      model: {
        layers: [
          { type: 'conv2d', filters: 'a', kernel_size: [3] },
          { type: 'conv2d', kernel_size: [3, 0], activation: 'rleu' },
          { type: 'nope' },
          { units: 3 },
          3,
          { ...dense, name: 'a/b' },
        ],
      },
      training: { batch_size: 0, accum: 3, epochs: 1.5, optimizer: { type: 'adma' }, loss: { type: 'mse' }, seed: NaN, shuffle: 'yes', tail: null },
      checkpoint: { every_updates: 1, every_micro_batches: 2 },
      run: { start_after: '2026-02-30T00:00:00Z', tags: { 'a b': 'c', d: 1 } },
    };
    expect(new Set(told(wrong))).toEqual(
      new Set([
        'foo: is not a known key; known keys: spec_version, name, data, model, training, checkpoint, resources, run',
        'data.path: is required: a path relative to one of the data roots (bare or with `file:`), or s3://bucket/key',
        'data.normalize.std: is required: a number > 0 or an array of 1 to 4096 items',
        'data.validation.split: must be a number > 0 and < 1, got 2',
        'model.layers.0.filters: must be an integer from 1 to 65536, got "a"',
        'model.layers.0.kernel_size: must be an integer from 1 to 1024, or two of them [height, width], got [3]',
        'model.layers.1.filters: is required: an integer from 1 to 65536',
        'model.layers.1.kernel_size.1: must be an integer from 1 to 1024, got 0',
        'model.layers.1.activation: must be one of relu, leaky_relu, elu, selu, gelu, silu, sigmoid, hard_sigmoid, tanh, softmax, softplus, linear or null, got "rleu"',
        'model.layers.2.type: must be one of conv2d, depthwise_conv2d, separable_conv2d, max_pooling2d, average_pooling2d, global_average_pooling2d, global_max_pooling2d, flatten, dense, activation, dropout, spatial_dropout2d, batch_normalization, group_normalization, layer_normalization, residual, got "nope"',
        'model.layers.3.type: is required: one of conv2d, depthwise_conv2d, separable_conv2d, max_pooling2d, average_pooling2d, global_average_pooling2d, global_max_pooling2d, flatten, dense, activation, dropout, spatial_dropout2d, batch_normalization, group_normalization, layer_normalization, residual',
        'model.layers.4: must be an object whose type is one of conv2d, depthwise_conv2d, separable_conv2d, max_pooling2d, average_pooling2d, global_average_pooling2d, global_max_pooling2d, flatten, dense, activation, dropout, spatial_dropout2d, batch_normalization, group_normalization, layer_normalization, residual, got 3',
        'model.layers.5.name: must be a name of up to 64 letters, digits, `_`, `.` or `-`, got "a/b"',
        'training.accum: is not a known key (did you mean accum_iters?); known keys: batch_size, accum_iters, epochs, max_updates, tail, reduction, shuffle, seed, optimizer, lr_schedule, loss, metrics, clip_norm, clip_value, ema, nonfinite, early_stopping, precision, numerics, allow_class_change, lanes',
        'training.batch_size: must be an integer from 1 to 65536, got 0',
        'training.epochs: must be an integer from 1 to 1000000000 or null, got 1.5',
        'training.tail: must be one of carry, flush, drop, got null',
        'training.shuffle: must be true or false, got "yes"',
        'training.seed: must be an integer from 0 to 9007199254740991, got NaN',
        'training.optimizer.type: must be one of sgd, adam, adamw, rmsprop, adagrad, lamb, got "adma"',
        'training.loss.type: must be one of categorical_crossentropy, sparse_categorical_crossentropy, binary_crossentropy, mean_squared_error, got "mse"',
        'checkpoint.every_micro_batches: only one of every_seconds, every_updates, every_micro_batches may be given, and every_updates is',
        'run.start_after: must be an ISO 8601 time in UTC, such as 2026-01-31T12:00:00Z or null, got "2026-02-30T00:00:00Z"',
        'run.tags."a b": is not allowed as a key; allowed: at most 16 tags: keys of letters, digits and _.- up to 64 characters, values up to 512',
        'run.tags.d: must be a string of at most 512 characters, got 1',
      ]),
    );
  });

  it.each<[string, Input, string]>([
    ['nesterov without momentum', { training: { optimizer: { type: 'sgd', nesterov: true } } }, 'training.optimizer.nesterov: needs a momentum above 0'],
    ['a start window that closes before it opens', { run: { start_after: '2026-01-02T00:00:00Z', start_before: '2026-01-02T00:00:00Z' } }, 'run.start_before: must be later than run.start_after'],
    ['two layers of one name', { model: { layers: [{ type: 'flatten', name: 'a' }, { ...dense, name: 'a' }] } }, 'model.layers.1.name: the name "a" is also that of model.layers.0'],
    ['strides together with dilation', { model: { layers: [{ type: 'conv2d', filters: 1, kernel_size: 1, strides: 2, dilation_rate: [1, 2] }] } }, 'model.layers.0.dilation_rate: strides [2, 2] and dilation_rate [1, 2]'],
    ['unequal strides of a depthwise convolution', { model: { layers: [{ type: 'depthwise_conv2d', kernel_size: 1, strides: [2, 1] }] } }, 'model.layers.0.strides: must be the same for height and width in depthwise_conv2d, got [2, 1]'],
    ['unequal strides of a separable convolution', { model: { layers: [{ type: 'separable_conv2d', filters: 1, kernel_size: 1, strides: [1, 3] }] } }, 'model.layers.0.strides: must be the same for height and width in separable_conv2d, got [1, 3]'],
    ['strides together with dilation in a depthwise convolution', { model: { layers: [{ type: 'depthwise_conv2d', kernel_size: 1, strides: 2, dilation_rate: 2 }] } }, 'model.layers.0.dilation_rate: strides [2, 2] and dilation_rate [2, 2]'],
    ['filters of a depthwise convolution', { model: { layers: [{ type: 'depthwise_conv2d', kernel_size: 1, filters: 2 }] } }, 'model.layers.0.filters: is not a known key'],
    ['a depth multiplier of nothing', { model: { layers: [{ type: 'separable_conv2d', filters: 1, kernel_size: 1, depth_multiplier: 0 }] } }, 'model.layers.0.depth_multiplier: must be an integer from 1 to 65536, got 0'],
    ['settings of synthetic for digits', { data: { type: 'builtin', name: 'digits', seed: 1 } }, 'data.seed: is a key of the data set synthetic only'],
    ['settings of synthetic for digits in validation', { data: { type: 'builtin', name: 'digits', validation: { type: 'builtin', name: 'digits', samples: 3 } } }, 'data.validation.samples: is a key'],
    ['a duration that is none', { run: { max_duration_seconds: '0s' } }, 'run.max_duration_seconds: must be from 1 to'],
    ['an endless duration', { checkpoint: { every_seconds: `${'9'.repeat(400)}d` } }, 'checkpoint.every_seconds: must be from 0.01 to 3153600000 seconds, got "9999'],
    ['another spec version', { spec_version: 2 }, 'spec_version: must be 1, got 2'],
    ['a metric twice', { training: { metrics: ['accuracy', 'accuracy'] } }, 'training.metrics: must be an array'],
    ['an optimizer without its type', { training: { optimizer: { lr: 0.1 } } }, 'training.optimizer.type: is required: one of sgd, adam'],
    ['a local time', { run: { start_after: '2026-01-02T00:00:00+02:00' } }, 'run.start_after: must be an ISO 8601 time in UTC'],
  ])('%s', (_, sections, message) => {
    expect(told(input(sections))).toEqual([expect.stringContaining(message)]);
  });

  it('in one section does not hide what is wrong in another', () => {
    const problems = told(input({ name: 3, training: { optimizer: { type: 'sgd', nesterov: true } }, data: { type: 'builtin', name: 'digits', seed: 1 } }));
    expect(problems.map((text) => text.split(':')[0])).toEqual(['name', 'data.seed', 'training.optimizer.nesterov']);
  });

  it.each([[null], [3], ['x'], [[]], [undefined]])('is one thing if the whole is no object: %j', (value) => {
    expect(problemsOf(value)).toEqual([{ param: '', message: expect.stringMatching(/^must be an object/) as string }]);
  });
});

describe('what is specified but not built', () => {
  const layer = (change: Input) => ({ model: { layers: [{ type: 'conv2d', filters: 2, kernel_size: 1, ...change }] } });
  const training = (change: Input) => ({ training: change });
  const digits = (change: Input) => ({ data: { type: 'builtin', name: 'digits', ...change } });
  const cases: [string, string, Input][] = [
    ['data.type', 'image_folder', { data: { type: 'image_folder', path: 'a' } }],
    ['data.validation.type', 'image_folder', digits({ validation: { type: 'image_folder', path: 'a' } })],
    ...['augment', 'class_weight', 'sample_weight'].map((key): [string, string, Input] => [`data.${key}`, key, digits({ [key]: {} })]),
    ['model.layers.0.groups', '2', layer({ groups: 2 })],
    ...['class_weight', 'sample_weight', 'augment'].map((key): [string, string, Input] => [`training.${key}`, key, training({ [key]: 1 })]),
    ['training.precision', 'bfloat16', training({ precision: 'bfloat16' })],
    ...['webgpu', 'cpu'].map((engine): [string, string, Input] => ['resources.engine', engine, { resources: { engine } }]),
  ];

  it.each(cases)('%s %s is refused by its name, and by that alone', (param, name, sections) => {
    const problems = problemsOf(input(sections));
    expect(problems).toEqual([{ param, code: 'not_supported', message: expect.stringContaining(name) as string }]);
    expect(problems[0]?.message).toMatch(/is not supported yet$/);
  });

  it('is all in the list above', () => {
    const covered = new Set(cases.map(([param]) => param.replace(/\.\d+/g, '.*')));
    for (const { path } of NOT_SUPPORTED) if (!path.startsWith('data.validation.')) expect(covered).toContain(path);
  });

  it('does not hide what else is wrong', () => {
    const problems = problemsOf(input({ model: { layers: [{ type: 'conv2d', filters: 1, kernel_size: 1, groups: 2 }, { type: 'dense', units: 0 }] }, training: { augment: {}, batch_size: 0 } }));
    expect(problems.map(({ param }) => param).sort()).toEqual(['model.layers.0.groups', 'model.layers.1.units', 'training.augment', 'training.batch_size']);
  });

  it('is accepted as null, which is its default', () => {
    expect(specOf({ training: { clip_norm: null, ema: null, early_stopping: null }, checkpoint: { keep_best: null } }).training.ema).toBeNull();
  });
});

describe('a residual', () => {
  const conv = { type: 'conv2d', filters: 1, kernel_size: 1 };
  const inside = (...layers: Input[]): Input => ({ type: 'residual', layers });
  const around = (depth: number, core: Input): Input => (depth === 0 ? core : inside(around(depth - 1, core)));
  const model = (...layers: Input[]): Input => input({ model: { layers: [...layers, { type: 'flatten' }, dense] } });

  it('names its layers depth first, and writes their defaults', () => {
    const { layers } = specOf(model(conv, { ...inside(conv, { ...inside(conv), name: 'mine' }, inside(conv)), shortcut: { layers: [conv] } }, conv)).model;
    expect(layers.map(({ name }) => name)).toEqual(['conv2d_1', 'residual_1', 'conv2d_6', 'flatten_1', 'dense_1']);
    const [, outer] = layers as [unknown, { layers: Input[]; shortcut: { layers: Input[] } }];
    expect(outer.layers.map(({ name }) => name)).toEqual(['conv2d_2', 'mine', 'residual_2']);
    expect(outer.shortcut.layers).toEqual([expect.objectContaining({ name: 'conv2d_5', kernel_size: [1, 1], strides: [1, 1], trainable: true, kernel_regularizer: null })]);
    expect(outer.layers[1]).toMatchObject({ shortcut: null, layers: [{ name: 'conv2d_3' }] });
  });

  it('freezes what is in it', () => {
    const [frozen] = specOf(model({ ...inside(conv, inside({ ...conv, trainable: true })), trainable: false })).model.layers as unknown as [{ layers: [Input, Input & { layers: Input[] }] }];
    expect(frozen.layers.map(({ trainable }) => trainable)).toEqual([false, false]);
    expect(frozen.layers[1].layers[0]!['trainable']).toBe(false);
  });

  it.each<[string, Input, string]>([
    ['a key of a layer inside', inside({ ...conv, filters: 0 }), 'model.layers.0.layers.0.filters: must be an integer from 1 to 65536, got 0'],
    ['an unknown layer inside', { ...inside(conv), shortcut: { layers: [{ type: 'convolution' }] } }, 'model.layers.0.shortcut.layers.0.type: must be one of'],
    ['a key deep inside', around(3, { ...conv, padding: 'full' }), 'model.layers.0.layers.0.layers.0.layers.0.padding: must be one of valid, same, got "full"'],
    ['no layers', inside(), 'model.layers.0.layers: must be an array of 1 to 1000 items, got []'],
    ['layers missing', { type: 'residual' }, 'model.layers.0.layers: is required: an array of 1 to 1000 items'],
    ['a shortcut that is none', { ...inside(conv), shortcut: 3 }, 'model.layers.0.shortcut: must be null, or {layers}, got 3'],
    ['a shortcut of nothing', { ...inside(conv), shortcut: {} }, 'model.layers.0.shortcut.layers: is required'],
    ['an unknown key', { ...inside(conv), activation: 'relu' }, 'model.layers.0.activation: is not a known key; known keys: type, name, trainable, layers, shortcut'],
    ['a name twice', inside({ ...conv, name: 'a' }, { ...inside({ ...conv, name: 'a' }) }), 'model.layers.0.layers.1.layers.0.name: the name "a" is also that of model.layers.0.layers.0'],
    ['a wrong constraint inside', inside({ ...conv, kernel_constraint: { type: 'unit_norm', axis: [4] } }), 'model.layers.0.layers.0.kernel_constraint.axis.0: must be an integer from 0 to 3, got 4'],
    ['one too deep', around(9, conv), 'model.layers.0.layers.0.layers.0.layers.0.layers.0.layers.0.layers.0.layers.0.layers.0: is a residual inside of 8 others; at most 8 may be nested'],
  ])('with %s is refused by its field', (_, residual, problem) => {
    expect(told(model(residual))).toEqual([expect.stringContaining(problem)]);
  });

  it('may be eight deep', () => {
    expect(told(model(around(8, conv)))).toEqual([]);
  });

  it('counts what is in it', () => {
    expect(told(model(inside(...Array.from({ length: 998 }, () => conv))))).toEqual(['model.layers: has 1001 layers, those inside of residuals counted; at most 1000 are possible']);
    expect(told(model(inside(...Array.from({ length: 997 }, () => conv))))).toEqual([]);
  });

  it('without end is refused, and not followed', () => {
    expect(told(model(around(30_000, conv)))).toEqual([expect.stringMatching(/^model\.layers\.0\.layers.*: is nested too deeply: a request has at most 40 levels$/)]);
  });
});

describe('a moving average', () => {
  it('has its momentum', () => {
    expect(specOf({ training: { ema: {} } }).training.ema).toEqual({ momentum: 0.99 });
    expect(told(input({ training: { ema: { momentum: 1 } } }))).toEqual(['training.ema.momentum: must be a number ≥ 0 and < 1, got 1']);
    expect(told(input({ training: { ema: 0.9 } }))).toEqual(['training.ema: must be null, or {momentum} of a moving average of the weights, got 0.9']);
  });
});

it('the cadence auto stays as it is', () => {
  expect(specOf({ checkpoint: { every_seconds: 'auto' } }).checkpoint).toMatchObject({ every_seconds: 'auto', every_updates: null });
  expect(told(input({ checkpoint: { every_seconds: 'often' } }))).toEqual(['checkpoint.every_seconds: must be "auto", or seconds (at least 0.01), or a string such as 30s, 10m, 6h, 1d, got "often"']);
});

describe('beginnings', () => {
  const id = '01j8zq4v9m3c7t5x2w6e0r8n1k';
  const init = (given: unknown) => ({ model: { layers: [{ type: 'flatten' }, dense], init: given } });
  it('are spelled out', () => {
    expect(specOf(init({ job: `job_${id}` })).model.init).toEqual({ job: `job_${id}`, checkpoint: null, include: 'weights' });
    expect(specOf(init({ job: `job_${id}`, checkpoint: `ckpt_${id}`, include: 'state' })).model.init).toEqual({ job: `job_${id}`, checkpoint: `ckpt_${id}`, include: 'state' });
    expect(specOf(init({ from: 'w.safetensors' })).model.init).toEqual({ from: 'w.safetensors' });
  });
  it.each<[unknown, string]>([
    [{ job: 'job_1' }, 'model.init.job: must be an id such as job_01j…, got "job_1"'],
    [{ job: `job_${id}`, include: 'slots' }, 'model.init.include: must be one of weights, state, got "slots"'],
    [{ job: `job_${id}`, checkpoint: 'latest' }, 'model.init.checkpoint: must be an id such as ckpt_01j…, or null for the result (the latest, while there is none), got "latest"'],
    [{ job: `job_${id}`, from: 'w' }, 'model.init.job: is not a known key; known keys: from'],
    ['w.safetensors', 'model.init: must be null, {from: "<location>.safetensors"}, or {job, checkpoint, include}, got "w.safetensors"'],
  ])('%o is refused by its field', (given, problem) => {
    expect(told(input(init(given)))).toEqual([problem]);
  });
});

describe('early stopping and keep_best', () => {
  const digits = { type: 'builtin', name: 'digits' };
  const validated = { ...digits, validation: { split: 0.2 } };
  const both = (watched: Input, data: Input = validated, training: Input = {}): Input => input({ data, training: { ...training, early_stopping: watched }, checkpoint: { keep_best: watched } });

  it('watch the validation loss, or the loss where there is none, and know which way is better', () => {
    const of = (sections: Input) => { const { training, checkpoint } = specOf(sections); return [training.early_stopping, checkpoint.keep_best]; };
    const watched = (data: Input, metric: Input = {}) => of({ data, training: { early_stopping: metric }, checkpoint: { keep_best: metric } });
    expect(watched(validated)).toEqual([{ metric: 'val_loss', mode: 'min', patience: 0, min_delta: 0, restore_best: false }, { metric: 'val_loss', mode: 'min', n: 1 }]);
    expect(watched(digits)).toMatchObject([{ metric: 'loss', mode: 'min' }, { metric: 'loss', mode: 'min' }]);
    expect(watched(validated, { metric: 'validation_accuracy' })).toMatchObject([{ metric: 'val_accuracy', mode: 'max' }, { metric: 'val_accuracy', mode: 'max' }]);
    expect(watched(validated, { metric: 'val_accuracy', mode: 'min' })).toMatchObject([{ mode: 'min' }, { mode: 'min' }]);
  });

  it.each<[Input, Input, Input, string]>([
    [{ metric: 'val_loss' }, digits, {}, '"val_loss" needs validation data; there is none (data.validation)'],
    [{ metric: 'val_top_k_accuracy' }, validated, {}, '"val_top_k_accuracy" is not among training.metrics'],
    [{ metric: 'accuracy' }, validated, { metrics: [] }, '"accuracy" is not among training.metrics'],
  ])('are refused what rows will not have: %o', (watched, data, training, message) => {
    expect(told(both(watched, data, training))).toEqual([`training.early_stopping.metric: ${message}`, `checkpoint.keep_best.metric: ${message}`]);
  });

  it('are refused what they do not know', () => {
    expect(told(both({ metric: 'f1' })).map((problem) => problem.slice(0, 100))).toEqual(['training.early_stopping.metric: must be one of loss, accuracy, top_k_accuracy, val_loss, val_accurac', 'checkpoint.keep_best.metric: must be one of loss, accuracy, top_k_accuracy, val_loss, val_accuracy, ']);
    expect(told(input({ training: { early_stopping: { patience: -1, baseline: 3 } }, checkpoint: { keep_best: { n: 0 } } })).sort()).toEqual([
      'checkpoint.keep_best.n: must be an integer from 1 to 100, got 0',
      'training.early_stopping.baseline: is not a known key; known keys: metric, mode, patience, min_delta, restore_best',
      'training.early_stopping.patience: must be an integer from 0 to 1000000000, got -1',
    ]);
  });
});

describe('losses and metrics', () => {
  const training = (change: Input): Input => input({ training: change });
  it('are spelled out', () => {
    expect(specOf({ training: { loss: 'binary_crossentropy', metrics: ['top_k_accuracy', 'accuracy'] } }).training).toMatchObject({ loss: { type: 'binary_crossentropy', label_smoothing: 0, from_logits: false }, metrics: [{ type: 'top_k_accuracy', k: 5 }, 'accuracy'] });
    expect(specOf({ training: { metrics: [{ type: 'top_k_accuracy', k: 2 }] } }).training.metrics).toEqual([{ type: 'top_k_accuracy', k: 2 }]);
  });
  it.each<[Input, string]>([
    [{ loss: { type: 'mean_squared_error', label_smoothing: 0.1 } }, 'training.loss.label_smoothing: must be 0 for mean_squared_error; got 0.1'],
    [{ loss: { type: 'mean_squared_error', from_logits: true } }, 'training.loss.from_logits: must be false for mean_squared_error, which takes the last layer as it is; got true'],
    [{ loss: 'hinge' }, 'training.loss: must be one of categorical_crossentropy, sparse_categorical_crossentropy, binary_crossentropy, mean_squared_error, or {type, label_smoothing, from_logits}, got "hinge"'],
    [{ metrics: ['precision'] }, 'training.metrics.0: must be one of accuracy, top_k_accuracy, or {type: "top_k_accuracy", k}, got "precision"'],
    [{ metrics: [{ type: 'top_k_accuracy', k: 0 }] }, 'training.metrics.0.k: must be an integer from 1 to 65536, got 0'],
    [{ metrics: ['top_k_accuracy', { type: 'top_k_accuracy', k: 2 }] }, 'training.metrics: top_k_accuracy is given twice; rows have one'],
  ])('%o is refused by its field', (change, problem) => {
    expect(told(training(change))).toEqual([problem]);
  });
});

describe('a constraint', () => {
  it.each<[Input, string]>([
    [{ type: 'max_norm', axis: [0, 2] }, 'model.layers.1.kernel_constraint.axis: must be an axis of the kernel, 0 to 1; got 2'],
    [{ type: 'min_max_norm', min_value: 3 }, 'model.layers.1.kernel_constraint.min_value: must not be above max_value, 2; got 3'],
    [{ type: 'non_neg', axis: 0 }, 'model.layers.1.kernel_constraint.axis: is not a known key; known keys: type'],
    [{ type: 'max' }, 'model.layers.1.kernel_constraint.type: must be one of max_norm, unit_norm, non_neg, min_max_norm, got "max"'],
  ])('%o is refused by its field', (kernel_constraint, problem) => {
    expect(told(input({ model: { layers: [{ type: 'flatten' }, { ...dense, kernel_constraint }] } }))).toEqual([problem]);
  });

  it('is told by the kernel that it is for', () => {
    const layer = { type: 'separable_conv2d', filters: 1, kernel_size: 1, depthwise_constraint: { type: 'unit_norm', axis: 3 }, pointwise_constraint: { type: 'min_max_norm', min_value: 4 } };
    expect(told(input({ model: { layers: [layer] } }))).toEqual(['model.layers.0.pointwise_constraint.min_value: must not be above max_value, 2; got 4']);
  });

  it('and a regularizer have their defaults written', () => {
    const { layers } = specOf({ model: { layers: [{ type: 'flatten' }, { ...dense, kernel_regularizer: { l2: 0.1 }, kernel_constraint: { type: 'max_norm' } }] } }).model;
    expect(layers[1]).toMatchObject({ kernel_regularizer: { l1: 0, l2: 0.1 }, bias_regularizer: null, kernel_constraint: { type: 'max_norm', max_value: 2, axis: 0 } });
  });
});

describe('a schedule', () => {
  it.each<[unknown, string[]]>([
    ['step', ['training.lr_schedule: must be one of constant, cosine, one_cycle, or an object whose type is one of constant, step, exponential, cosine, piecewise, one_cycle, got "step"']],
    [{ type: 'step' }, ['training.lr_schedule.every_updates: is required: an integer from 1 to 1000000000']],
    [{ type: 'cosine', gamma: 1 }, [expect.stringMatching(/^training.lr_schedule.gamma: is not a known key/) as string]],
    [{ type: 'piecewise', boundaries: [5, 5, 9], values: [1, 2] }, ['training.lr_schedule.boundaries.1: must be above the one before it, 5; got 5', 'training.lr_schedule.values: must be one more than the boundaries: 4 values for 3 boundaries, got 2']],
    [{ type: 'constant', warmup_updates: -1 }, ['training.lr_schedule.warmup_updates: must be an integer from 0 to 1000000000, got -1']],
  ])('%o is refused by its field', (schedule, problems) => {
    expect(told(input({ training: { lr_schedule: schedule } }))).toEqual(problems);
  });
});

describe('hostile input', () => {
  it('gets short answers', () => {
    const long = 'x'.repeat(100_000);
    const problems = problemsOf({ ...input(), [long]: 1, name: long, data: { type: long }, training: { [long]: long, tail: long } });
    expect(problems.length).toBeGreaterThan(4);
    for (const { param, message } of problems) {
      expect(param.length).toBeLessThan(100);
      expect(message.length).toBeLessThan(500);
    }
  });

  it('cannot reach a prototype', () => {
    const value: unknown = JSON.parse('{"__proto__":{"training":{}},"constructor":1,"data":{"type":"builtin","name":"digits","__proto__":{"normalize":"unit"}},"model":{"layers":[{"type":"flatten","__proto__":{}}]},"run":{"tags":{"__proto__":"x"}}}');
    expect(problemsOf(value).map(({ param }) => param)).toEqual(['__proto__', 'constructor', 'data.__proto__', 'model.layers.0.__proto__', 'run.tags.__proto__']);
    expect(({} as Input)['training']).toBeUndefined();
    // a default is not taken from a prototype either
    expect(problemsOf(Object.create(input()))[0]?.param).toBe('data');
  });

  it('may be nested without end', () => {
    let nested: unknown = {};
    for (let depth = 0; depth < 100_000; depth++) nested = { layers: [nested] };
    expect(problemsOf(input({ model: nested, training: nested })).length).toBeGreaterThan(0);
    // a walk that did not remember where it was would never come back
    const circle: Input = {};
    for (let i = 0; i < 12; i++) circle[`self${i}`] = circle;
    expect(problemsOf(input({ training: circle }))).toHaveLength(12);
  });

  it('may be long without end', () => {
    const [tooLong] = problemsOf(input({ model: { layers: Array(200_000).fill(0) } }));
    expect(tooLong).toEqual({ param: 'model.layers', message: 'must be an array of at most 4096 items, got 200000' });
    const many = problemsOf(input({ model: { layers: Array(1000).fill({ type: 'conv2d', strides: 0, kernel_size: 'x' }) } }));
    expect(many).toHaveLength(101);
    expect(many.at(-1)).toEqual({ param: '', message: 'and 2900 more problems' });
  });

  it('may hold what JSON cannot', () => {
    const problems = problemsOf(input({ name: 1n, training: { batch_size: Infinity, seed: -Infinity, shuffle: () => true, tail: Symbol('x') }, run: new Map() }));
    expect(problems.map(({ param }) => param).sort()).toEqual(['name', 'training.batch_size', 'training.seed', 'training.shuffle', 'training.tail']);
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withMap: true, withNullPrototype: true, withObjectString: true, maxDepth: 4 }), fc.constantFrom('data', 'model', 'training', 'checkpoint', 'run', ''), (value, section) => {
        expect(Array.isArray(problemsOf(section === '' ? value : input({ [section]: value })))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
