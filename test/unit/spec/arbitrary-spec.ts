// Valid specs of every kind, as users write them: with and without defaults, in shorthand and spelled out.
import fc from 'fast-check';
import { ACTIVATIONS, INITIALIZERS } from '../../../lib/contract/layers.js';
import { LOSSES } from '../../../lib/contract/training.js';

/** An object with some of its optional keys. */
const some = <T extends object>(required: { [K in keyof T]: fc.Arbitrary<T[K]> }, optional: Record<string, fc.Arbitrary<unknown>> = {}) =>
  fc.record({ ...required, ...optional }, { requiredKeys: Object.keys(required) }) as fc.Arbitrary<Record<string, unknown>>;

const number = (min: number, max: number) => fc.double({ min, max, noNaN: true });
const pair = (max: number) => fc.oneof(fc.integer({ min: 1, max }), fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max })));
const withWeights = {
  activation: fc.constantFrom(null, ...ACTIVATIONS),
  use_bias: fc.boolean(),
  kernel_initializer: fc.constantFrom(...INITIALIZERS),
  bias_initializer: fc.constantFrom(...INITIALIZERS),
  kernel_regularizer: fc.option(some({}, { l1: number(0, 1), l2: number(0, 1) })),
  bias_regularizer: fc.option(some({}, { l2: number(0, 1) })),
  kernel_constraint: fc.option(fc.oneof(some({ type: fc.constant('max_norm') }, { max_value: number(0.1, 9), axis: fc.constantFrom(0, 1, [0, 1]) }), fc.constant({ type: 'non_neg' }), some({ type: fc.constant('min_max_norm') }, { min_value: number(0, 1) }), fc.constant({ type: 'unit_norm', axis: 1 }))),
};
const { kernel_initializer, kernel_regularizer, kernel_constraint, ...withBias } = withWeights;
const anyLayer = { trainable: fc.boolean() };
const plainLayer = fc.oneof(
  some({ type: fc.constant('conv2d'), filters: fc.integer({ min: 1, max: 64 }), kernel_size: pair(5) }, { ...anyLayer, ...withWeights, strides: pair(3), padding: fc.constantFrom('valid', 'same'), groups: fc.constant(1) }),
  some({ type: fc.constant('depthwise_conv2d'), kernel_size: pair(5) }, { ...anyLayer, ...withWeights, dilation_rate: pair(3), depth_multiplier: fc.integer({ min: 1, max: 4 }) }),
  some(
    { type: fc.constant('separable_conv2d'), filters: fc.integer({ min: 1, max: 64 }), kernel_size: pair(5) },
    { ...anyLayer, ...withBias, strides: fc.integer({ min: 1, max: 3 }), padding: fc.constantFrom('valid', 'same'), depthwise_initializer: kernel_initializer, pointwise_regularizer: kernel_regularizer, depthwise_constraint: kernel_constraint },
  ),
  some({ type: fc.constant('max_pooling2d') }, { ...anyLayer, pool_size: pair(4), strides: fc.option(pair(4)) }),
  some({ type: fc.constant('average_pooling2d') }, { ...anyLayer, pool_size: pair(4), strides: fc.option(pair(4)) }),
  some({ type: fc.constantFrom('global_average_pooling2d', 'global_max_pooling2d') }, anyLayer),
  some({ type: fc.constant('flatten') }, anyLayer),
  some({ type: fc.constant('dense'), units: fc.integer({ min: 1, max: 512 }) }, { ...anyLayer, ...withWeights }),
  some({ type: fc.constant('activation'), activation: fc.constantFrom(...ACTIVATIONS) }, anyLayer),
  some({ type: fc.constantFrom('dropout', 'spatial_dropout2d'), rate: number(0, 0.99) }, anyLayer),
  some({ type: fc.constant('group_normalization') }, { ...anyLayer, groups: fc.integer({ min: 1, max: 64 }), epsilon: number(1e-9, 1), scale: fc.boolean() }),
  some({ type: fc.constant('layer_normalization') }, { ...anyLayer, epsilon: number(1e-9, 1), center: fc.boolean() }),
  some({ type: fc.constant('batch_normalization') }, { ...anyLayer, momentum: number(0, 1), epsilon: number(1e-9, 1), center: fc.boolean() }),
);
const residual = (inner: fc.Arbitrary<Record<string, unknown>>) => some({ type: fc.constant('residual'), layers: fc.array(inner, { minLength: 1, maxLength: 2 }) }, { ...anyLayer, shortcut: fc.option(fc.record({ layers: fc.array(inner, { minLength: 1, maxLength: 2 }) })) });
const layer = fc.oneof({ weight: 8, arbitrary: plainLayer }, { weight: 1, arbitrary: residual(fc.oneof(plainLayer, residual(plainLayer))) });
/** Some layers have names; none of them twice. */
const layers = fc.array(fc.tuple(layer, fc.boolean()), { minLength: 1, maxLength: 6 }).map((list) => list.map(([spec, named], i) => (named ? { ...spec, name: i === 0 ? 'dense_1' : `layer.${i}` } : spec)));

