// The job spec: data, model, checkpoint, resources and run (layers.ts and training.ts have the rest), every key, bound and
// default that a user may write, and the type of a resolved one. What the specification names but is not built yet is in
// not-supported.ts, so that it is refused by that name.
import Type, { type Static } from 'typebox';
import { closed, Count, idOf, nullable, oneOf, positive, type Resolved, tagged, Tags, Timestamp } from './common.js';
import { Layer, LAYER_LIMIT, type LayerSpec } from './layers.js';
import { type MonitoredMetric, Training, type TrainingSpec, watched } from './training.js';

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
const Location = Type.String({ minLength: 1, maxLength: 1200, description: 'a path relative to one of the data roots (bare or with `file:`), or s3://bucket/key' });

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
const idxFields = { type: Type.Literal('idx'), images: Location, labels: Location };
const ValidationSplit = Type.Object({ split: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1 }) }, closed);
const bare = { normalize: Type.Optional(Normalize) };
export const ValidationData = tagged([Type.Object({ ...builtinFields, ...bare }, closed), Type.Object({ ...idxFields, ...bare }, closed), Type.Object({ ...npzFields, ...bare }, closed)]);
const validation = Type.Optional(Type.Unsafe<Static<typeof ValidationSplit> | Static<typeof ValidationData> | null>({
  anyOf: [ValidationSplit, ValidationData, { type: 'null' }],
  description: 'null, {split: f} for the last samples, or a data object',
  default: null,
}));
const BuiltinData = Type.Object({ ...builtinFields, ...bare, validation }, closed);
const IdxData = Type.Object({ ...idxFields, ...bare, validation }, closed);
const NpzData = Type.Object({ ...npzFields, ...bare, validation }, closed);
export const Data = tagged([BuiltinData, IdxData, NpzData]);

/** Seconds as a number, or `30s 10m 6h 1d`; resolved to the number. */
const seconds = (minimum: number) => ({ anyOf: [{ type: 'number', minimum }, { type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?[smhd]$' }, { type: 'null' }], description: `seconds (at least ${minimum}), or a string such as 30s, 10m, 6h, 1d` });
export const MIN_EVERY_SECONDS = 0.01;
/** With "auto", as often as pays by what a checkpoint was seen to take. */
const Cadence = Type.Unsafe<number | string | null>({ ...seconds(MIN_EVERY_SECONDS), anyOf: [{ type: 'string', enum: ['auto'] }, ...seconds(MIN_EVERY_SECONDS).anyOf], description: `"auto", or ${seconds(MIN_EVERY_SECONDS).description}` });

const KeepBestObject = Type.Object({ ...watched, n: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 1 })) }, closed);
const KeepBest = Type.Unsafe<Static<typeof KeepBestObject> | null>({ anyOf: [KeepBestObject, { type: 'null' }], description: 'null, or {metric, mode, n}', default: null });

export const CheckpointPolicy = Type.Object(
  {
    every_seconds: Type.Optional(Cadence),
    every_updates: Type.Optional(nullable(positive(1_000_000_000))),
    every_micro_batches: Type.Optional(nullable(positive(1_000_000_000))),
    keep_last: Type.Optional(Type.Integer({ minimum: 2, maximum: 100, default: 2 })),
    keep_best: Type.Optional(KeepBest),
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

/** Where a training begins: null for the initializers, a safetensors file of weights, or a checkpoint of another job. */
const JobInitObject = Type.Object({ job: idOf('job'), checkpoint: Type.Optional(Type.Unsafe<string | null>({ anyOf: [idOf('ckpt'), { type: 'null' }], description: 'checkpoint: an id such as ckpt_01j…, or null for the result (the latest, while there is none)', default: null })), include: Type.Optional(oneOf(['weights', 'state'], { default: 'weights' })) }, closed);
export type InitSpec = { from: string } | { job: string; checkpoint: string | null; include: 'weights' | 'state' };
const Init = Type.Unsafe<{ from: string } | Static<typeof JobInitObject> | null>({ anyOf: [Type.Object({ from: Location }, closed), JobInitObject, { type: 'null' }], description: 'null, {from: "<location>.safetensors"}, or {job, checkpoint, include}', default: null });
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
