// The job spec: data, model, checkpoint, resources and run (layers.ts and training.ts have the rest), every key, bound and
// default that a user may write, and the type of a resolved one. What the specification names but is not built yet is in
// not-supported.ts, so that it is refused by that name.
import Type, { type Static } from 'typebox';
import { closed, countOf, idOf, nullable, oneOf, positive, type Resolved, tagged, Tags, Timestamp } from './common.js';
import { Layer, LAYER_LIMIT, type LayerSpec } from './layers.js';
import { type MonitoredMetric, Training, type TrainingSpec, watched } from './training.js';

const perChannel = (number: object, description: string) => ({ anyOf: [{ type: 'number', ...number }, { type: 'array', items: { type: 'number', ...number }, minItems: 1, maxItems: 4096 }], description });
const Normalize = Type.Unsafe<'none' | 'unit' | { mean: number | number[]; std: number | number[] }>({
  anyOf: [
    { type: 'string', enum: ['none', 'unit'] },
    {
      type: 'object',
      additionalProperties: false,
      required: ['mean', 'std'],
      properties: { mean: perChannel({}, 'what is subtracted'), std: perChannel({ exclusiveMinimum: 0 }, 'what is divided by') },
    },
  ],
  allows: '"none", "unit", or {mean, std} on raw values, scalar or one number a channel',
  description: '`none`: values as they are; `unit`: uint8 divided by 255, the digits by 16, refused of float32; `{mean, std}`: (value − mean) / std of raw values, with one number for all or one a channel',
  default: 'none',
});
const location = (description: string) => Type.String({ minLength: 1, maxLength: 1200, allows: 'a path relative to one of the data roots (bare or with `file:`), or s3://bucket/key', description });

const builtinFields = {
  type: Type.Literal('builtin'),
  name: oneOf(['digits', 'synthetic'], { description: '`digits`: 1797 handwritten digits of 8 × 8 pixels with values from 0 to 16; `synthetic`: a pattern for each class under noise, of any size' }),
  // for synthetic only; their defaults are written by resolution, because digits has none of them
  samples: Type.Optional(positive(10_000_000, { description: 'of `synthetic` only: how many' })),
  shape: Type.Optional(Type.Array(positive(65536), { minItems: 3, maxItems: 3, description: 'of `synthetic` only: [height, width, channels]' })),
  classes: Type.Optional(Type.Integer({ minimum: 2, maximum: 65536, description: 'of `synthetic` only: how many' })),
  seed: Type.Optional(countOf('of `synthetic` only: decides the noise; another seed gives other samples of the same classes')),
};
const npzFields = {
  type: Type.Literal('npz'),
  path: location('the file'),
  x: Type.Optional(Type.String({ minLength: 1, maxLength: 256, default: 'x', description: 'the array of samples: [N, height, width, channels] or [N, height, width], uint8 or float32' })),
  y: Type.Optional(Type.String({ minLength: 1, maxLength: 256, default: 'y', description: 'the array of labels: [N] class numbers, or [N, classes] one-hot rows' })),
};
const idxFields = { type: Type.Literal('idx'), images: location('the samples: uint8, [N, height, width] or [N, height, width, channels]'), labels: location('the class numbers') };
const texts = { builtin: 'a data set that needs no file', idx: "two files in MNIST's format, plain or in gzip: MNIST, Fashion-MNIST and their like", npz: "arrays in a numpy `.npz` file, compressed or not (`numpy.savez`); pickled objects are never read" };
const ValidationSplit = Type.Object({ split: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1, description: 'the share of the samples, the last ones in the order of the file: ⌊N · (1 − split)⌋ are left for training' }) }, closed);
const bare = { normalize: Type.Optional(Normalize) };
export const ValidationData = tagged([Type.Object({ ...builtinFields, ...bare }, closed), Type.Object({ ...idxFields, ...bare }, closed), Type.Object({ ...npzFields, ...bare }, closed)]);
const validation = Type.Optional(Type.Unsafe<Static<typeof ValidationSplit> | Static<typeof ValidationData> | null>({
  anyOf: [ValidationSplit, ValidationData, { type: 'null' }],
  allows: 'null, {split: f} for the last samples, or a data object',
  description: 'samples that are not trained on: a split, or a data set of its own, which is normalised as the training data unless it says otherwise',
  default: null,
}));
const BuiltinData = Type.Object({ ...builtinFields, ...bare, validation }, { ...closed, description: texts.builtin });
const IdxData = Type.Object({ ...idxFields, ...bare, validation }, { ...closed, description: texts.idx });
const NpzData = Type.Object({ ...npzFields, ...bare, validation }, { ...closed, description: texts.npz });
export const Data = tagged([BuiltinData, IdxData, NpzData], { description: 'what is trained on' });

