// docs/spec-reference.md: the job spec for people, every field of it as the schemas of lib/contract have it and every default as
// resolution writes it. Here are only the order, what holds between fields, and examples.
import { ACTIVATIONS, Constraint, INITIALIZERS, Layer, type LayerSpec, Regularizer } from '../../lib/contract/layers.js';
import { NOT_SUPPORTED } from '../../lib/contract/not-supported.js';
import { CheckpointPolicy, Data, FileInitObject, JobInitObject, JobSpecSchema, KeepBestObject, Model, Resources, Run, ValidationData } from '../../lib/contract/spec.js';
import { EarlyStoppingObject, EmaObject, LossObject, LrScheduleObject, Optimizer, TopKAccuracy, Training } from '../../lib/contract/training.js';
import { type Schema, tagsOf } from '../../lib/jobs/spec/describe-schema.js';
import { fillDefaults } from '../../lib/jobs/spec/fill-defaults.js';
import { resolveSpec } from '../../lib/jobs/spec/resolve.js';
import { planModel } from '../../lib/model/plan-model.js';
import { code, fieldTable, markdownTable, prettyJson, sharedTable } from './fields.js';
import { scheduleReference } from './schedule-reference.js';
import { sweepReference } from './sweep-reference.js';

type Json = Record<string, unknown>;

/** What every example stands in: sections that it does not have. */
export const SHORTEST: Json = {
  data: { type: 'builtin', name: 'digits' },
  model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax' }] },
};

const stored = resolved(SHORTEST);

/** What is allowed in fields that have a section, beside null. */
const SECTIONS: readonly [field: RegExp, where: string][] = [
  [/^normalize$/, '`none`, `unit` or [`{mean, std}`](#normalize)'],
  [/^validation$/, '[an object](#validation)'],
  [/^(path|images|labels|from)$/, '[a location](#locations)'],
  [/^layers$/, '1 to 1,000 [layers](#layers)'],
  [/^shortcut$/, '`{layers}`'],
  [/^init$/, '[an object](#first-weights)'],
  [/^activation$/, '[an activation](#activations)'],
  [/_initializer$/, '[an initializer](#initializers)'],
  [/_regularizer$/, '[a regularizer](#regularizers)'],
  [/_constraint$/, '[a constraint](#constraints)'],
  [/^optimizer$/, '[an optimizer](#optimizers)'],
  [/^lr_schedule$/, '[a schedule](#schedules)'],
  [/^loss$/, '[a loss](#losses)'],
  [/^metrics$/, 'a list of [metrics](#metrics)'],
  [/^ema$/, '[an object](#moving-average)'],
  [/^early_stopping$/, '[an object](#early-stopping)'],
  [/^keep_best$/, '[an object](#the-best-epochs)'],
];

function see(field: string): string | null {
  return SECTIONS.find(([pattern]) => pattern.test(field))?.[1] ?? null;
}

export function specReference(): string {
  return `${[...head(), ...dataSection(), ...modelSection(), ...trainingSection(), ...rest(), ...sweepReference(), ...scheduleReference()].join('\n\n')}\n`;
}

function head(): string[] {
  return [
    '# The job spec',
    '<!-- Written by test/unit/docs/spec-reference.test.ts (PAWL_WRITE_DOCS=1) from the schemas of lib/contract; the texts between them are in infra/docs/spec-reference.ts. -->',
    'A job is a JSON object: data, a model, and how it is trained. Two sections have to be there:',
    json(SHORTEST),
    'Names and defaults are those of Keras wherever Keras has one. A spec is resolved once, when it is submitted: every default is written into it ([as here](#what-is-stored)), so that no later default reaches the job. Fields that are not on this page are refused, and so is a value of another type: nothing is converted, nothing left out. All that is wrong is told at once, each with its field, what was given and what is allowed. `pawl submit FILE --dry-run` (`POST /v1/jobs?dry_run=true`) tells what a spec would be, its parameters, updates and memory, and stores nothing. A spec has at most 1 MiB.',
    '[data](#data) · [model](#model): [layers](#layers), [activations](#activations), [initializers](#initializers), [regularizers](#regularizers), [constraints](#constraints), [first weights](#first-weights) · [training](#training): [optimizers](#optimizers), [schedules](#schedules), [losses](#losses), [metrics](#metrics), [moving average](#moving-average), [early stopping](#early-stopping) · [checkpoint](#checkpoint) · [resources](#resources) · [run](#run) · [not supported yet](#not-supported-yet) · [what is stored](#what-is-stored) · and, of a search that makes jobs, [the sweep spec](#the-sweep-spec), and of what starts them by the clock, [the schedule](#the-schedule)',
    fieldTable(JobSpecSchema as object, { see: (field) => (['spec_version', 'name'].includes(field) ? null : `[an object](#${field})`) }),
  ];
}

