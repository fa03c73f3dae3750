// The layers of a spec's model, with their regularizers and constraints: every key, bound and default, and the type of a
// resolved one.
import Type, { type Static } from 'typebox';
import { closed, oneOf, positive, type Resolved, tagged } from './common.js';

/** A number for both axes, or [height, width]. Resolved to the pair. */
const pair = (what: string, maximum: number, description: string, fallback?: number) =>
  Type.Unsafe<number | [number, number]>({
    anyOf: [
      { type: 'integer', minimum: 1, maximum },
      { type: 'array', items: { type: 'integer', minimum: 1, maximum }, minItems: 2, maxItems: 2 },
    ],
    allows: `${what}: an integer from 1 to ${maximum}, or two of them [height, width]`,
    description,
    ...(fallback === undefined ? {} : { default: fallback }),
  });

export const ACTIVATIONS = ['relu', 'leaky_relu', 'elu', 'selu', 'gelu', 'silu', 'sigmoid', 'hard_sigmoid', 'tanh', 'softmax', 'softplus', 'linear'] as const;
export type Activation = (typeof ACTIVATIONS)[number];
export const INITIALIZERS = ['glorot_uniform', 'glorot_normal', 'he_uniform', 'he_normal', 'zeros', 'ones'] as const;
export type Initializer = (typeof INITIALIZERS)[number];
const PADDINGS = ['valid', 'same'] as const;
export type Padding = (typeof PADDINGS)[number];

const activation = Type.Optional(Type.Unsafe<Activation | null>({ anyOf: [{ type: 'string', enum: ACTIVATIONS }, { type: 'null' }], default: null, description: 'what is applied to the output; null: nothing' }));
const initializer = (what: string, fallback: Initializer) => Type.Optional(oneOf(INITIALIZERS, { default: fallback, description: `the ${what}'s first values` }));

export const Regularizer = Type.Object(
  {
    l1: Type.Optional(Type.Number({ minimum: 0, maximum: 1e6, default: 0, description: 'the factor of Σ|w|' })),
    l2: Type.Optional(Type.Number({ minimum: 0, maximum: 1e6, default: 0, description: 'the factor of Σw², which is not halved' })),
  },
  { ...closed, description: 'a penalty Σ l1·|w| + l2·w², whose gradient is added once a window' },
);
const regularizer = (what: string) => Type.Optional(Type.Unsafe<Static<typeof Regularizer> | null>({ anyOf: [Regularizer, { type: 'null' }], allows: 'null, or {l1, l2}: Σ l1·|w| + l2·w²', description: `the penalty on the ${what}`, default: null }));
/** Over which the norm is taken; the other axes have a norm each. */
const axis = Type.Optional(Type.Unsafe<number | number[]>({
  anyOf: [{ type: 'integer', minimum: 0, maximum: 3 }, { type: 'array', items: { type: 'integer', minimum: 0, maximum: 3 }, minItems: 1, maxItems: 4, uniqueItems: true }],
  allows: 'axis: an axis of the kernel (0 to 3), or several of them',
  description: 'the axes over which a norm is taken; along the others each has its own',
  default: 0,
}));
const maxValue = Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e6, default: 2, description: 'the largest norm' }));
export const Constraint = tagged([
  Type.Object({ type: Type.Literal('max_norm'), max_value: maxValue, axis }, { ...closed, description: 'norms above `max_value` are scaled down to it' }),
  Type.Object({ type: Type.Literal('unit_norm'), axis }, { ...closed, description: 'norms are scaled to 1' }),
  Type.Object({ type: Type.Literal('non_neg') }, { ...closed, description: 'negative values become 0' }),
  Type.Object(
    { type: Type.Literal('min_max_norm'), min_value: Type.Optional(Type.Number({ minimum: 0, maximum: 1e6, default: 0, description: 'the smallest norm; not above `max_value`' })), max_value: maxValue, axis },
    { ...closed, description: 'norms are scaled into the range from `min_value` to `max_value`' },
  ),
]);
const constraint = (what: string) => Type.Optional(Type.Unsafe<Static<typeof Constraint> | null>({ anyOf: [Constraint, { type: 'null' }], allows: 'null, or an object whose type is one of max_norm, unit_norm, non_neg, min_max_norm', description: `what the ${what} has to keep to, applied after every update`, default: null }));

