// The job spec: every key, bound and default that a user may write, and the type of a resolved one.
// What the specification names but is not built yet is in not-supported.ts, so that it is refused by that name.
import Type, { type Static } from 'typebox';
import { closed, Count, nullable, oneOf, type Resolved, tagged, Tags, Timestamp } from './common.js';

const positive = (maximum: number) => Type.Integer({ minimum: 1, maximum });
const literalNull = Type.Null({ default: null });

/** A number for both axes, or [height, width]. Resolved to the pair. */
const pair = (what: string, maximum: number, fallback?: number) =>
  Type.Unsafe<number | [number, number]>({
    anyOf: [
      { type: 'integer', minimum: 1, maximum },
      { type: 'array', items: { type: 'integer', minimum: 1, maximum }, minItems: 2, maxItems: 2 },
    ],
    description: `${what}: an integer from 1 to ${maximum}, or two of them [height, width]`,
    ...(fallback === undefined ? {} : { default: fallback }),
  });

export const ACTIVATIONS = ['relu', 'leaky_relu', 'elu', 'selu', 'gelu', 'silu', 'sigmoid', 'hard_sigmoid', 'tanh', 'softmax', 'softplus', 'linear'] as const;
export type Activation = (typeof ACTIVATIONS)[number];
export const INITIALIZERS = ['glorot_uniform', 'glorot_normal', 'he_uniform', 'he_normal', 'zeros', 'ones'] as const;
export type Initializer = (typeof INITIALIZERS)[number];
const PADDINGS = ['valid', 'same'] as const;
export type Padding = (typeof PADDINGS)[number];

const activation = Type.Optional(Type.Unsafe<Activation | null>({ anyOf: [{ type: 'string', enum: ACTIVATIONS }, { type: 'null' }], default: null }));
const initializer = (fallback: Initializer) => Type.Optional(oneOf(INITIALIZERS, { default: fallback }));

const Regularizer = Type.Object({ l1: Type.Optional(Type.Number({ minimum: 0, maximum: 1e6, default: 0 })), l2: Type.Optional(Type.Number({ minimum: 0, maximum: 1e6, default: 0 })) }, closed);
const regularizer = Type.Optional(Type.Unsafe<Static<typeof Regularizer> | null>({ anyOf: [Regularizer, { type: 'null' }], description: 'null, or {l1, l2}: Σ l1·|w| + l2·w²', default: null }));
/** Over which the norm is taken; the other axes have a norm each. */
const axis = Type.Optional(Type.Unsafe<number | number[]>({
  anyOf: [{ type: 'integer', minimum: 0, maximum: 3 }, { type: 'array', items: { type: 'integer', minimum: 0, maximum: 3 }, minItems: 1, maxItems: 4, uniqueItems: true }],
  description: 'axis: an axis of the kernel (0 to 3), or several of them',
  default: 0,
}));
const maxValue = Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e6, default: 2 }));
export const Constraint = tagged([
  Type.Object({ type: Type.Literal('max_norm'), max_value: maxValue, axis }, closed),
  Type.Object({ type: Type.Literal('unit_norm'), axis }, closed),
  Type.Object({ type: Type.Literal('non_neg') }, closed),
  Type.Object({ type: Type.Literal('min_max_norm'), min_value: Type.Optional(Type.Number({ minimum: 0, maximum: 1e6, default: 0 })), max_value: maxValue, axis }, closed),
]);
const constraint = Type.Optional(Type.Unsafe<Static<typeof Constraint> | null>({ anyOf: [Constraint, { type: 'null' }], description: 'null, or an object whose type is one of max_norm, unit_norm, non_neg, min_max_norm', default: null }));

/** Keys of every layer. Names become weight names `<layer>/<weight>`, hence the closed alphabet. */
const anyLayer = {
  name: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$', description: 'a name of up to 64 letters, digits, `_`, `.` or `-`' })),
  trainable: Type.Optional(Type.Boolean({ default: true })),
};
const withWeights = {
  activation,
  use_bias: Type.Optional(Type.Boolean({ default: true })),
  kernel_initializer: initializer('glorot_uniform'),
  bias_initializer: initializer('zeros'),
  kernel_regularizer: regularizer,
  bias_regularizer: regularizer,
  kernel_constraint: constraint,
};

