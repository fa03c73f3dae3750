// What Keras computes for the cases of test/fixtures/keras, and how near is near enough: float32 arithmetic in other orders
// against float64.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensorsFile } from '../../../../lib/checkpoints/safetensors.js';
import { FIXTURES, type Columns, type Computed } from './keras.js';

/** Tensors of one kind lie one after another, in the order of their names. */
export type Expected = Omit<Computed, 'tensors' | 'first'> & { tensors: Record<string, readonly number[]> };

const figures = JSON.parse(readFileSync(join(FIXTURES, 'expected.json'), 'utf8')) as Record<string, Omit<Expected, 'tensors'>>;
const tensors = await readSafetensorsFile(join(FIXTURES, 'expected.safetensors'));

export function expectedOf(name: string): Expected {
  const ofCase = [...tensors].filter(([full]) => full.startsWith(`${name}: `));
  return { ...figures[name]!, tensors: Object.fromEntries(ofCase.map(([full, { data }]) => [full.slice(name.length + 2), [...data]])) };
}

/** Of a number. Rates are computed in float64 here too; they were written down with nine digits. */
const FIGURES = { lr: 1e-8, other: 1e-5 };
/** Of a tensor's largest value. */
const VALUES: Record<string, number> = { output: 5e-6, gradient: 1e-5 };
/** Of the farthest that an element of the tensor moved; besides, of its largest value, what its own rounding may come to. */
const MOVED = 2e-5;
const ROUNDING = 2 ** -22;
/** A tensor counts as large, or far, as this part of the largest of its kind: some gradients are zero but for rounding. */
const LEAST = 0.1;

/** What is not as expected, by name; nothing if all is. */
export function mismatches(actual: Computed, expected: Expected): string[] {
  return [
    ...figureMismatches('', { inference_loss: [actual.inference_loss], training_loss: [actual.training_loss ?? null] }, { inference_loss: [expected.inference_loss], training_loss: [expected.training_loss ?? null] }),
    ...figureMismatches('updates.', actual.updates, expected.updates),
    ...figureMismatches('epochs.', actual.epochs, expected.epochs),
    ...differingKeys(actual.tensors, expected.tensors),
    ...Object.keys(actual.tensors).filter((kind) => kind in expected.tensors).flatMap((kind) => tensorMismatches(kind, actual, expected.tensors[kind]!)),
  ];
}

function differingKeys(actual: object, expected: object): string[] {
  const [have, want] = [Object.keys(actual).sort().join(', '), Object.keys(expected).sort().join(', ')];
  return have === want ? [] : [`${have} instead of ${want}`];
}

function figureMismatches(prefix: string, actual: Columns = {}, expected: Columns = {}): string[] {
  const wrong = Object.entries(expected).filter(([name, values]) => {
    const tolerance = name === 'lr' ? FIGURES.lr : FIGURES.other;
    const isClose = (value: number | null, at: number): boolean => {
      const wanted = values[at]!;
      return value === null || wanted === null ? value === wanted : Math.abs(value - wanted) <= tolerance * Math.abs(wanted);
    };
    return actual[name]?.length !== values.length || !actual[name].every(isClose);
  });
  return [...differingKeys(actual, expected), ...wrong.map(([name, values]) => `${prefix}${name}: ${actual[name]?.join(' ')} instead of ${values.join(' ')}`)];
}

function tensorMismatches(kind: string, { tensors, first }: Computed, expected: readonly number[]): string[] {
  const parts = tensors[kind]!;
  const names = Object.keys(parts).sort();
  const total = names.reduce((sum, name) => sum + parts[name]!.length, 0);
  if (total !== expected.length) return [`${kind}: ${total} values instead of ${expected.length}`];
  let end = 0;
  const compared = names.map((name) => {
    const wanted = expected.slice(end, (end += parts[name]!.length));
    const start = kind in VALUES ? wanted.map(() => 0) : first[name.replace(/^ema\//, '')]!;
    return { name, wanted, worst: farthest(parts[name]!, wanted), far: farthest(wanted, start) };
  });
  const least = LEAST * largest(compared.map(({ far }) => far));
  return compared.flatMap(({ name, wanted, worst, far }) => {
    const limit = (VALUES[kind] ?? MOVED) * Math.max(far, least) + (kind in VALUES ? 0 : ROUNDING * largest(wanted));
    return worst <= limit ? [] : [`${kind} ${name}: off by ${worst.toExponential(1)} of at most ${limit.toExponential(1)}`];
  });
}

const largest = (values: readonly number[]): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
/** NaN if there is one, which is not within any limit. */
const farthest = (values: readonly number[], from: readonly number[]): number => values.reduce((most, value, at) => Math.max(most, Math.abs(value - from[at]!)), 0);