function dataSection(): string[] {
  const npz = branch(Data, 'npz').properties!;
  const set = (type: string, fields: Json, omit: string[]): string => table(branch(Data, type), resolved({ data: { type, ...fields } })['data'] as Json, ['type', ...omit]);
  return [
    '## data',
    'What is trained on: one of three types. The labels tell how many classes there are.',
    '### builtin',
    sentence(branch(Data, 'builtin')),
    set('builtin', { name: 'synthetic' }, ['normalize', 'validation']),
    '### idx',
    sentence(branch(Data, 'idx')),
    set('idx', { images: 'a', labels: 'b' }, ['normalize', 'validation']),
    '### npz',
    sentence(branch(Data, 'npz')),
    set('npz', { path: 'a' }, ['normalize', 'validation']),
    'All three have:',
    set('npz', { path: 'a' }, ['path', 'x', 'y']),
    json({ data: { type: 'npz', path: 'flowers/train.npz', normalize: { mean: [125.3, 123, 113.9], std: [63, 62.1, 66.7] }, validation: { type: 'npz', path: 'flowers/test.npz' } } }),
    '### normalize',
    'As an object:',
    table(npz['normalize']!.anyOf![1]!),
    '### validation',
    'Is looked at when an epoch ends and when the training does, in inference mode and all of it. Either a part of the data:',
    table(npz['validation']!.anyOf![0]!),
    `Or a data set of its own, ${tagsOf(ValidationData as object).map(code).join(', ')} as above, without a \`validation\` in it. Its samples have the shape of the training samples, and no class that those have not.`,
    '### Locations',
    'A file is named by its path relative to one of the folders in `PAWL_DATA_ROOTS` (separated by colons; by default the folder in which the worker was started), bare or with `file:`. Absolute paths, `..` and links that lead outside are refused. `s3://bucket/key` is read where `PAWL_DATA_BUCKETS` names the bucket, but nothing of the store itself, and nothing over http. The bytes belong to the job: if they differ between two attempts it fails as `data_changed`.',
  ];
}

/** Which layers are told together. */
const LAYER_GROUPS: readonly [title: string, types: readonly string[]][] = [
  ['Convolutions', ['conv2d', 'depthwise_conv2d', 'separable_conv2d']],
  ['Dense', ['dense']],
  ['Pooling, flatten', ['max_pooling2d', 'average_pooling2d', 'global_average_pooling2d', 'global_max_pooling2d', 'flatten']],
  ['Normalization', ['batch_normalization', 'group_normalization', 'layer_normalization']],
  ['Dropout', ['dropout', 'spatial_dropout2d']],
  ['Activation', ['activation']],
  ['Residual', ['residual']],
];

function modelSection(): string[] {
  return [
    '## model',
    table(Model, stored['model'] as Json),
    'Binary crossentropy and mean squared error also take a last layer with one value, for two classes. At least one weight has to be trainable.',
    json({
      model: {
        layers: [
          { type: 'conv2d', filters: 8, kernel_size: 3, padding: 'same', use_bias: false },
          { type: 'batch_normalization' },
          { type: 'activation', activation: 'relu' },
          { type: 'residual', layers: [{ type: 'conv2d', filters: 16, kernel_size: 3, strides: 2, padding: 'same' }, { type: 'activation', activation: 'relu' }], shortcut: { layers: [{ type: 'conv2d', filters: 16, kernel_size: 1, strides: 2 }] } },
          { type: 'global_average_pooling2d' },
          { type: 'dropout', rate: 0.25 },
          { type: 'dense', units: 10, activation: 'softmax', kernel_regularizer: { l2: 1e-4 } },
        ],
      },
    }),
    '### Layers',
    'Every layer has its `type`, and:',
    table(branch(Layer, 'flatten'), { name: '<type>_<n>' }, ['type']),
    'There may be 1,000 layers, those inside of residuals counted, and eight residuals inside one another. Images are [height, width, channels]. Weights have the names and layouts of Keras, here and in exported files.',
    ...LAYER_GROUPS.flatMap(([title, types]) => layerGroup(title, types)),
    '### Activations',
    `${ACTIVATIONS.map(code).join(', ')}.`,
    '### Initializers',
    `${INITIALIZERS.map(code).join(', ')}. Each weight is drawn by a key of its own, of the seed and its name: a layer more or less leaves the first values of the others as they are.`,
    '### Regularizers',
    `An object: ${formula(Regularizer)}. The loss in rows is without it.`,
    table(Regularizer),
    '### Constraints',
    'An object with one of these types:',
    ...union(Constraint),
    json({ model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 10, activation: 'softmax', kernel_constraint: { type: 'max_norm', max_value: 3 } }] } }),
    '### First weights',
    'Either from a file:',
    table(FileInitObject),
    'Or from another job:',
    table(JobInitObject),
    json({ model: { ...(SHORTEST['model'] as Json), init: { from: 'pretrained/weights.safetensors' } } }),
  ];
}

