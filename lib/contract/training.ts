// The training section of a spec: optimizers, schedules, losses and the rest, every key, bound and default, and the type of a
// resolved one.
import Type, { type Static } from 'typebox';
import { closed, Count, nullable, oneOf, positive, type Resolved, tagged } from './common.js';

const optimizerCommon = (lr: number, weightDecay: { default: number; description?: string } = { default: 0 }) => ({
  lr: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e6, default: lr, description: 'the learning rate, before schedule and decay' })),
  decay: Type.Optional(Type.Number({ minimum: 0, maximum: 1e6, default: 0, description: 'divides the scheduled learning rate by 1 + decay · completed updates' })),
  weight_decay: Type.Optional(Type.Number({ minimum: 0, maximum: 1e6, description: 'decoupled: w −= learning rate · weight_decay · w, before the step', ...weightDecay })),
});
const fraction = (fallback: number, description: string) => Type.Optional(Type.Number({ minimum: 0, exclusiveMaximum: 1, default: fallback, description }));
const epsilon = (description: string) => Type.Optional(Type.Unsafe<number | null>({ anyOf: [{ type: 'number', exclusiveMinimum: 0 }, { type: 'null' }], default: 1e-7, allows: 'a positive number, or null for 1e-7', description }));
const SgdOptimizer = Type.Object(
  {
    type: Type.Literal('sgd'),
    ...optimizerCommon(0.01),
    momentum: fraction(0, 'µ, what is kept of the last step'),
    nesterov: Type.Optional(Type.Boolean({ default: false, description: 'looks one step ahead: w += µ·v − lr·g; needs a momentum' })),
  },
  { ...closed, description: 'v = µ·v − lr·g; w += v' },
);
const moments = {
  beta_1: fraction(0.9, 'what m keeps at each update'),
  beta_2: fraction(0.999, 'what v keeps at each update'),
  epsilon: epsilon('ε, added outside the root'),
};
const amsgrad = Type.Optional(Type.Boolean({ default: false, description: 'divides by the root of the largest v so far' }));
const AdamOptimizer = Type.Object({ type: Type.Literal('adam'), ...optimizerCommon(0.001), ...moments, amsgrad }, { ...closed, description: 'm = β₁·m + (1 − β₁)·g; v = β₂·v + (1 − β₂)·g²; w −= lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε), where t counts updates' });
const AdamwOptimizer = Type.Object({ type: Type.Literal('adamw'), ...optimizerCommon(0.001, { default: 0.004 }), ...moments, amsgrad }, { ...closed, description: 'adam with a weight decay of its own' });
const RmspropOptimizer = Type.Object(
  { type: Type.Literal('rmsprop'), ...optimizerCommon(0.001), rho: fraction(0.9, 'what v keeps at each update'), momentum: fraction(0, 'µ, what is kept of the last step'), epsilon: epsilon('ε, added under the root') },
  { ...closed, description: 'v = ρ·v + (1 − ρ)·g²; m = µ·m + lr·g / √(v + ε); w −= m' },
);
const AdagradOptimizer = Type.Object(
  { type: Type.Literal('adagrad'), ...optimizerCommon(0.001), initial_accumulator_value: Type.Optional(Type.Number({ minimum: 0, maximum: 1e6, default: 0.1, description: 'what a begins with' })), epsilon: epsilon('ε, added under the root') },
  { ...closed, description: 'a += g²; w −= lr·g / √(a + ε)' },
);
const LambOptimizer = Type.Object(
  { type: Type.Literal('lamb'), ...optimizerCommon(0.001, { default: 0, description: 'weight_decay · w is part of the step, and so of its length' }), ...moments },
  { ...closed, description: "adam's bias-corrected step, made as long as the weight itself: w −= lr · ‖w‖/‖step‖ · step, the ratio 1 where a norm is 0" },
);
export const Optimizer = tagged([SgdOptimizer, AdamOptimizer, AdamwOptimizer, RmspropOptimizer, AdagradOptimizer, LambOptimizer], { default: { type: 'adam' }, description: 'how a window\'s gradient g changes the weights w' });