const normalize = fc.oneof(
  fc.constantFrom('none', 'unit'),
  fc.record({ mean: number(-10, 10), std: number(0.1, 10) }),
  fc.record({ mean: fc.array(number(-10, 10), { minLength: 1, maxLength: 3 }), std: fc.array(number(0.1, 10), { minLength: 1, maxLength: 3 }) }),
);
const source = fc.oneof(
  some({ type: fc.constant('builtin'), name: fc.constant('digits') }, { normalize }),
  some(
    { type: fc.constant('builtin'), name: fc.constant('synthetic') },
    { normalize, samples: fc.integer({ min: 1, max: 1000 }), shape: fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 3 })), classes: fc.integer({ min: 2, max: 20 }), seed: fc.nat() },
  ),
  some({ type: fc.constant('idx'), images: fc.constantFrom('train-images-idx3-ubyte.gz', 's3://bucket/images'), labels: fc.constant('file:labels') }, { normalize }),
  some({ type: fc.constant('npz'), path: fc.constantFrom('a.npz', 'file:b/c.npz', 's3://bucket/a/b.npz') }, { normalize, x: fc.constant('images'), y: fc.constant('labels') }),
);
const data = fc.tuple(source, fc.oneof(fc.constant(undefined), fc.constant(null), fc.record({ split: number(0.01, 0.99) }), source)).map(([set, validation]) => (validation === undefined ? set : { ...set, validation }));

