// The samples of a training as micro-batches: brings the settled sources into memory, cuts off the validation part, and
// gathers the batch that a cursor stands before, with its masks. A batch is a function of the cursor; nothing is read ahead.
import type { JobSpec } from '../../lib/contract/spec.js';
import { makeBatcher } from '../../lib/data/batches.js';
import { loadSource } from '../../lib/data/load.js';
import type { DataDescription, Dataset } from '../../lib/data/source.js';
import { assertValidationFits, splitValidation } from '../../lib/data/validation.js';
import type { ModelPlan } from '../../lib/model/plan.js';
import { nextBatch } from '../../lib/training/cursor.js';
import { permutationOf, type Permutation } from '../../lib/training/permutation.js';
import type { Cursor } from '../../lib/training/state.js';
import type { ToTrainer } from '../protocol.js';
import type { Batch } from './engines/index.js';
import { masksOf } from './masks.js';

type Sources = Extract<ToTrainer, { type: 'start' }>['data'];

/** A batch, and which samples are in it: indices in the data set, the keys of its masks. */
export interface TrainingBatch extends Batch {
  epoch: number;
  sampleIds: Int32Array;
}

export interface Batches {
  /** The micro-batches that these cursors stand before. */
  training(cursors: readonly Cursor[]): Promise<TrainingBatch[]>;
  /** Batches of the whole validation set, in file order; empty without one. */
  validation: { count: number; at(index: number): Promise<Batch> };
}

export interface LoadedData {
  /** Of the training part. */
  description: DataDescription;
  validationSamples: number;
  /** @param plan says which layers have masks */
  batches(plan: ModelPlan): Batches;
}

export async function loadData(spec: JobSpec, sources: Sources): Promise<LoadedData> {
  const { train, validation, normalize } = await loadDatasets(spec, sources);
  const { batch_size: batchSize, seed, shuffle } = spec.training;
  const { samples, classes } = train.description;
  const batcher = makeBatcher(train, { normalize: spec.data.normalize });
  const validationBatcher = validation === null ? null : makeBatcher(validation, { normalize, classes });
  const validationSamples = validation?.description.samples ?? 0;

  let order: { epoch: number; permutation: Permutation } | null = null;
  const permutationIn = (epoch: number): Permutation => {
    if (order?.epoch !== epoch) order = { epoch, permutation: permutationOf(seed, epoch, samples, shuffle) };
    return order.permutation;
  };
  const batches = (plan: ModelPlan): Batches => ({
    training: (cursors) =>
      Promise.resolve(
        cursors.map((cursor) => {
          const { from, to } = nextBatch(cursor, { samples, batchSize });
          const batch = { ...batcher.gather(from, to, permutationIn(cursor.epoch).at), epoch: cursor.epoch };
          return { ...batch, masks: masksOf(plan, seed, batch) };
        }),
      ),
    validation: {
      count: Math.ceil(validationSamples / batchSize),
      at(index) {
        if (validationBatcher === null) throw new Error('there is no validation data');
        return Promise.resolve({ ...validationBatcher.gather(index * batchSize, Math.min((index + 1) * batchSize, validationSamples)), masks: new Map() });
      },
    },
  });
  return { description: train.description, validationSamples, batches };
}

/** Both parts, and how the validation part is normalised. */
async function loadDatasets(spec: JobSpec, sources: Sources): Promise<{ train: Dataset; validation: Dataset | null; normalize: JobSpec['data']['normalize'] }> {
  const { validation: wanted, normalize } = spec.data;
  const all = await loadSource(sources.train);
  if (wanted === null) return { train: all, validation: null, normalize };
  if ('split' in wanted) return { ...splitValidation(all, wanted.split), normalize };
  if (sources.validation === null) throw new Error('the spec names validation data, but none was handed over');
  const validation = await loadSource(sources.validation);
  assertValidationFits(all.description, validation.description);
  return { train: all, validation, normalize: wanted.normalize };
}