export const LOSSES = ['categorical_crossentropy', 'sparse_categorical_crossentropy', 'binary_crossentropy', 'mean_squared_error'] as const;
export const LossObject = Type.Object(
  {
    type: oneOf(LOSSES, { description: 'both categorical ones take class numbers and one-hot rows' }),
    label_smoothing: Type.Optional(Type.Number({ minimum: 0, exclusiveMaximum: 1, default: 0, description: 'the share of a label that is spread over all classes; only of crossentropies' })),
    from_logits: Type.Optional(Type.Boolean({ default: false, description: 'the last layer gives logits; only of crossentropies. A categorical one after a softmax, and the binary one after a sigmoid, use its logits anyhow' })),
  },
  closed,
);
const Loss = Type.Unsafe<(typeof LOSSES)[number] | Static<typeof LossObject>>({
  anyOf: [{ type: 'string', enum: LOSSES }, LossObject],
  allows: `one of ${LOSSES.join(', ')}, or {type, label_smoothing, from_logits}`,
  description: 'what is made smaller; a name stands for an object with that type',
  default: 'categorical_crossentropy',
});
const METRICS = ['accuracy', 'top_k_accuracy'] as const;
export const TopKAccuracy = Type.Object({ type: Type.Literal('top_k_accuracy'), k: Type.Optional(Type.Integer({ minimum: 1, maximum: 65536, default: 5, description: 'less than there are classes' })) }, { ...closed, description: 'the share of samples whose class is among the k largest outputs' });
const Metric = Type.Unsafe<(typeof METRICS)[number] | Static<typeof TopKAccuracy>>({
  anyOf: [{ type: 'string', enum: METRICS }, TopKAccuracy],
  allows: `one of ${METRICS.join(', ')}, or {type: "top_k_accuracy", k}`,
});
const warmup = { warmup_updates: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000_000, default: 0, description: 'W updates that rise to the rate, lr · (u + 1) / W; the schedule begins after them' })) };
const updates = (description: string) => positive(1_000_000_000, { description });
export const LrScheduleObject = tagged([
  Type.Object({ type: Type.Literal('constant'), ...warmup }, { ...closed, description: 'lr' }),
  Type.Object(
    { type: Type.Literal('step'), every_updates: updates('updates between two steps'), gamma: Type.Optional(Type.Number({ minimum: 0, maximum: 1e6, default: 0.1, description: 'the factor of each step' })), ...warmup },
    { ...closed, description: 'lr · gamma ^ ⌊u / every_updates⌋' },
  ),
  Type.Object(
    {
      type: Type.Literal('exponential'),
      decay_rate: Type.Number({ exclusiveMinimum: 0, maximum: 1e6, description: 'the factor of `decay_steps` updates' }),
      decay_steps: updates('updates that it takes'),
      staircase: Type.Optional(Type.Boolean({ default: false, description: 'rounds the exponent down' })),
      ...warmup,
    },
    { ...closed, description: 'lr · decay_rate ^ (u / decay_steps)' },
  ),
  Type.Object(
    {
      type: Type.Literal('cosine'),
      decay_updates: Type.Optional(Type.Unsafe<number | null>({ anyOf: [positive(1_000_000_000), { type: 'null' }], default: null, description: 'updates that it takes; null: all that the warm-up leaves' })),
      alpha: Type.Optional(Type.Number({ minimum: 0, maximum: 1, default: 0, description: 'the last rate, as a share of lr' })),
      ...warmup,
    },
    { ...closed, description: "half a cosine from lr to alpha · lr (Keras's CosineDecay)" },
  ),
  Type.Object(
    {
      type: Type.Literal('piecewise'),
      boundaries: Type.Array(Count, { minItems: 1, maxItems: 1000, description: 'growing: updates after which the next value holds' }),
      values: Type.Array(Type.Number({ minimum: 0, maximum: 1e6 }), { minItems: 2, maxItems: 1001, description: 'learning rates, one more than boundaries' }),
      ...warmup,
    },
    { ...closed, description: 'values[0] as long as u ≤ boundaries[0], then values[1], and so on; lr is not used after the warm-up' },
  ),
  Type.Object(
    {
      type: Type.Literal('one_cycle'),
      pct_start: Type.Optional(Type.Number({ minimum: 0, maximum: 1, default: 0.3, description: 'the share of the updates that rise' })),
      div_factor: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e9, default: 25, description: 'lr divided by the first rate' })),
      final_div_factor: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e9, default: 1e4, description: 'the first rate divided by the last' })),
      ...warmup,
    },
    { ...closed, description: "a cosine up to lr, and one down (PyTorch's OneCycleLR)" },
  ),
]);
/** Whose keys all have defaults: the name alone will do. */
const PLAIN_SCHEDULES = ['constant', 'cosine', 'one_cycle'] as const;
const LrSchedule = Type.Unsafe<(typeof PLAIN_SCHEDULES)[number] | Static<typeof LrScheduleObject>>({
  anyOf: [{ type: 'string', enum: PLAIN_SCHEDULES }, LrScheduleObject],
  allows: `one of ${PLAIN_SCHEDULES.join(', ')}, or an object whose type is one of constant, step, exponential, cosine, piecewise, one_cycle`,
  description: 'how the learning rate changes with u, the completed updates; a name stands for an object with that type',
  default: 'constant',
});

