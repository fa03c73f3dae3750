// Where validation samples come from: the last samples of the training set, or a set of their own that has to fit it.
import { AppError } from '../errors.js';
import { isStored, type DataDescription, type OpenDataset, type StoredArray } from './source.js';

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

/** Cuts a set in two: the last samples in file order are for validation. Both parts are views of the same memory or file; sample ids start at 0 in each. */
export function splitValidation<Kind extends OpenDataset>(dataset: Kind, fraction: number): { train: Kind; validation: Kind } {
  const { samples } = dataset.description;
  const { train } = splitCounts(samples, fraction);
  return { train: partOf(dataset, 0, train), validation: partOf(dataset, train, samples) };
}

function partOf<Kind extends OpenDataset>(set: Kind, from: number, to: number): Kind {
  const { shape, classes, labels } = set.description;
  const pixels = shape[0] * shape[1] * shape[2];
  return { ...set, description: { ...set.description, samples: to - from }, x: cut(set.x, from, to, pixels), y: cut(set.y, from, to, labels === 'one_hot' ? classes : 1) };
}

/** Samples from … to − 1 of an array. */
function cut<Values extends { subarray(from: number, to: number): Values }>(array: Values | StoredArray<Values>, from: number, to: number, width: number): Values | StoredArray<Values> {
  return isStored(array) ? { ...array, startBytes: array.startBytes + from * array.sampleBytes } : array.subarray(from * width, to * width);
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