function layerGroup(title: string, types: readonly string[]): string[] {
  const own = ['type', 'name', 'trainable'];
  const schemas = new Map(types.map((type) => [type, branch(Layer, type)]));
  const hasWeights = types.some((type) => weightsOf(type) !== '');
  return [
    `#### ${title}`,
    markdownTable(['type', '', ...(hasWeights ? ['weights'] : [])], [...schemas].map(([type, schema]) => [code(type), formula(schema), ...(hasWeights ? [weightsOf(type)] : [])])),
    types.length === 1 ? table(branch(Layer, types[0]!), {}, own) : sharedTable(schemas, { omit: own, see }),
  ];
}

/** A tagged union: what its types are, then their fields. */
function union(schema: object, omit: readonly string[] = []): string[] {
  const schemas = new Map(branchesOf(schema).map((each) => [each.type, each.schema]));
  return [markdownTable(['type', ''], [...schemas].map(([type, each]) => [code(type), formula(each)])), sharedTable(schemas, { omit: ['type', ...omit], see })];
}

function trainingSection(): string[] {
  const schedule = (type: string): Schema => branch(LrScheduleObject, type);
  return [
    '## training',
    table(Training, stored['training'] as Json, [], { epochs: '`1`, or `null` with `max_updates`' }),
    'With N training samples an epoch has M = ⌈N / batch_size⌉ micro-batches, the last of them perhaps smaller. With k = accum_iters, `carry` makes ⌊epochs · M / k⌋ updates, `flush` epochs · ⌈M / k⌉, `drop` epochs · ⌊M / k⌋. A training that would make none is refused.',
    "An update takes the window's gradient and, in this order: adds the regularizers' gradient, looks whether all of it is finite, clips (`clip_value`, then `clip_norm`), takes off the weight decay, makes the optimizer's step, applies constraints, moves the average. Learning rate, bias correction and statistics move with updates, never with micro-batches.",
    json({ training: { batch_size: 10, accum_iters: 5, epochs: 12, optimizer: { type: 'adam', lr: 0.001, decay: 1e-5 }, seed: 42 } }),
    '### Optimizers',
    'An object with one of these types. g is the gradient of the window, w a weight, lr the learning rate of this update, t its number; β₁, β₂, µ, ρ, ε are `beta_1`, `beta_2`, `momentum`, `rho`, `epsilon`.',
    ...union(Optimizer),
    '### Schedules',
    `What becomes of \`lr\`, by u, the number of completed updates, before it is divided by 1 + decay · u. An object with one of these types; ${namesOf(Training, 'lr_schedule')} may also be given by their names alone.`,
    ...union(LrScheduleObject, ['warmup_updates']),
    'And all of them:',
    table(schedule('constant'), {}, ['type']),
    json({ training: { epochs: 30, lr_schedule: { type: 'cosine', warmup_updates: 20 }, optimizer: { type: 'sgd', lr: 0.1, momentum: 0.9, weight_decay: 5e-4 } } }),
    '### Losses',
    `${namesOf(Training, 'loss')}, or an object:`,
    table(LossObject),
    '### Metrics',
    `\`accuracy\`, the share of samples whose class has the largest output, and \`top_k_accuracy\`, ${formula(TopKAccuracy)}. \`[]\` measures the loss alone. With validation, rows of epochs also have \`val_loss\`, \`val_accuracy\`, \`val_top_k_accuracy\`. \`{"type": "top_k_accuracy"}\` may have:`,
    table(TopKAccuracy, {}, ['type']),
    json({ training: { loss: { type: 'categorical_crossentropy', label_smoothing: 0.1 }, metrics: ['accuracy', { type: 'top_k_accuracy', k: 3 }] } }),
    '### Moving average',
    table(EmaObject),
    '`pawl export JOB --weights raw` writes the weights themselves.',
    '### Early stopping',
    'Only where an epoch ends. Improvement is strict, and a value that is not finite is none. The job succeeds, with `stopped_by: early_stopping`.',
    table(EarlyStoppingObject),
    json({ data: { type: 'builtin', name: 'digits', normalize: 'unit', validation: { split: 0.2 } }, training: { epochs: 100, early_stopping: { metric: 'val_accuracy', patience: 3, restore_best: true }, ema: { momentum: 0.999 } } }),
  ];
}

