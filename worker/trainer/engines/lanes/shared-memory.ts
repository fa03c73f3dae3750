// The memory that a lane shares with the trainer's own thread: what goes in and what comes out of one micro-batch, and a
// few words to wait on. Types and layout; lane.ts and lanes.ts are the two sides.
import type { ModelPlan } from '../../../../lib/model/plan.js';
import { maskedLayers } from '../../masks.js';
import { columnsOf } from '../batch-row.js';
import type { Program } from '../index.js';
import { layersWithStatistics, trainableWeights } from '../update.js';

/** Words of `control`. */
export const WORD = { state: 0, samples: 1, weightsVersion: 2, messageBytes: 3 } as const;
/** Values of the word `state`: the trainer says `working` and `closed`, the lane everything else. */
export const STATE = { starting: 0, idle: 1, working: 2, done: 3, failed: 4, closed: 5 } as const;

const MESSAGE_BYTES = 4096;

export interface LaneMemory {
  buffer: SharedArrayBuffer;
  control: Int32Array;
  /** UTF-8 of what went wrong. */
  message: Uint8Array;
  /** By name: x, y, mask/<layer>, columns (columnsOf, one after another), gradient/<weight>, mean/<layer>, m2/<layer>. Room for the largest micro-batch. */
  arrays: ReadonlyMap<string, Float32Array>;
}

/** What a lane's thread is started with. */
export interface LaneData {
  program: Program;
  memory: SharedArrayBuffer;
  weights: SharedArrayBuffer;
  environment: NodeJS.ProcessEnv;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** A lane's memory for micro-batches of this program, new or in a buffer that came from the other side. */
export function laneMemory(program: Program, buffer?: SharedArrayBuffer): LaneMemory {
  const { plan } = program;
  const samples = Math.max(program.batchSize, ...program.sizes.training);
  const shapeOf = new Map(plan.weights.map(({ name, shape }) => [name, shape]));
  return place(
    [
      ['x', samples * sizeOf(plan.inputShape)],
      ['y', samples * sizeOf(plan.outputShape)],
      ...maskedLayers(plan).map(({ name, shape }): [string, number] => [`mask/${name}`, samples * sizeOf(shape)]),
      ['columns', samples * columnsOf(program).length],
      ...trainableWeights(plan).map((name): [string, number] => [`gradient/${name}`, sizeOf(shapeOf.get(name)!)]),
      ...layersWithStatistics(plan).flatMap(({ name, inputShape }): [string, number][] => [[`mean/${name}`, inputShape.at(-1)!], [`m2/${name}`, inputShape.at(-1)!]]),
    ],
    buffer,
  );
}

/** The weights, for all lanes: written by the trainer while no lane works. */
export const weightsMemory = (plan: ModelPlan, buffer?: SharedArrayBuffer): LaneMemory => place(plan.weights.map(({ name, shape }) => [name, sizeOf(shape)]), buffer);

function place(sizes: readonly (readonly [string, number])[], given?: SharedArrayBuffer): LaneMemory {
  const controlBytes = 4 * Object.keys(WORD).length;
  const floats = sizes.reduce((sum, [, size]) => sum + size, 0);
  const buffer = given ?? new SharedArrayBuffer(controlBytes + MESSAGE_BYTES + 4 * floats);
  let offset = controlBytes + MESSAGE_BYTES;
  const arrays = new Map<string, Float32Array>();
  for (const [name, size] of sizes) {
    arrays.set(name, new Float32Array(buffer, offset, size));
    offset += 4 * size;
  }
  return { buffer, control: new Int32Array(buffer, 0, controlBytes / 4), message: new Uint8Array(buffer, controlBytes, MESSAGE_BYTES), arrays };
}