/** Keys of every layer. Names become weight names `<layer>/<weight>`, hence the closed alphabet. */
const anyLayer = {
  name: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$', allows: 'a name of up to 64 letters, digits, `_`, `.` or `-`', description: 'unique in the model; weights are called `<name>/<weight>`. Without one it is the type and a number from 1, in order, depth first' })),
  trainable: Type.Optional(Type.Boolean({ default: true, description: 'false freezes the layer and what is in it: its weights stay, and batch normalization uses its moving statistics' })),
};
const useBias = Type.Optional(Type.Boolean({ default: true, description: 'whether a bias is added' }));
const withWeights = {
  activation,
  use_bias: useBias,
  kernel_initializer: initializer('kernel', 'glorot_uniform'),
  bias_initializer: initializer('bias', 'zeros'),
  kernel_regularizer: regularizer('kernel'),
  bias_regularizer: regularizer('bias'),
  kernel_constraint: constraint('kernel'),
};

const padding = Type.Optional(oneOf(PADDINGS, { default: 'valid', description: '`valid`: only where the window lies inside the image; `same`: zeros around it, so that with strides 1 the size stays' }));
const convolution = {
  kernel_size: pair('kernel_size', 1024, 'height and width of the kernel'),
  strides: Type.Optional(pair('strides', 1024, 'how far the kernel moves', 1)),
  padding,
  dilation_rate: Type.Optional(pair('dilation_rate', 1024, 'how far apart the values are that the kernel sees; above 1 only with strides 1', 1)),
};
const filters = positive(65536, { description: 'channels of the output' });
const Conv2dLayer = Type.Object(
  {
    type: Type.Literal('conv2d'),
    ...anyLayer,
    filters,
    ...convolution,
    groups: Type.Optional(Type.Literal(1, { default: 1, allows: '1 (grouped convolutions are not supported)', description: 'there for what Keras writes: only 1' })),
    ...withWeights,
  },
  { ...closed, description: 'a convolution over height and width' },
);
const depthMultiplier = Type.Optional(Type.Integer({ minimum: 1, maximum: 65536, default: 1, description: 'outputs of each input channel' }));
/** Its keys are conv2d's, whose kernel it has; Keras calls them depthwise_initializer, depthwise_regularizer and depthwise_constraint. */
const DepthwiseConv2dLayer = Type.Object({ type: Type.Literal('depthwise_conv2d'), ...anyLayer, ...convolution, depth_multiplier: depthMultiplier, ...withWeights }, { ...closed, description: 'a convolution of each channel by itself; strides the same for height and width' });
const SeparableConv2dLayer = Type.Object(
  {
    type: Type.Literal('separable_conv2d'),
    ...anyLayer,
    filters,
    ...convolution,
    depth_multiplier: depthMultiplier,
    activation,
    use_bias: useBias,
    depthwise_initializer: initializer('depthwise kernel', 'glorot_uniform'),
    pointwise_initializer: initializer('pointwise kernel', 'glorot_uniform'),
    bias_initializer: initializer('bias', 'zeros'),
    depthwise_regularizer: regularizer('depthwise kernel'),
    pointwise_regularizer: regularizer('pointwise kernel'),
    bias_regularizer: regularizer('bias'),
    depthwise_constraint: constraint('depthwise kernel'),
    pointwise_constraint: constraint('pointwise kernel'),
  },
  { ...closed, description: 'a convolution of each channel by itself, then one of size 1 over all of them; strides the same for height and width' },
);
const pooling = {
  ...anyLayer,
  pool_size: Type.Optional(pair('pool_size', 1024, 'height and width of the window', 2)),
  strides: Type.Optional(Type.Unsafe<number | [number, number] | null>({
    anyOf: [{ type: 'integer', minimum: 1, maximum: 1024 }, { type: 'array', items: { type: 'integer', minimum: 1, maximum: 1024 }, minItems: 2, maxItems: 2 }, { type: 'null' }],
    allows: 'strides: an integer from 1 to 1024, two of them, or null for pool_size',
    description: 'how far the window moves; null: as far as it is wide',
    default: null,
  })),
  padding: Type.Optional(oneOf(PADDINGS, { default: 'valid', description: '`valid`: only where the window lies inside the image; `same`: also where it reaches beyond, so that with strides 1 the size stays; what lies outside is never the largest value, and in no mean' })),
};
const MaxPooling2dLayer = Type.Object({ type: Type.Literal('max_pooling2d'), ...pooling }, { ...closed, description: 'the largest value of each window' });
const AveragePooling2dLayer = Type.Object({ type: Type.Literal('average_pooling2d'), ...pooling }, { ...closed, description: 'the mean of each window' });
const GlobalAveragePooling2dLayer = Type.Object({ type: Type.Literal('global_average_pooling2d'), ...anyLayer }, { ...closed, description: 'the mean of each channel' });
const GlobalMaxPooling2dLayer = Type.Object({ type: Type.Literal('global_max_pooling2d'), ...anyLayer }, { ...closed, description: 'the largest value of each channel' });
const FlattenLayer = Type.Object({ type: Type.Literal('flatten'), ...anyLayer }, { ...closed, description: 'an image as one row of values; between convolutions and dense layers' });
const DenseLayer = Type.Object({ type: Type.Literal('dense'), ...anyLayer, units: positive(1_048_576, { description: 'values of the output' }), ...withWeights }, { ...closed, description: 'every input to every output' });
const ActivationLayer = Type.Object({ type: Type.Literal('activation'), ...anyLayer, activation: oneOf(ACTIVATIONS, { description: 'the function, as in Keras: `leaky_relu` has slope 0.2, `elu` alpha 1, `gelu` is the exact one, `hard_sigmoid` is relu6(x + 3) / 6' }) }, { ...closed, description: 'a function of each value; softmax: over the last axis' });
const dropping = { ...anyLayer, rate: Type.Number({ minimum: 0, exclusiveMaximum: 1, description: 'the share that is dropped' }) };
const DropoutLayer = Type.Object({ type: Type.Literal('dropout'), ...dropping }, { ...closed, description: 'in training, drops values by chance and scales the others up. The masks are keyed by seed, layer, epoch and sample' });
const SpatialDropout2dLayer = Type.Object({ type: Type.Literal('spatial_dropout2d'), ...dropping }, { ...closed, description: 'dropout of whole channels' });
const normalization = {
  ...anyLayer,
  epsilon: Type.Optional(Type.Number({ exclusiveMinimum: 0, default: 1e-3, description: 'added to the variance' })),
  center: Type.Optional(Type.Boolean({ default: true, description: 'whether there is a `beta` to add' })),
  scale: Type.Optional(Type.Boolean({ default: true, description: 'whether there is a `gamma` to multiply by' })),
};
const BatchNormalizationLayer = Type.Object(
  { type: Type.Literal('batch_normalization'), ...anyLayer, momentum: Type.Optional(Type.Number({ minimum: 0, maximum: 1, default: 0.99, description: 'how much the moving statistics keep at each update' })), ...normalization },
  { ...closed, description: 'normalises each channel of a micro-batch by its own mean and variance; the moving statistics, for inference, move once a window' },
);
const GroupNormalizationLayer = Type.Object(
  { type: Type.Literal('group_normalization'), ...anyLayer, groups: Type.Optional(Type.Integer({ minimum: 1, maximum: 65536, default: 32, description: 'groups of channels; the channels have to be a multiple of it' })), ...normalization },
  { ...closed, description: 'normalises every group of neighbouring channels of a sample by its own mean and variance' },
);
const LayerNormalizationLayer = Type.Object({ type: Type.Literal('layer_normalization'), ...normalization }, { ...closed, description: 'normalises over the last axis: the channels of every pixel by their own mean and variance' });
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
    layers: { ...nested, description: 'F, in order; residuals too' },
    shortcut: { type: ['object', 'null'], properties: { layers: { ...nested, description: 'in order' } }, required: ['layers'], additionalProperties: false, allows: 'null, or {layers}', description: 'layers on the other way; null: the input as it is', default: null },
  },
  required: ['type', 'layers'],
  additionalProperties: false,
  description: 'F(x) + shortcut(x), without an activation of its own; both have to have the same shape',
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
