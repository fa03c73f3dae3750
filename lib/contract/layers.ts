// The layers of a spec's model, with their regularizers and constraints: every key, bound and default, and the type of a
// resolved one.
import Type, { type Static } from 'typebox';
import { closed, oneOf, positive, type Resolved, tagged } from './common.js';

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
const useBias = Type.Optional(Type.Boolean({ default: true }));
const withWeights = {
  activation,
  use_bias: useBias,
  kernel_initializer: initializer('glorot_uniform'),
  bias_initializer: initializer('zeros'),
  kernel_regularizer: regularizer,
  bias_regularizer: regularizer,
  kernel_constraint: constraint,
};

const convolution = {
  kernel_size: pair('kernel_size', 1024),
  strides: Type.Optional(pair('strides', 1024, 1)),
  padding: Type.Optional(oneOf(PADDINGS, { default: 'valid' })),
  dilation_rate: Type.Optional(pair('dilation_rate', 1024, 1)),
};
const Conv2dLayer = Type.Object(
  {
    type: Type.Literal('conv2d'),
    ...anyLayer,
    filters: positive(65536),
    ...convolution,
    groups: Type.Optional(Type.Literal(1, { default: 1, description: '1 (grouped convolutions are not supported)' })),
    ...withWeights,
  },
  closed,
);
const depthMultiplier = Type.Optional(Type.Integer({ minimum: 1, maximum: 65536, default: 1 }));
/** Its keys are conv2d's, whose kernel it has; Keras calls them depthwise_initializer, depthwise_regularizer and depthwise_constraint. */
const DepthwiseConv2dLayer = Type.Object({ type: Type.Literal('depthwise_conv2d'), ...anyLayer, ...convolution, depth_multiplier: depthMultiplier, ...withWeights }, closed);
const SeparableConv2dLayer = Type.Object(
  {
    type: Type.Literal('separable_conv2d'),
    ...anyLayer,
    filters: positive(65536),
    ...convolution,
    depth_multiplier: depthMultiplier,
    activation,
    use_bias: useBias,
    depthwise_initializer: initializer('glorot_uniform'),
    pointwise_initializer: initializer('glorot_uniform'),
    bias_initializer: initializer('zeros'),
    depthwise_regularizer: regularizer,
    pointwise_regularizer: regularizer,
    bias_regularizer: regularizer,
    depthwise_constraint: constraint,
    pointwise_constraint: constraint,
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
/** Those inside of others counted in. */
export const LAYER_LIMIT = 1000;
/** Residuals inside one another. */
export const RESIDUAL_DEPTH = 8;
/** What `$ref`s to a layer inside a layer say. */
export const LAYER_ID = 'layer';
const nested = { type: 'array', items: { $ref: LAYER_ID }, minItems: 1, maxItems: LAYER_LIMIT };
const ResidualLayer = Type.Unsafe<ResidualInput>({
  type: 'object',
  properties: {
    type: { const: 'residual' },
    name: anyLayer.name,
    trainable: anyLayer.trainable,
    layers: nested,
    shortcut: { type: ['object', 'null'], properties: { layers: nested }, required: ['layers'], additionalProperties: false, description: 'null, or {layers}', default: null },
  },
  required: ['type', 'layers'],
  additionalProperties: false,
});
const PLAIN_LAYERS = [
  Conv2dLayer,
  DepthwiseConv2dLayer,
  SeparableConv2dLayer,
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
] as const;
export const Layer = tagged([...PLAIN_LAYERS, ResidualLayer], { $id: LAYER_ID });

type ResidualInput = {
  type: 'residual';
  name?: string;
  trainable?: boolean;
  layers: LayerInput[];
  shortcut?: { layers: LayerInput[] } | null;
};
type PlainInput = Static<(typeof PLAIN_LAYERS)[number]>;
export type LayerInput = PlainInput | ResidualInput;

type Pair = [number, number];
type PairKey = 'kernel_size' | 'strides' | 'dilation_rate' | 'pool_size';
type ResolvedLayerOf<T> = T extends object ? { [K in keyof Resolved<T>]: K extends PairKey ? Pair : Resolved<T>[K] } : never;
/** Of a frozen one, so are those inside. */
export interface ResidualSpec {
  type: 'residual';
  name: string;
  trainable: boolean;
  layers: LayerSpec[];
  shortcut: { layers: LayerSpec[] } | null;
}
export type PlainLayerSpec = ResolvedLayerOf<PlainInput>;
/** A layer with every key present, sizes as [height, width]. */
export type LayerSpec = PlainLayerSpec | ResidualSpec;
export type LayerSpecOf<T extends LayerSpec['type']> = Extract<LayerSpec, { type: T }>;
export type RegularizerSpec = Resolved<Static<typeof Regularizer>>;
export type ConstraintSpec = Resolved<Static<typeof Constraint>>;
