// Where validation samples come from: the last samples of the training set, or a set of their own that has to fit it.
import { AppError } from '../errors.js';
import type { DataDescription, Dataset } from './source.js';

/** How many samples each part gets: n_train = ⌊N·(1−f)⌋ in float64, as Keras computes it. AppError `invalid_data` (param `data.validation.split`) if a part would be empty. */
export function splitCounts(samples: number, fraction: number): { train: number; validation: number } {
  const train = Math.floor(samples * (1 - fraction));
  const validation = samples - train;
  if (train < 1 || validation < 1) {
    const message = `a split of ${fraction} leaves ${train} of ${samples} samples for training and ${validation} for validation`;
    throw new AppError('invalid_data', message, { param: 'data.validation.split' });
  }
  return { train, validation };
}

/** Cuts a set in two: the last samples in file order are for validation. Both parts are views of the same memory; sample ids start at 0 in each. */
export function splitValidation(dataset: Dataset, fraction: number): { train: Dataset; validation: Dataset } {
  const { samples } = dataset.description;
  const { train } = splitCounts(samples, fraction);
  return { train: partOf(dataset, 0, train), validation: partOf(dataset, train, samples) };
}

function partOf({ description, x, y }: Dataset, from: number, to: number): Dataset {
  const { shape, classes, labels } = description;
  const pixels = shape[0] * shape[1] * shape[2];
  const width = labels === 'one_hot' ? classes : 1;
  return { description: { ...description, samples: to - from }, x: x.subarray(from * pixels, to * pixels), y: y.subarray(from * width, to * width) };
}

/** AppError `invalid_data` (param `data.validation`) unless `validation` has the shape of `train` and no class that it lacks. */
export function assertValidationFits(train: DataDescription, validation: DataDescription): void {
  const refuse = (message: string): never => {
    throw new AppError('invalid_data', message, { param: 'data.validation' });
  };
  if (train.shape.some((size, i) => size !== validation.shape[i])) refuse(`validation samples have shape [${validation.shape.join(', ')}], training samples [${train.shape.join(', ')}]`);
  if (validation.classes > train.classes) refuse(`validation labels have ${validation.classes} classes, training labels ${train.classes}`);
  if (validation.labels === 'one_hot' && validation.classes !== train.classes) refuse(`validation label rows have ${validation.classes} classes, training labels ${train.classes}`);
}