const Conv2dLayer = Type.Object(
  {
    type: Type.Literal('conv2d'),
    ...anyLayer,
    filters: positive(65536),
    kernel_size: pair('kernel_size', 1024),
    strides: Type.Optional(pair('strides', 1024, 1)),
    padding: Type.Optional(oneOf(PADDINGS, { default: 'valid' })),
    dilation_rate: Type.Optional(pair('dilation_rate', 1024, 1)),
    groups: Type.Optional(Type.Literal(1, { default: 1, description: '1 (grouped convolutions are not supported)' })),
    ...withWeights,
  },
  closed,
);
const pooling = {
  ...anyLayer,
  pool_size: Type.Optional(pair('pool_size', 1024, 2)),
  strides: Type.Optional(Type.Unsafe<number | [number, number] | null>({
    anyOf: [{ type: 'integer', minimum: 1, maximum: 1024 }, { type: 'array', items: { type: 'integer', minimum: 1, maximum: 1024 }, minItems: 2, maxItems: 2 }, { type: 'null' }],
    description: 'strides: an integer from 1 to 1024, two of them, or null for pool_size',
    default: null,
  })),
  padding: Type.Optional(oneOf(PADDINGS, { default: 'valid' })),
};
const MaxPooling2dLayer = Type.Object({ type: Type.Literal('max_pooling2d'), ...pooling }, closed);
const AveragePooling2dLayer = Type.Object({ type: Type.Literal('average_pooling2d'), ...pooling }, closed);
const GlobalAveragePooling2dLayer = Type.Object({ type: Type.Literal('global_average_pooling2d'), ...anyLayer }, closed);
const GlobalMaxPooling2dLayer = Type.Object({ type: Type.Literal('global_max_pooling2d'), ...anyLayer }, closed);
const FlattenLayer = Type.Object({ type: Type.Literal('flatten'), ...anyLayer }, closed);
const DenseLayer = Type.Object({ type: Type.Literal('dense'), ...anyLayer, units: positive(1_048_576), ...withWeights }, closed);
const ActivationLayer = Type.Object({ type: Type.Literal('activation'), ...anyLayer, activation: oneOf(ACTIVATIONS) }, closed);
const dropping = { ...anyLayer, rate: Type.Number({ minimum: 0, exclusiveMaximum: 1 }) };
const DropoutLayer = Type.Object({ type: Type.Literal('dropout'), ...dropping }, closed);
const SpatialDropout2dLayer = Type.Object({ type: Type.Literal('spatial_dropout2d'), ...dropping }, closed);
const normalization = {
  ...anyLayer,
  epsilon: Type.Optional(Type.Number({ exclusiveMinimum: 0, default: 1e-3 })),
  center: Type.Optional(Type.Boolean({ default: true })),
  scale: Type.Optional(Type.Boolean({ default: true })),
};
const BatchNormalizationLayer = Type.Object(
  { type: Type.Literal('batch_normalization'), ...anyLayer, momentum: Type.Optional(Type.Number({ minimum: 0, maximum: 1, default: 0.99 })), ...normalization },
  closed,
);
const GroupNormalizationLayer = Type.Object({ type: Type.Literal('group_normalization'), ...anyLayer, groups: Type.Optional(Type.Integer({ minimum: 1, maximum: 65536, default: 32 })), ...normalization }, closed);
const LayerNormalizationLayer = Type.Object({ type: Type.Literal('layer_normalization'), ...normalization }, closed);
export const Layer = tagged([
  Conv2dLayer,
  MaxPooling2dLayer,
  AveragePooling2dLayer,
  GlobalAveragePooling2dLayer,
  GlobalMaxPooling2dLayer,
  FlattenLayer,
  DenseLayer,
  ActivationLayer,
  DropoutLayer,
  SpatialDropout2dLayer,
  BatchNormalizationLayer,
  GroupNormalizationLayer,
  LayerNormalizationLayer,
]);
export const LAYER_LIMIT = 1000;