/** Seconds as a number, or `30s 10m 6h 1d`; resolved to the number. */
const seconds = (minimum: number) => ({ anyOf: [{ type: 'number', minimum }, { type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?[smhd]$' }, { type: 'null' }], allows: `seconds (at least ${minimum}), or a string such as 30s, 10m, 6h, 1d` });
export const MIN_EVERY_SECONDS = 0.01;
/** With "auto", as often as pays by what a checkpoint was seen to take. */
const Cadence = Type.Unsafe<number | string | null>({
  anyOf: [{ type: 'string', enum: ['auto'] }, ...seconds(MIN_EVERY_SECONDS).anyOf],
  allows: `"auto", or ${seconds(MIN_EVERY_SECONDS).allows}`,
  description: 'the time between two; `auto`: as often as pays, from 5 s to 10 min, by the time that the last one took and by how often attempts of the job were lost',
});

export const KeepBestObject = Type.Object({ ...watched, n: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 1, description: 'how many' })) }, closed);
const KeepBest = Type.Unsafe<Static<typeof KeepBestObject> | null>({ anyOf: [KeepBestObject, { type: 'null' }], allows: 'null, or {metric, mode, n}', description: 'the checkpoints of the best epochs, kept beside the latest ones', default: null });

export const CheckpointPolicy = Type.Object(
  {
    every_seconds: Type.Optional(Cadence),
    every_updates: Type.Optional(nullable(positive(1_000_000_000), { description: 'or: after every so many updates' })),
    every_micro_batches: Type.Optional(nullable(positive(1_000_000_000), { description: 'or: after every so many micro-batches, inside windows too' })),
    keep_last: Type.Optional(Type.Integer({ minimum: 2, maximum: 100, default: 2, description: 'how many of the latest are kept' })),
    keep_best: Type.Optional(KeepBest),
  },
  { ...closed, default: {}, description: 'how often the training is saved, and what is kept' },
);
export const Resources = Type.Object(
  {
    engine: Type.Optional(oneOf(['auto', 'tensorflow', 'wasm'], { default: 'auto', description: "what computes; `auto`: the worker's choice (PAWL_ENGINE, or TensorFlow where it is). A job stays on the engine of its first attempt" })),
    gpu: Type.Optional(oneOf(['preferred', 'required', 'none'], { default: 'preferred', description: '`preferred`: a GPU where the worker has one; `required`: a worker without one puts the job back; `none`: the trainer sees no GPU' })),
    min_memory_mib: Type.Optional(Type.Unsafe<number | null>({ anyOf: [{ type: 'integer', minimum: 1 }, { type: 'null' }], default: null, description: 'a worker with less memory for a job, in MiB, puts the job back' })),
  },
  { ...closed, default: {}, description: 'where it may run' },
);
const nullDefault = <T>(schema: object, description: string) => Type.Optional(Type.Unsafe<T | null>({ ...schema, description, default: null }));
export const Run = Type.Object(
  {
    priority: Type.Optional(Type.Integer({ minimum: -100, maximum: 100, default: 0, description: 'who goes first in the queue: the higher. It stops nobody who runs' })),
    max_failures: Type.Optional(Type.Integer({ minimum: 0, maximum: 1000, default: 3, description: 'attempts that may fail, or whose trainer may crash, before the job does. `nonfinite_loss`, `invalid_data`, `data_changed` and `checkpoint_corrupt` fail it at once' })),
    max_preemptions: nullDefault<number>({ anyOf: [{ type: 'integer', minimum: 0 }, { type: 'null' }] }, 'attempts that may be taken away, by a notice or a kill of the trainer, before the job fails; null: any number. Workers that vanish, are shut down or drained do not count. Whatever is allowed here, five attempts in a row that die without a commit end the job as `crash_loop`: save more often (`checkpoint.every_…`), and `retry` goes on from the last checkpoint'),
    max_duration_seconds: nullDefault<number | string>(seconds(1), 'time in attempts, all of them together, after which the job fails; null: no limit'),
    start_after: nullDefault<string>({ anyOf: [Timestamp, { type: 'null' }] }, 'not before this time; until then it is `scheduled`'),
    start_before: nullDefault<string>({ anyOf: [Timestamp, { type: 'null' }] }, 'not after it: a job that has not started by then is `expired`; a retry lifts it'),
    tags: Type.Optional(Type.Unsafe<Record<string, string>>({ ...Tags, default: {}, description: 'to find it by' })),
  },
  { ...closed, default: {}, description: 'when it runs, and what it may take' },
);

/** Where a training begins: null for the initializers, a safetensors file of weights, or a checkpoint of another job. */
export const JobInitObject = Type.Object(
  {
    job: idOf('job', { description: 'the job to begin from; its checkpoint stays as long as this job' }),
    checkpoint: Type.Optional(Type.Unsafe<string | null>({ anyOf: [idOf('ckpt'), { type: 'null' }], allows: 'checkpoint: an id such as ckpt_01j…, or null for the result (the latest, while there is none)', description: 'which of its checkpoints; null: its result, or the latest while there is none', default: null })),
    include: Type.Optional(oneOf(['weights', 'state'], { default: 'weights', description: '`weights`: trains them on as you like; `state`: goes on at that place, in the bits of a single training, with the same data, batch size and window' })),
  },
  closed,
);
export type InitSpec = { from: string } | { job: string; checkpoint: string | null; include: 'weights' | 'state' };
export const FileInitObject = Type.Object({ from: location('a safetensors file with every weight of the model, by its name') }, closed);
const Init = Type.Unsafe<{ from: string } | Static<typeof JobInitObject> | null>({ anyOf: [FileInitObject, JobInitObject, { type: 'null' }], allows: 'null, {from: "<location>.safetensors"}, or {job, checkpoint, include}', description: 'the first weights; null: by the initializers and the seed', default: null });
export const Model = Type.Object({ layers: Type.Array(Layer, { minItems: 1, maxItems: LAYER_LIMIT, description: 'the layers, in order; the input comes from the data, and the last one has to fit its classes' }), init: Type.Optional(Init) }, { ...closed, description: 'what is trained' });

export const JobSpecSchema = Type.Object(
  {
    spec_version: Type.Optional(Type.Literal(1, { default: 1, description: 'the version of the form of specs' })),
    name: Type.Optional(Type.Unsafe<string | null>({ anyOf: [{ type: 'string', minLength: 1, maxLength: 128 }, { type: 'null' }], default: null, description: 'for people, and to filter by; need not be unique' })),
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

export type NormalizeSpec = Static<typeof Normalize>;
/** `samples, shape, classes, seed` are there exactly for `synthetic`. */
export type BuiltinSourceSpec = { type: 'builtin'; normalize: NormalizeSpec } & ({ name: 'digits' } | { name: 'synthetic'; samples: number; shape: number[]; classes: number; seed: number });
export type NpzSourceSpec = { type: 'npz'; path: string; x: string; y: string; normalize: NormalizeSpec };
export type IdxSourceSpec = { type: 'idx'; images: string; labels: string; normalize: NormalizeSpec };
/** One set of samples, without its validation. */
export type DataSourceSpec = BuiltinSourceSpec | IdxSourceSpec | NpzSourceSpec;
export type ValidationSpec = { split: number } | DataSourceSpec | null;
export type DataSpec = DataSourceSpec & { validation: ValidationSpec };
export interface CheckpointPolicySpec {
  /** Exactly one of the three is a number. */
  every_seconds: number | 'auto' | null;
  every_updates: number | null;
  every_micro_batches: number | null;
  keep_last: number;
  keep_best: KeepBestSpec | null;
}
/** With its metric named and its mode known. */
export interface KeepBestSpec {
  metric: MonitoredMetric;
  mode: 'min' | 'max';
  n: number;
}
export type ResourcesSpec = Resolved<Static<typeof Resources>>;
export type RunSpec = Omit<Resolved<Static<typeof Run>>, 'max_duration_seconds'> & { max_duration_seconds: number | null };
/** A resolved spec: every default written, every shorthand spelled out. Resolving it again changes nothing. */
export interface JobSpec {
  spec_version: 1;
  name: string | null;
  data: DataSpec;
  model: { layers: LayerSpec[]; init: InitSpec | null };
  training: TrainingSpec;
  checkpoint: CheckpointPolicySpec;
  resources: ResourcesSpec;
  run: RunSpec;
}
