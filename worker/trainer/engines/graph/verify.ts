// The last guard of compiling: what the graph computes has to be what its parts computed operation by operation when they
// were traced, on the inputs of the second trace. Bits may differ in principle (TensorFlow fuses operations of a graph), so
// the comparison has a tolerance; a constant that was baked in, or an edge that went elsewhere, is off by far more.
import { AppError } from '../../../../lib/errors.js';
import { accumulatorName, statisticName } from '../../../../lib/model/slots.js';
import type { Program } from '../index.js';
import { layersWithStatistics, trainableWeights } from '../update.js';
import type { GraphProgram } from './program.js';
import type { JobTraces } from './traces.js';

/** Of the largest value of a tensor, or of this share of the largest of all. */
const TOLERANCE = 1e-3;
const NEGLIGIBLE = 0.01;

/** AppError `engine_unavailable` if the graph computes something else, or nothing that could be compared. Leaves no window open, and other weights. */
export function verifyGraph(program: Program, traces: JobTraces, compiled: GraphProgram): void {
  const { inputs, values } = traces.microBatch.get(program.batchSize)!;
  refuseNotFinite([...trainableWeights(program.plan).map((weight) => values.get(`gradient/${weight}`)!), values.get('losses')!]);
  const { losses, state } = compiled.tryBlock(inputs);
  const expected = new Map<string, ArrayLike<number>>([
    ...trainableWeights(program.plan).map((weight): [string, ArrayLike<number>] => [accumulatorName(weight), values.get(`gradient/${weight}`)!]),
    ...layersWithStatistics(program.plan).flatMap(({ name }): [string, ArrayLike<number>][] => [[statisticName(name, 'mean'), values.get(`mean/${name}`)!], [statisticName(name, 'm2'), values.get(`m2/${name}`)!]]),
  ]);
  refuseDifference('losses', losses, values.get('losses')!, 0);
  // a gradient that is zero in exact arithmetic is rounding and nothing else: it is measured by the others
  const overall = Math.max(...[...expected.values()].map(largest));
  for (const [name, numbers] of expected) refuseDifference(name, state.get(name)!, numbers, overall * NEGLIGIBLE);
}

/** Of such a trial the graph keeps nothing. */
function refuseNotFinite(computed: readonly ArrayLike<number>[]): void {
  let squares = 0;
  for (const numbers of computed) for (let index = 0; index < numbers.length; index++) squares += numbers[index]! ** 2;
  if (Number.isFinite(Math.fround(squares))) return;
  throw new AppError('engine_unavailable', 'the model cannot be compiled: with weights that keep the scale of what they are given, its loss or gradient is beyond float32');
}

function refuseDifference(name: string, actual: ArrayLike<number>, expected: ArrayLike<number>, floor: number): void {
  let worst = 0;
  for (let index = 0; index < expected.length; index++) {
    const error = Math.abs(actual[index]! - expected[index]!);
    // NaN compares as nothing: it is the worst
    worst = error <= worst ? worst : Number.isNaN(error) ? Infinity : error;
  }
  const scale = Math.max(largest(expected), floor);
  if (worst <= TOLERANCE * scale) return;
  throw new AppError('engine_unavailable', `the compiled program computes another ${name} than its operations one by one: off by ${worst.toPrecision(2)} of ${scale.toPrecision(2)}`);
}

function largest(numbers: ArrayLike<number>): number {
  let most = 0;
  for (let index = 0; index < numbers.length; index++) most = Math.max(most, Math.abs(numbers[index]!));
  return most;
}