const Normalize = Type.Unsafe<'none' | 'unit' | { mean: number | number[]; std: number | number[] }>({
  anyOf: [
    { type: 'string', enum: ['none', 'unit'] },
    {
      type: 'object',
      additionalProperties: false,
      required: ['mean', 'std'],
      properties: {
        mean: { anyOf: [{ type: 'number' }, { type: 'array', items: { type: 'number' }, minItems: 1, maxItems: 4096 }] },
        std: { anyOf: [{ type: 'number', exclusiveMinimum: 0 }, { type: 'array', items: { type: 'number', exclusiveMinimum: 0 }, minItems: 1, maxItems: 4096 }] },
      },
    },
  ],
  description: '"none", "unit", or {mean, std} on raw values, scalar or one number a channel',
  default: 'none',
});
const Location = Type.String({ minLength: 1, maxLength: 1024, description: 'a path relative to one of the data roots (bare or with `file:`)' });

const builtinFields = {
  type: Type.Literal('builtin'),
  name: oneOf(['digits', 'synthetic']),
  // for synthetic only; their defaults are written by resolution, because digits has none of them
  samples: Type.Optional(positive(10_000_000)),
  shape: Type.Optional(Type.Array(positive(65536), { minItems: 3, maxItems: 3 })),
  classes: Type.Optional(Type.Integer({ minimum: 2, maximum: 65536 })),
  seed: Type.Optional(Count),
};
const npzFields = {
  type: Type.Literal('npz'),
  path: Location,
  x: Type.Optional(Type.String({ minLength: 1, maxLength: 256, default: 'x' })),
  y: Type.Optional(Type.String({ minLength: 1, maxLength: 256, default: 'y' })),
};
const ValidationSplit = Type.Object({ split: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1 }) }, closed);
const bare = { normalize: Type.Optional(Normalize) };
export const ValidationData = tagged([Type.Object({ ...builtinFields, ...bare }, closed), Type.Object({ ...npzFields, ...bare }, closed)]);
const validation = Type.Optional(Type.Unsafe<Static<typeof ValidationSplit> | Static<typeof ValidationData> | null>({
  anyOf: [ValidationSplit, ValidationData, { type: 'null' }],
  description: 'null, {split: f} for the last samples, or a data object',
  default: null,
}));
const BuiltinData = Type.Object({ ...builtinFields, ...bare, validation }, closed);
const NpzData = Type.Object({ ...npzFields, ...bare, validation }, closed);
export const Data = tagged([BuiltinData, NpzData]);

const optimizerCommon = (lr: number, weightDecay = 0) => ({
  lr: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e6, default: lr })),
  decay: Type.Optional(Type.Number({ minimum: 0, maximum: 1e6, default: 0 })),
  weight_decay: Type.Optional(Type.Number({ minimum: 0, maximum: 1e6, default: weightDecay })),
});
const fraction = (fallback: number) => Type.Optional(Type.Number({ minimum: 0, exclusiveMaximum: 1, default: fallback }));
const epsilon = Type.Optional(Type.Unsafe<number | null>({ anyOf: [{ type: 'number', exclusiveMinimum: 0 }, { type: 'null' }], default: 1e-7, description: 'a positive number, or null for 1e-7' }));
const SgdOptimizer = Type.Object(
  {
    type: Type.Literal('sgd'),
    ...optimizerCommon(0.01),
    momentum: fraction(0),
    nesterov: Type.Optional(Type.Boolean({ default: false })),
  },
  closed,
);
const moments = { beta_1: fraction(0.9), beta_2: fraction(0.999), epsilon };
const amsgrad = Type.Optional(Type.Boolean({ default: false }));
const AdamOptimizer = Type.Object({ type: Type.Literal('adam'), ...optimizerCommon(0.001), ...moments, amsgrad }, closed);
const AdamwOptimizer = Type.Object({ type: Type.Literal('adamw'), ...optimizerCommon(0.001, 0.004), ...moments, amsgrad }, closed);
const RmspropOptimizer = Type.Object({ type: Type.Literal('rmsprop'), ...optimizerCommon(0.001), rho: fraction(0.9), momentum: fraction(0), epsilon }, closed);
const AdagradOptimizer = Type.Object({ type: Type.Literal('adagrad'), ...optimizerCommon(0.001), initial_accumulator_value: Type.Optional(Type.Number({ minimum: 0, maximum: 1e6, default: 0.1 })), epsilon }, closed);
const LambOptimizer = Type.Object({ type: Type.Literal('lamb'), ...optimizerCommon(0.001), ...moments }, closed);
export const Optimizer = tagged([SgdOptimizer, AdamOptimizer, AdamwOptimizer, RmspropOptimizer, AdagradOptimizer, LambOptimizer], { default: { type: 'adam' } });

