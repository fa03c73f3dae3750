// The functions that samplers are compared on: closed forms with known minima, on spaces like those of real sweeps. Pure.
import { HARTMANN6_MINIMUM, mfHartmann6 } from '../../support/mf-hartmann6.js';
import type { CategoricalDimension, Dimension, NumericDimension, Params } from '../../../lib/sweeps/dimension.js';

/** A dimension that travels as JSON: the comparator is told the same space. Numbers are their own coordinates. */
export type Variable =
  | { name: string; kind: 'float' | 'int'; low: number; high: number; log: boolean }
  | { name: string; kind: 'choice'; choices: readonly string[] };

export interface TestFunction {
  name: string;
  variables: readonly Variable[];
  minimum: number;
  valueAt(params: Params): number;
}

const float = (name: string, low: number, high: number, log = false): Variable => ({ name, kind: 'float', low, high, log });
export const int = (name: string, low: number, high: number, log = false): Variable => ({ name, kind: 'int', low, high, log });
export const choice = (name: string, choices: readonly string[]): Variable => ({ name, kind: 'choice', choices });

export const spaceOf = ({ variables }: TestFunction): (readonly [string, Dimension])[] => variables.map((variable) => [variable.name, dimensionOf(variable)]);

function dimensionOf(variable: Variable): NumericDimension | CategoricalDimension {
  if (variable.kind === 'choice') return { kind: 'categorical', choices: variable.choices, probabilities: null };
  const { low, high, log, kind } = variable;
  return { kind: 'numeric', low, high, log, step: kind === 'int' ? 1 : null, toValue: (x) => x, toCoordinate: (value) => Math.min(Math.max(value, low), high) };
}

/** Of variables that are all numbers. */
const numbersIn = (params: Params): number[] => Object.values(params) as number[];
const many = (count: number, low: number, high: number): Variable[] => Array.from({ length: count }, (_, i) => float(`x${i}`, low, high));

const branin: TestFunction = {
  name: 'branin',
  variables: [float('x', -5, 10), float('y', 0, 15)],
  minimum: 0.397887,
  valueAt: (params) => {
    const [x, y] = numbersIn(params) as [number, number];
    return (y - (5.1 / (4 * Math.PI ** 2)) * x ** 2 + (5 / Math.PI) * x - 6) ** 2 + 10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) + 10;
  },
};

const hartmann6: TestFunction = {
  name: 'hartmann6',
  variables: many(6, 0, 1),
  minimum: HARTMANN6_MINIMUM,
  valueAt: (params) => mfHartmann6(numbersIn(params), 1, { bias: 0, noise: 0 }, 0),
};

const sphere10: TestFunction = { name: 'sphere10', variables: many(10, -5, 5), minimum: 0, valueAt: (params) => numbersIn(params).reduce((sum, x) => sum + x * x, 0) };

const rosenbrock10: TestFunction = {
  name: 'rosenbrock10',
  variables: many(10, -5, 5),
  minimum: 0,
  valueAt: (params) => {
    const x = numbersIn(params);
    return x.slice(1).reduce((sum, next, i) => sum + 100 * (next - x[i]! ** 2) ** 2 + (1 - x[i]!) ** 2, 0);
  },
};

const OPTIMIZERS = ['sgd', 'momentum', 'rmsprop', 'adam'];
const OPTIMIZER_OFFSETS = [0.06, 0, 0.01, 0.03];
const OPTIMIZER_RATES = [-0.7, -1.3, -2.7, -3];

/** A small network's validation loss: every optimizer wants a learning rate of its own. */
const cnnMix: TestFunction = {
  name: 'cnn-mix',
  variables: [float('lr', 1e-5, 1, true), float('wd', 1e-6, 1e-2, true), int('filters', 8, 256, true), int('layers', 1, 8), choice('optimizer', OPTIMIZERS), float('dropout', 0, 0.7)],
  minimum: 0.08,
  valueAt: (params) => {
    const { lr, wd, filters, layers, dropout } = params as Record<string, number>;
    const optimizer = OPTIMIZERS.indexOf(params.optimizer as string);
    return (
      0.08 + OPTIMIZER_OFFSETS[optimizer]! + 0.05 * (Math.log10(lr!) - OPTIMIZER_RATES[optimizer]!) ** 2 + 0.01 * (Math.log10(wd!) + 4) ** 2 +
      0.0075 * (Math.log2(filters!) - 6) ** 2 + 0.015 * Math.abs(layers! - 4) + 0.1 * (dropout! - 0.3) ** 2
    );
  },
};

const KINDS = ['a', 'b', 'c', 'd', 'e'];
const KIND_BASES = [0.08, 0.1, 0.12, 0.15, 0];
const KIND_STEEPNESS = [0.4, 0.3, 0.5, 0.2, 4];
const KIND_PLACES = [[0.7, 0.3], [0.2, 0.2], [0.5, 0.8], [0.9, 0.9], [0.25, 0.65]] as const;

/** The best kind is the best only close to its own optimum: elsewhere the others look better. */
const deceptiveMix: TestFunction = {
  name: 'deceptive-mix',
  variables: [choice('kind', KINDS), float('x', 0, 1), float('y', 0, 1), int('n', 1, 64, true)],
  minimum: 0,
  valueAt: (params) => {
    const kind = KINDS.indexOf(params.kind as string);
    const { x, y, n } = params as Record<string, number>;
    const [px, py] = KIND_PLACES[kind]!;
    return KIND_BASES[kind]! + KIND_STEEPNESS[kind]! * ((x! - px) ** 2 + (y! - py) ** 2) + 0.01 * (Math.log2(n!) - 3) ** 2;
  },
};

const OPERATIONS = ['none', 'skip', 'pool', 'conv1', 'conv3'];
const OPERATION_COSTS = [0, 0.05, 0.1, 0.2, 0.3];
const EDGES = 6;

/** Six edges of a cell, five operations each, the best one another on every edge; alike neighbours cost extra. */
const cellMix: TestFunction = {
  name: 'cell-mix',
  variables: [...Array.from({ length: EDGES }, (_, i) => choice(`edge${i}`, OPERATIONS)), float('lr', 1e-4, 1, true), float('wd', 1e-6, 1e-2, true)],
  minimum: 0,
  valueAt: (params) => {
    const edges = Array.from({ length: EDGES }, (_, i) => OPERATIONS.indexOf(params[`edge${i}`] as string));
    const { lr, wd } = params as Record<string, number>;
    const convolutions = edges.filter((operation) => operation >= 3).length;
    const own = edges.reduce((sum, operation, i) => sum + OPERATION_COSTS[(operation + i) % OPERATIONS.length]!, 0);
    const alike = edges.filter((operation, i) => i > 0 && operation === edges[i - 1]).length;
    return own + 0.05 * alike + 0.05 * (Math.log10(lr!) + 1 + 0.5 * convolutions) ** 2 + 0.01 * (Math.log10(wd!) + 4) ** 2;
  },
};

export const FUNCTIONS: readonly TestFunction[] = [branin, hartmann6, sphere10, rosenbrock10, cnnMix, deceptiveMix, cellMix];
