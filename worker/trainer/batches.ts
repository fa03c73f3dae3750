// The samples of a training as micro-batches: brings the settled sources into memory, cuts off the validation part, and
// gathers the batch that a cursor stands before. A batch is a function of the cursor; nothing is read ahead.
import type { JobSpec } from '../../lib/contract/spec.js';
import { makeBatcher } from '../../lib/data/batches.js';
import { loadSource } from '../../lib/data/load.js';
import type { DataDescription, Dataset } from '../../lib/data/source.js';
import { assertValidationFits, splitValidation } from '../../lib/data/validation.js';
import { nextBatch } from '../../lib/training/cursor.js';
import { permutationOf, type Permutation } from '../../lib/training/permutation.js';
import type { Cursor } from '../../lib/training/state.js';
import type { ToTrainer } from '../protocol.js';
import type { Batch } from './engines/index.js';

type Sources = Extract<ToTrainer, { type: 'start' }>['data'];

export interface Batches {
  /** Of the training part. */
  description: DataDescription;
  /** The micro-batch that comes next. */
  training(cursor: Cursor): Batch;
  /** Batches of the whole validation set, in file order; empty without one. */
  validation: { samples: number; count: number; at(index: number): Batch };
}

export async function loadBatches(spec: JobSpec, sources: Sources): Promise<Batches> {
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
  return {
    description: train.description,
    training(cursor) {
      const { from, to } = nextBatch(cursor, { samples, batchSize });
      return { ...batcher.gather(from, to, permutationIn(cursor.epoch).at), epoch: cursor.epoch };
    },
    validation: {
      samples: validationSamples,
      count: Math.ceil(validationSamples / batchSize),
      at(index) {
        if (validationBatcher === null) throw new Error('there is no validation data');
        return { ...validationBatcher.gather(index * batchSize, Math.min((index + 1) * batchSize, validationSamples)), epoch: 0 };
      },
    },
  };
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