export const LOSSES = ['categorical_crossentropy', 'sparse_categorical_crossentropy'] as const;
const LossObject = Type.Object(
  {
    type: oneOf(LOSSES),
    label_smoothing: Type.Optional(Type.Number({ minimum: 0, exclusiveMaximum: 1, default: 0 })),
    from_logits: Type.Optional(Type.Boolean({ default: false })),
  },
  closed,
);
const Loss = Type.Unsafe<(typeof LOSSES)[number] | Static<typeof LossObject>>({
  anyOf: [{ type: 'string', enum: LOSSES }, LossObject],
  description: `one of ${LOSSES.join(', ')}, or {type, label_smoothing, from_logits}`,
  default: 'categorical_crossentropy',
});
const METRICS = ['accuracy'] as const;
const warmup = { warmup_updates: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000_000, default: 0 })) };
const updates = positive(1_000_000_000);
const rate = Type.Number({ exclusiveMinimum: 0, maximum: 1e6 });
export const LrScheduleObject = tagged([
  Type.Object({ type: Type.Literal('constant'), ...warmup }, closed),
  Type.Object({ type: Type.Literal('step'), every_updates: updates, gamma: Type.Optional(Type.Number({ minimum: 0, maximum: 1e6, default: 0.1 })), ...warmup }, closed),
  Type.Object({ type: Type.Literal('exponential'), decay_rate: rate, decay_steps: updates, staircase: Type.Optional(Type.Boolean({ default: false })), ...warmup }, closed),
  Type.Object({ type: Type.Literal('cosine'), decay_updates: Type.Optional(Type.Unsafe<number | null>({ anyOf: [updates, { type: 'null' }], default: null })), alpha: Type.Optional(Type.Number({ minimum: 0, maximum: 1, default: 0 })), ...warmup }, closed),
  Type.Object(
    {
      type: Type.Literal('piecewise'),
      boundaries: Type.Array(Count, { minItems: 1, maxItems: 1000 }),
      values: Type.Array(Type.Number({ minimum: 0, maximum: 1e6 }), { minItems: 2, maxItems: 1001 }),
      ...warmup,
    },
    closed,
  ),
  Type.Object(
    {
      type: Type.Literal('one_cycle'),
      pct_start: Type.Optional(Type.Number({ minimum: 0, maximum: 1, default: 0.3 })),
      div_factor: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e9, default: 25 })),
      final_div_factor: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e9, default: 1e4 })),
      ...warmup,
    },
    closed,
  ),
]);
/** Whose keys all have defaults: the name alone will do. */
const PLAIN_SCHEDULES = ['constant', 'cosine', 'one_cycle'] as const;
const LrSchedule = Type.Unsafe<(typeof PLAIN_SCHEDULES)[number] | Static<typeof LrScheduleObject>>({
  anyOf: [{ type: 'string', enum: PLAIN_SCHEDULES }, LrScheduleObject],
  description: `one of ${PLAIN_SCHEDULES.join(', ')}, or an object whose type is one of constant, step, exponential, cosine, piecewise, one_cycle`,
  default: 'constant',
});

const clip = Type.Unsafe<number | null>({ anyOf: [{ type: 'number', exclusiveMinimum: 0, maximum: 1e9 }, { type: 'null' }], description: 'a number > 0, or null', default: null });

