// The samples of a training as micro-batches: opens the settled sources, cuts off the validation part, and gathers the batch
// that a cursor stands before, with its masks. A batch is a function of the cursor, whether it comes from memory, at once,
// or from a file, read ahead (read-ahead.ts).
import type { JobSpec, NormalizeSpec } from '../../lib/contract/spec.js';
import { fileOrder, makeBatcher, type GatheredBatch } from '../../lib/data/batches.js';
import type { Fingerprint } from '../../lib/data/fingerprint.js';
import { bytesInMemory, isInMemory, loadSources } from '../../lib/data/load.js';
import { filesOf, type DataDescription, type OpenDataset } from '../../lib/data/source.js';
import { makeStreamedBatcher, type StreamedBatcher } from '../../lib/data/streamed-batches.js';
import { assertValidationFits, splitValidation } from '../../lib/data/validation.js';
import type { ModelPlan } from '../../lib/model/plan.js';
import { courseOf } from '../../lib/training/course.js';
import { nextBatch } from '../../lib/training/cursor.js';
import { permutationOf, type Permutation } from '../../lib/training/permutation.js';
import type { Cursor } from '../../lib/training/state.js';
import type { TrainerData } from '../protocol.js';
import type { Batch } from './engines/index.js';
import { makeMasker } from './masks.js';
import { makeReadAhead, type Place, type ReadAhead, type ReadFigures } from './read-ahead.js';

/** Raw values of batches that nobody asked for yet take at most this, or a quarter of what data may take of memory. */
const MAX_AHEAD_BYTES = 256 * 1024 * 1024;

/** A batch, and which samples are in it: indices in the data set, the keys of its masks. */
export interface TrainingBatch extends Batch {
  epoch: number;
  sampleIds: Int32Array;
}

export interface Batches {
  /** The micro-batches that these cursors stand before. AppError `data_changed` or `data_missing` where a file does not give them any more. */
  training(cursors: readonly Cursor[]): Promise<TrainingBatch[]>;
  /** Batches of the whole validation set, in file order; empty without one. Errors as `training`. */
  validation: { count: number; at(index: number): Promise<Batch> };
  /** What is read from files; null if everything is in memory. */
  reading(): ReadFigures | null;
  /** Ends every read and closes the files; no batch can be had afterwards. Harmless twice. */
  close(): Promise<void>;
}

export interface LoadedData {
  /** Of the training part. */
  description: DataDescription;
  validationSamples: number;
  /** What it takes of memory, batches that are read ahead aside. */
  memoryBytes: number;
  /** Of the files that were to be hashed. */
  hashed: Fingerprint[];
  /** @param plan says which layers have masks */
  batches(plan: ModelPlan): Batches;
  /** The same as that of the batches. */
  close(): Promise<void>;
}

/**
 * `spoolDir`: for what has to be unpacked. `jobMemoryBytes`: what the job may take altogether.
 * Errors of loadSources, and `invalid_data` where validation or normalisation do not fit.
 */