const rates = { lr: number(1e-6, 1), decay: number(0, 1), weight_decay: number(0, 1) };
const optimizer = fc.oneof(
  some({ type: fc.constant('adam') }, { ...rates, beta_1: number(0, 0.99), beta_2: number(0, 0.99), epsilon: fc.option(number(1e-9, 1)), amsgrad: fc.boolean() }),
  some({ type: fc.constant('sgd') }, { ...rates, momentum: number(0, 0.99), nesterov: fc.constant(false) }),
  some({ type: fc.constant('sgd'), momentum: number(0.1, 0.99), nesterov: fc.constant(true) }, rates),
  some({ type: fc.constant('adamw') }, { ...rates, beta_1: number(0, 0.99), amsgrad: fc.boolean() }),
  some({ type: fc.constant('rmsprop') }, { ...rates, rho: number(0, 0.99), momentum: number(0, 0.99), epsilon: fc.option(number(1e-9, 1)) }),
  some({ type: fc.constant('adagrad') }, { ...rates, initial_accumulator_value: number(0, 1) }),
  some({ type: fc.constant('lamb') }, { ...rates, beta_2: number(0, 0.99) }),
);
const warmup = { warmup_updates: fc.nat(100) };
const updates = fc.integer({ min: 1, max: 1000 });
const schedule = fc.oneof(
  fc.constantFrom('constant', 'cosine', 'one_cycle'),
  some({ type: fc.constant('constant') }, warmup),
  some({ type: fc.constant('step'), every_updates: updates }, { ...warmup, gamma: number(0, 1) }),
  some({ type: fc.constant('exponential'), decay_rate: number(0.1, 1), decay_steps: updates }, { ...warmup, staircase: fc.boolean() }),
  some({ type: fc.constant('cosine') }, { ...warmup, decay_updates: fc.option(updates), alpha: number(0, 1) }),
  some({ type: fc.constant('piecewise'), boundaries: fc.constant([3, 9]), values: fc.constant([0.1, 0.01, 0]) }, warmup),
  some({ type: fc.constant('one_cycle') }, { ...warmup, pct_start: number(0, 1), div_factor: number(1, 100), final_div_factor: number(1, 1e5) }),
);
const training = some(
  {},
  {
    batch_size: fc.integer({ min: 1, max: 512 }),
    accum_iters: fc.integer({ min: 1, max: 64 }),
    epochs: fc.option(fc.integer({ min: 1, max: 100 })),
    max_updates: fc.option(fc.integer({ min: 1, max: 100 })),
    tail: fc.constantFrom('carry', 'flush', 'drop'),
    reduction: fc.constantFrom('sample', 'batch'),
    shuffle: fc.boolean(),
    seed: fc.maxSafeNat(),
    optimizer,
    lr_schedule: schedule,
    loss: fc.oneof(fc.constantFrom(...LOSSES), fc.constant({ type: 'mean_squared_error' }), some({ type: fc.constantFrom(...LOSSES.slice(0, 3)) }, { label_smoothing: number(0, 0.5), from_logits: fc.boolean() })),
    metrics: fc.constantFrom([], ['accuracy'], ['top_k_accuracy'], ['accuracy', { type: 'top_k_accuracy', k: 3 }]),
    ema: fc.option(some({}, { momentum: number(0, 0.999) })),
    nonfinite: fc.constantFrom('fail', 'skip_window'),
    early_stopping: fc.option(some({}, { metric: fc.constantFrom('loss', null), mode: fc.constantFrom('auto', 'min', 'max'), patience: fc.nat(9), min_delta: number(0, 1), restore_best: fc.boolean() })),
    clip_norm: fc.option(number(0.1, 10)),
    clip_value: fc.option(number(0.1, 10)),
    allow_class_change: fc.boolean(),
  },
);
const duration = fc.oneof(number(1, 1e6), fc.constantFrom('30s', '10m', '6h', '1d', '1.5h'));
const checkpoint = fc.oneof(
  some({}, { every_seconds: fc.option(fc.oneof(duration, fc.constant('auto'))), keep_last: fc.integer({ min: 2, max: 9 }), keep_best: fc.option(some({}, { metric: fc.constant('loss'), n: fc.integer({ min: 1, max: 9 }) })) }),
  some({ every_updates: fc.integer({ min: 1, max: 99 }) }, { every_seconds: fc.constant(null) }),
  some({ every_micro_batches: fc.integer({ min: 1, max: 99 }) }),
);
const run = some(
  {},
  {
    priority: fc.integer({ min: -100, max: 100 }),
    max_failures: fc.integer({ min: 0, max: 9 }),
    max_preemptions: fc.option(fc.nat(9)),
    max_duration_seconds: fc.option(duration),
    start_after: fc.constantFrom(null, '2026-01-31T12:00:00Z'),
    start_before: fc.constantFrom(null, '2026-02-28T12:00:00.5Z'),
    tags: fc.dictionary(fc.stringMatching(/^[A-Za-z0-9_.-]{1,8}$/).filter((key) => key !== '__proto__'), fc.string({ maxLength: 20 }), { maxKeys: 4 }),
  },
);
const init = fc.constantFrom(null, { from: 'w.safetensors' });

export const anySpec = some(
  { data, model: some({ layers }, { init }) },
  {
    spec_version: fc.constant(1),
    name: fc.constantFrom(null, 'a', 'digits demo'),
    training,
    checkpoint,
    resources: some({}, { engine: fc.constantFrom('auto', 'tensorflow'), gpu: fc.constantFrom('preferred', 'required', 'none'), min_memory_mib: fc.option(fc.integer({ min: 1, max: 9999 })) }),
    run,
  },
);