function rest(): string[] {
  return [
    '## checkpoint',
    'Only one of the three `every_…` may be given. A notice and the end save the training as well.',
    table(CheckpointPolicy, stored['checkpoint'] as Json, [], { every_seconds: '`30`, or `null` with another `every_…`' }),
    '### The best epochs',
    table(KeepBestObject),
    json({ data: { type: 'builtin', name: 'digits', validation: { split: 0.2 } }, checkpoint: { every_seconds: '5m', keep_best: { metric: 'val_accuracy', n: 2 } } }),
    '## resources',
    table(Resources, stored['resources'] as Json),
    '## run',
    table(Run, stored['run'] as Json),
    'Between a failed attempt and the next one lie 2, 4, 8, … seconds, at most 60.',
    json({ name: 'nightly', run: { priority: 10, max_duration_seconds: '6h', start_after: '2026-02-01T01:00:00Z', tags: { team: 'vision' } } }),
    '## Not supported yet',
    'These are set aside. A spec that has one is refused with `not_supported`, naming it.',
    markdownTable(['field', 'refused'], notSupportedRows()),
    '## What is stored',
    'The spec at the top of this page as it is stored, and as `pawl show JOB --json` has it: every default written, every shorthand spelled out, sizes as [height, width]. Submitted again it means the same.',
    json(stored),
  ];
}

const json = (value: Json): string => `\`\`\`json\n${prettyJson(value)}\n\`\`\``;
const table = (schema: object, defaults: Json = {}, omit: readonly string[] = [], told: Readonly<Record<string, string>> = {}): string => fieldTable(schema, { resolved: defaults, omit, told, see });

function resolved(sections: Json): Json {
  const result = resolveSpec({ ...SHORTEST, ...sections });
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result.spec as unknown as Json;
}

const branchesOf = (schema: object): { type: string; schema: Schema }[] => ((schema as Schema).oneOf ?? []).map((each) => ({ type: String(each.properties!['type']!.const), schema: each }));
const branch = (schema: object, type: string): Schema => branchesOf(schema).find((each) => each.type === type)!.schema;

const formula = (schema: object): string => (schema as Schema).description ?? '';
const sentence = (schema: object): string => `${formula(schema).slice(0, 1).toUpperCase()}${formula(schema).slice(1)}.`;

/** The names that a field takes beside an object. */
const namesOf = (schema: object, field: string): string => (schema as Schema).properties![field]!.anyOf!.find((each) => each.enum !== undefined)!.enum!.map(code).join(', ');

/** Sizes that no two of a layer's weights share by chance, and what they are called. */
const SIZES: Readonly<Record<number, string>> = { 1: '1', 2: 'height', 7: 'width', 3: 'in', 5: 'out', 17: 'multiplier', 51: 'in · multiplier' };

function weightsOf(type: string): string {
  const sized: Record<string, Json> = { conv2d: { filters: 5, kernel_size: [2, 7] }, depthwise_conv2d: { kernel_size: [2, 7], depth_multiplier: 17 }, separable_conv2d: { filters: 5, kernel_size: [2, 7], depth_multiplier: 17 }, dense: { units: 5 }, group_normalization: { groups: 1 } };
  if (['residual', 'activation', 'dropout', 'spatial_dropout2d'].includes(type)) return '';
  const filled = fillDefaults(branch(Layer, type), { type, name: 'layer', ...sized[type] }) as Json;
  const pairs = Object.fromEntries(['strides', 'dilation_rate', 'pool_size'].filter((key) => key in filled).map((key) => [key, [1, 1]]));
  const planned = planModel([{ ...filled, ...pairs } as unknown as LayerSpec], type === 'dense' ? [3] : [11, 13, 3]);
  if ('problems' in planned) throw new Error(JSON.stringify(planned.problems));
  const isNormalization = type.endsWith('normalization');
  const weights = planned.plan.weights.map(({ name, shape }) => `\`${name.slice(name.indexOf('/') + 1)}\` [${shape.map((size) => (isNormalization ? 'channels' : SIZES[size]!)).join(', ')}]`);
  return weights.join(', ');
}

/** Fields that refuse the same under the same name share a row. */
function notSupportedRows(): string[][] {
  const rows = new Map<string, { paths: string[]; refused: string }>();
  for (const { path, what, refused } of NOT_SUPPORTED) {
    const row = rows.get(`${what} ${refused}`) ?? { paths: [], refused };
    row.paths.push(`\`${path}\``);
    rows.set(`${what} ${refused}`, row);
  }
  return [...rows.values()].map(({ paths, refused }) => [paths.join(', '), refused]);
}