export async function loadData(spec: JobSpec, { train, validation, memoryBytes }: TrainerData, spoolDir: string, jobMemoryBytes = Infinity): Promise<LoadedData> {
  const { sets, hashed, close } = await loadSources([train, ...(validation === null ? [] : [validation])], { memoryBytes, jobMemoryBytes, unpackDir: spoolDir });
  try {
    const parts = partsOf(spec, sets);
    const gatherer = makeGatherer(spec, parts, memoryBytes);
    const { batch_size: batchSize, seed } = spec.training;
    const validationSamples = parts.validation?.description.samples ?? 0;
    const batches = (plan: ModelPlan): Batches => {
      const masksOf = makeMasker(plan, seed);
      return {
        async training(cursors) {
          const gathered = await gatherer.gather(cursors.map((cursor) => ({ kind: 'training', cursor })));
          return gathered.map((samples, index) => {
            const batch = { ...samples, epoch: cursors[index]!.epoch };
            return { ...batch, y: labelsFor(plan, batch), masks: masksOf(batch) };
          });
        },
        validation: {
          count: Math.ceil(validationSamples / batchSize),
          async at(index) {
            if (parts.validation === null) throw new Error('there is no validation data');
            const [batch] = await gatherer.gather([{ kind: 'validation', index }]);
            return { ...batch!, y: labelsFor(plan, batch!), masks: new Map() };
          },
        },
        reading: gatherer.figures,
        close,
      };
    };
    return { description: parts.train.description, validationSamples, memoryBytes: sets.reduce((bytes, set) => bytes + bytesInMemory(set), 0), hashed, batches, close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Parts {
  train: OpenDataset;
  validation: OpenDataset | null;
  /** How the validation part is normalised. */
  normalize: NormalizeSpec;
}

function partsOf(spec: JobSpec, [all, own]: readonly OpenDataset[]): Parts {
  const { validation: wanted, normalize } = spec.data;
  if (wanted === null) return { train: all!, validation: null, normalize };
  if ('split' in wanted) return { ...splitValidation(all!, wanted.split), normalize };
  if (own === undefined) throw new Error('the spec names validation data, but none was handed over');
  assertValidationFits(all!.description, own.description);
  return { train: all!, validation: own, normalize: wanted.normalize };
}

/** From memory a batch takes microseconds and is gathered when it is asked for; with a file involved, all are read ahead. */
function makeGatherer(spec: JobSpec, { train, validation, normalize }: Parts, memoryBytes: number): ReadAhead {
  const { batch_size: batchSize, seed, shuffle } = spec.training;
  const { samples, classes } = train.description;
  const course = courseOf(spec.training, samples);
  const validationSamples = validation?.description.samples ?? 0;

  let order: { epoch: number; permutation: Permutation } | null = null;
  const permutationIn = (epoch: number): Permutation => {
    if (order?.epoch !== epoch) order = { epoch, permutation: permutationOf(seed, epoch, samples, shuffle) };
    return order.permutation;
  };
  /** Which positions of its part a batch has, and the samples there. */
  const rangeOf = (place: Place): { from: number; to: number; at: (position: number) => number } =>
    place.kind === 'training'
      ? { ...nextBatch(place.cursor, course), at: permutationIn(place.cursor.epoch).at }
      : { from: place.index * batchSize, to: Math.min((place.index + 1) * batchSize, validationSamples), at: fileOrder };

  if (isInMemory(train) && (validation === null || isInMemory(validation))) {
    const trainBatcher = makeBatcher(train, { normalize: spec.data.normalize });
    const validationBatcher = validation === null ? null : makeBatcher(validation, { normalize, classes });
    const gather = (place: Place): GatheredBatch => {
      const { from, to, at } = rangeOf(place);
      return (place.kind === 'training' ? trainBatcher : validationBatcher!).gather(from, to, at);
    };
    return { gather: async (places) => places.map(gather), figures: () => null };
  }
  const trainBatcher = makeStreamedBatcher(train, { normalize: spec.data.normalize, batchSize });
  const validationBatcher = validation === null ? null : makeStreamedBatcher(validation, { normalize, classes, batchSize });
  const batcherOf = (place: Place): StreamedBatcher => (place.kind === 'training' ? trainBatcher : validationBatcher!);
  return makeReadAhead({
    course,
    validationCount: Math.ceil(validationSamples / batchSize),
    aheadBytes: Math.min(MAX_AHEAD_BYTES, Math.floor(memoryBytes / 4)),
    files: filesOf(validation === null ? [train] : [train, validation]),
    bytesOf: (place) => batcherOf(place).batchBytes,
    begin(place) {
      const { from, to, at } = rangeOf(place);
      return batcherOf(place).begin(from, to, at);
    },
  });
}

/** Label rows as wide as the model's output: of a single value, the second of two classes. */
function labelsFor({ outputShape }: ModelPlan, { y, samples }: GatheredBatch): Float32Array {
  return outputShape[0] === 1 && y.length === 2 * samples ? Float32Array.from({ length: samples }, (_, row) => y[2 * row + 1]!) : y;
}