/** What the rows of epochs have. */
const MONITORED = ['loss', 'accuracy', 'top_k_accuracy', 'val_loss', 'val_accuracy', 'val_top_k_accuracy'] as const;
export type MonitoredMetric = (typeof MONITORED)[number];
/** What both early stopping and keep_best say. */
export const watched = {
  metric: Type.Optional(Type.Unsafe<string | null>({
    anyOf: [{ type: 'string', enum: [...MONITORED, 'validation_loss', 'validation_accuracy', 'validation_top_k_accuracy'] }, { type: 'null' }],
    allows: `one of ${MONITORED.join(', ')}, or null for val_loss (loss without validation)`,
    description: 'what is watched, at the end of every epoch: the loss or one of `training.metrics`, of the training or (`val_…`, also `validation_…`) of the validation samples',
    default: null,
  })),
  mode: Type.Optional(oneOf(['auto', 'min', 'max'], { default: 'auto', description: 'which way it gets better; `auto`: accuracies grow, losses shrink' })),
};
export const EarlyStoppingObject = Type.Object(
  {
    ...watched,
    patience: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000_000, default: 0, description: 'epochs in a row without an improvement after which it ends' })),
    min_delta: Type.Optional(Type.Number({ minimum: 0, maximum: 1e9, default: 0, description: 'what an improvement has to be more than' })),
    restore_best: Type.Optional(Type.Boolean({ default: false, description: "whether the result has the best epoch's weights" })),
  },
  closed,
);
const EarlyStopping = Type.Unsafe<Static<typeof EarlyStoppingObject> | null>({ anyOf: [EarlyStoppingObject, { type: 'null' }], allows: 'null, or {metric, patience, min_delta, mode, restore_best}', description: 'ends the training, successfully, when a metric no longer improves', default: null });

export const EmaObject = Type.Object({ momentum: Type.Optional(Type.Number({ minimum: 0, exclusiveMaximum: 1, default: 0.99, description: 'what the average keeps at each update; the first update copies the weights' })) }, closed);
const Ema = Type.Unsafe<Static<typeof EmaObject> | null>({ anyOf: [EmaObject, { type: 'null' }], allows: 'null, or {momentum} of a moving average of the weights', description: 'a moving average of the trainable weights, which validation, keep_best, result and export go by', default: null });

const clip = (description: string) => Type.Unsafe<number | null>({ anyOf: [{ type: 'number', exclusiveMinimum: 0, maximum: 1e9 }, { type: 'null' }], allows: 'a number > 0, or null', description, default: null });

export const Training = Type.Object(
  {
    batch_size: Type.Optional(Type.Integer({ minimum: 1, maximum: 65536, default: 32, description: 'samples in a micro-batch: what goes through the network at a time' })),
    accum_iters: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, default: 1, description: 'micro-batches in a window: what makes one update' })),
    epochs: Type.Optional(nullable(positive(1_000_000_000), { description: 'passes over the training samples; null: no limit' })),
    max_updates: Type.Optional(nullable(positive(Number.MAX_SAFE_INTEGER), { description: 'updates after which it ends; together with `epochs`, whichever comes first' })),
    tail: Type.Optional(oneOf(['carry', 'flush', 'drop'], { default: 'carry', description: "a window that is open at an epoch's end: `carry` goes on with it in the next epoch and drops it at the very end, `flush` makes an update of what is there, `drop` leaves it out" })),
    reduction: Type.Optional(oneOf(['sample', 'batch'], { default: 'sample', description: "a window's gradient: `sample`, the mean over its samples; `batch`, the mean over its micro-batches' means. They differ only where a micro-batch is smaller than the others; a validation weighs every sample the same" })),
    shuffle: Type.Optional(Type.Boolean({ default: true, description: 'a new order of the samples each epoch, by the seed' })),
    seed: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, default: 0, description: 'decides first weights, order and dropout; 0 is a seed like any other' })),
    optimizer: Type.Optional(Optimizer),
    lr_schedule: Type.Optional(LrSchedule),
    loss: Type.Optional(Loss),
    metrics: Type.Optional(Type.Array(Metric, { uniqueItems: true, maxItems: METRICS.length, default: ['accuracy'], description: 'what rows tell beside the loss' })),
    clip_norm: Type.Optional(clip("the largest norm of the window's whole gradient, regularizers included; not variable by variable (Keras's `global_clipnorm`)")),
    clip_value: Type.Optional(clip("the largest size of each element of the window's gradient; comes before `clip_norm`")),
    ema: Type.Optional(Ema),
    nonfinite: Type.Optional(oneOf(['fail', 'skip_window'], { default: 'fail', description: 'a loss or gradient that is not finite: `fail` fails the job before it touches anything; `skip_window` executes the window, does not apply it and counts it; ten in a row fail the job' })),
    early_stopping: Type.Optional(EarlyStopping),
    precision: Type.Optional(oneOf(['float32'], { default: 'float32', description: 'of weights and arithmetic' })),
    numerics: Type.Optional(oneOf(['strict', 'fast'], { default: 'strict', description: '`fast` lets a micro-batch that does not fit into memory be computed in slices, and a worker of another numerics class go on: other bits, and the result says so' })),
    allow_class_change: Type.Optional(Type.Boolean({ default: false, description: 'whether a worker of another numerics class may go on with the job; the result then says `mixed`' })),
    lanes: Type.Optional(Type.Unsafe<'auto' | number>({ anyOf: [{ type: 'string', enum: ['auto'] }, { type: 'integer', minimum: 1, maximum: 64 }], allows: '"auto", or how many micro-batches of a window run side by side (1 to 64)', description: 'micro-batches of a window that are computed side by side, at most as many as fit into memory; the bits do not depend on it. `auto`: the fewest that were measured to be about as fast as any, at most one a core', default: 'auto' })),
  },
  { ...closed, default: {}, description: 'how long it is trained, and how' },
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