export const Training = Type.Object(
  {
    batch_size: Type.Optional(Type.Integer({ minimum: 1, maximum: 65536, default: 32 })),
    accum_iters: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, default: 1 })),
    epochs: Type.Optional(nullable(positive(1_000_000_000))),
    max_updates: Type.Optional(nullable(positive(Number.MAX_SAFE_INTEGER))),
    tail: Type.Optional(oneOf(['carry', 'flush', 'drop'], { default: 'carry' })),
    reduction: Type.Optional(oneOf(['sample', 'batch'], { default: 'sample' })),
    shuffle: Type.Optional(Type.Boolean({ default: true })),
    seed: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, default: 0 })),
    optimizer: Type.Optional(Optimizer),
    lr_schedule: Type.Optional(LrSchedule),
    loss: Type.Optional(Loss),
    metrics: Type.Optional(Type.Array(oneOf(METRICS), { uniqueItems: true, maxItems: METRICS.length, default: ['accuracy'] })),
    clip_norm: Type.Optional(clip),
    clip_value: Type.Optional(clip),
    ema: Type.Optional(literalNull),
    nonfinite: Type.Optional(oneOf(['fail'], { default: 'fail' })),
    early_stopping: Type.Optional(literalNull),
    precision: Type.Optional(oneOf(['float32'], { default: 'float32' })),
    numerics: Type.Optional(oneOf(['strict', 'fast'], { default: 'strict' })),
    allow_class_change: Type.Optional(Type.Boolean({ default: false })),
    lanes: Type.Optional(Type.Unsafe<'auto' | number>({ anyOf: [{ type: 'string', enum: ['auto'] }, { type: 'integer', minimum: 1, maximum: 64 }], description: '"auto", or how many micro-batches of a window run side by side (1 to 64)', default: 'auto' })),
  },
  { ...closed, default: {} },
);

