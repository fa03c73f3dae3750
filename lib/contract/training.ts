// The training section of a spec: optimizers, schedules, losses and the rest, every key, bound and default, and the type of a
// resolved one.
import Type, { type Static } from 'typebox';
import { closed, Count, nullable, oneOf, positive, type Resolved, tagged } from './common.js';

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

export const LOSSES = ['categorical_crossentropy', 'sparse_categorical_crossentropy', 'binary_crossentropy', 'mean_squared_error'] as const;
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
const METRICS = ['accuracy', 'top_k_accuracy'] as const;
export const TopKAccuracy = Type.Object({ type: Type.Literal('top_k_accuracy'), k: Type.Optional(Type.Integer({ minimum: 1, maximum: 65536, default: 5 })) }, closed);
const Metric = Type.Unsafe<(typeof METRICS)[number] | Static<typeof TopKAccuracy>>({
  anyOf: [{ type: 'string', enum: METRICS }, TopKAccuracy],
  description: `one of ${METRICS.join(', ')}, or {type: "top_k_accuracy", k}`,
});
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

/** What the rows of epochs have. */
const MONITORED = ['loss', 'accuracy', 'top_k_accuracy', 'val_loss', 'val_accuracy', 'val_top_k_accuracy'] as const;
export type MonitoredMetric = (typeof MONITORED)[number];
/** What both early stopping and keep_best say. */
export const watched = {
  metric: Type.Optional(Type.Unsafe<string | null>({ anyOf: [{ type: 'string', enum: [...MONITORED, 'validation_loss', 'validation_accuracy', 'validation_top_k_accuracy'] }, { type: 'null' }], description: `one of ${MONITORED.join(', ')}, or null for val_loss (loss without validation)`, default: null })),
  mode: Type.Optional(oneOf(['auto', 'min', 'max'], { default: 'auto' })),
};
const EarlyStoppingObject = Type.Object(
  {
    ...watched,
    patience: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000_000, default: 0 })),
    min_delta: Type.Optional(Type.Number({ minimum: 0, maximum: 1e9, default: 0 })),
    restore_best: Type.Optional(Type.Boolean({ default: false })),
  },
  closed,
);
const EarlyStopping = Type.Unsafe<Static<typeof EarlyStoppingObject> | null>({ anyOf: [EarlyStoppingObject, { type: 'null' }], description: 'null, or {metric, patience, min_delta, mode, restore_best}', default: null });

const EmaObject = Type.Object({ momentum: Type.Optional(Type.Number({ minimum: 0, exclusiveMaximum: 1, default: 0.99 })) }, closed);
const Ema = Type.Unsafe<Static<typeof EmaObject> | null>({ anyOf: [EmaObject, { type: 'null' }], description: 'null, or {momentum} of a moving average of the weights', default: null });

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
    metrics: Type.Optional(Type.Array(Metric, { uniqueItems: true, maxItems: METRICS.length, default: ['accuracy'] })),
    clip_norm: Type.Optional(clip),
    clip_value: Type.Optional(clip),
    ema: Type.Optional(Ema),
    nonfinite: Type.Optional(oneOf(['fail', 'skip_window'], { default: 'fail' })),
    early_stopping: Type.Optional(EarlyStopping),
    precision: Type.Optional(oneOf(['float32'], { default: 'float32' })),
    numerics: Type.Optional(oneOf(['strict', 'fast'], { default: 'strict' })),
    allow_class_change: Type.Optional(Type.Boolean({ default: false })),
    lanes: Type.Optional(Type.Unsafe<'auto' | number>({ anyOf: [{ type: 'string', enum: ['auto'] }, { type: 'integer', minimum: 1, maximum: 64 }], description: '"auto", or how many micro-batches of a window run side by side (1 to 64)', default: 'auto' })),
  },
  { ...closed, default: {} },
);

export type OptimizerSpec = Resolved<Static<typeof Optimizer>>;
/** With its epsilon, where it has one, as a number. */
export type OptimizerSpecOf<T extends OptimizerSpec['type']> = Extract<OptimizerSpec, { type: T }> & (T extends 'sgd' ? unknown : { epsilon: number });
/** Learning rates by updates; `decay_updates` null is what the warm-up leaves of the training. */
export type LrScheduleSpec = Resolved<Static<typeof LrScheduleObject>>;
export type LossSpec = Resolved<Static<typeof LossObject>>;
/** With its metric named and its mode known. */
export interface EarlyStoppingSpec {
  metric: MonitoredMetric;
  mode: 'min' | 'max';
  patience: number;
  min_delta: number;
  restore_best: boolean;
}
export type EmaSpec = Resolved<Static<typeof EmaObject>>;
/** `accuracy`, or the other one with its k. */
export type MetricSpec = 'accuracy' | Resolved<Static<typeof TopKAccuracy>>;
export type TrainingSpec = Omit<Resolved<Static<typeof Training>>, 'optimizer' | 'loss' | 'lr_schedule' | 'metrics' | 'ema' | 'early_stopping'> & {
  optimizer: { [T in OptimizerSpec['type']]: OptimizerSpecOf<T> }[OptimizerSpec['type']];
  loss: LossSpec;
  lr_schedule: LrScheduleSpec;
  metrics: MetricSpec[];
  ema: EmaSpec | null;
  early_stopping: EarlyStoppingSpec | null;
};