/** Seconds as a number, or `30s 10m 6h 1d`; resolved to the number. */
const seconds = (minimum: number) => ({ anyOf: [{ type: 'number', minimum }, { type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?[smhd]$' }, { type: 'null' }], description: `seconds (at least ${minimum}), or a string such as 30s, 10m, 6h, 1d` });
const Seconds = (minimum: number) => Type.Unsafe<number | string | null>(seconds(minimum));

export const CheckpointPolicy = Type.Object(
  {
    every_seconds: Type.Optional(Seconds(0.01)),
    every_updates: Type.Optional(nullable(positive(1_000_000_000))),
    every_micro_batches: Type.Optional(nullable(positive(1_000_000_000))),
    keep_last: Type.Optional(Type.Integer({ minimum: 2, maximum: 100, default: 2 })),
    keep_best: Type.Optional(literalNull),
  },
  { ...closed, default: {} },
);
export const Resources = Type.Object(
  {
    engine: Type.Optional(oneOf(['auto', 'tensorflow', 'wasm'], { default: 'auto' })),
    gpu: Type.Optional(oneOf(['preferred', 'required', 'none'], { default: 'preferred' })),
    min_memory_mib: Type.Optional(Type.Unsafe<number | null>({ anyOf: [{ type: 'integer', minimum: 1 }, { type: 'null' }], default: null })),
  },
  { ...closed, default: {} },
);
const nullDefault = <T>(schema: object) => Type.Optional(Type.Unsafe<T | null>({ ...schema, default: null }));
export const Run = Type.Object(
  {
    priority: Type.Optional(Type.Integer({ minimum: -100, maximum: 100, default: 0 })),
    max_failures: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000, default: 3 })),
    max_preemptions: nullDefault<number>({ anyOf: [{ type: 'integer', minimum: 0 }, { type: 'null' }] }),
    max_duration_seconds: nullDefault<number | string>(seconds(1)),
    start_after: nullDefault<string>({ anyOf: [Timestamp, { type: 'null' }] }),
    start_before: nullDefault<string>({ anyOf: [Timestamp, { type: 'null' }] }),
    tags: Type.Optional(Type.Unsafe<Record<string, string>>({ ...Tags, default: {} })),
  },
  { ...closed, default: {} },
);

/** Where the first weights come from: null for the initializers, or a safetensors file. */
const Init = Type.Unsafe<{ from: string } | null>({ anyOf: [Type.Object({ from: Location }, closed), { type: 'null' }], description: 'null, or {from: "<location>.safetensors"}', default: null });
export const Model = Type.Object({ layers: Type.Array(Layer, { minItems: 1, maxItems: LAYER_LIMIT }), init: Type.Optional(Init) }, closed);

export const JobSpecSchema = Type.Object(
  {
    spec_version: Type.Optional(Type.Literal(1, { default: 1 })),
    name: Type.Optional(Type.Unsafe<string | null>({ anyOf: [{ type: 'string', minLength: 1, maxLength: 128 }, { type: 'null' }], default: null })),
    data: Data,
    model: Model,
    training: Type.Optional(Training),
    checkpoint: Type.Optional(CheckpointPolicy),
    resources: Type.Optional(Resources),
    run: Type.Optional(Run),
  },
  closed,
);

/** What a user may send. */
export type JobSpecInput = Static<typeof JobSpecSchema>;

type Pair = [number, number];
type PairKey = 'kernel_size' | 'strides' | 'dilation_rate' | 'pool_size';
type ResolvedLayerOf<T> = T extends object ? { [K in keyof Resolved<T>]: K extends PairKey ? Pair : Resolved<T>[K] } : never;
/** A layer with every key present, sizes as [height, width]. */
export type LayerSpec = ResolvedLayerOf<Static<typeof Layer>>;
export type LayerSpecOf<T extends LayerSpec['type']> = Extract<LayerSpec, { type: T }>;
export type OptimizerSpec = Resolved<Static<typeof Optimizer>>;
/** With its epsilon, where it has one, as a number. */
export type OptimizerSpecOf<T extends OptimizerSpec['type']> = Extract<OptimizerSpec, { type: T }> & (T extends 'sgd' ? unknown : { epsilon: number });
export type RegularizerSpec = Resolved<Static<typeof Regularizer>>;
export type ConstraintSpec = Resolved<Static<typeof Constraint>>;
/** Learning rates by updates; `decay_updates` null is what the warm-up leaves of the training. */
export type LrScheduleSpec = Resolved<Static<typeof LrScheduleObject>>;
export type LossSpec = Resolved<Static<typeof LossObject>>;
export type NormalizeSpec = Static<typeof Normalize>;
/** `samples, shape, classes, seed` are there exactly for `synthetic`. */
export type BuiltinSourceSpec = { type: 'builtin'; normalize: NormalizeSpec } & ({ name: 'digits' } | { name: 'synthetic'; samples: number; shape: number[]; classes: number; seed: number });
export type NpzSourceSpec = { type: 'npz'; path: string; x: string; y: string; normalize: NormalizeSpec };
/** One set of samples, without its validation. */
export type DataSourceSpec = BuiltinSourceSpec | NpzSourceSpec;
export type ValidationSpec = { split: number } | DataSourceSpec | null;
export type DataSpec = DataSourceSpec & { validation: ValidationSpec };
export type TrainingSpec = Omit<Resolved<Static<typeof Training>>, 'optimizer' | 'loss' | 'lr_schedule'> & {
  optimizer: { [T in OptimizerSpec['type']]: OptimizerSpecOf<T> }[OptimizerSpec['type']];
  loss: LossSpec;
  lr_schedule: LrScheduleSpec;
};
export interface CheckpointPolicySpec {
  /** Exactly one of the three is a number. */
  every_seconds: number | null;
  every_updates: number | null;
  every_micro_batches: number | null;
  keep_last: number;
  keep_best: null;
}
export type ResourcesSpec = Resolved<Static<typeof Resources>>;
export type RunSpec = Omit<Resolved<Static<typeof Run>>, 'max_duration_seconds'> & { max_duration_seconds: number | null };
/** A resolved spec: every default written, every shorthand spelled out. Resolving it again changes nothing. */
export interface JobSpec {
  spec_version: 1;
  name: string | null;
  data: DataSpec;
  model: { layers: LayerSpec[]; init: { from: string } | null };
  training: TrainingSpec;
  checkpoint: CheckpointPolicySpec;
  resources: ResourcesSpec;
  run: RunSpec;
}
