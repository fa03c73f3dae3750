// A made-up data set of any size: each class has a pattern, each sample is its class's pattern under noise. Everything is
// keyed integer arithmetic and multiples of 2⁻⁸, so every value is exact in float32 and the same on every machine.
import { AppError } from '../errors.js';
import { bitsAt, deriveKey, keyOf } from '../training/random.js';
import type { DataDescription, Dataset } from './source.js';

/** Grows whenever a value changes: part of the data's fingerprint. */
export const SYNTHETIC_VERSION = 1;

export interface SyntheticSource {
  samples: number;
  /** [height, width, channels] */
  shape: readonly number[];
  classes: number;
  /** Chooses the noise. Patterns do not depend on it, so that another seed gives other samples of the same task: a validation set. */
  seed: number;
}

/** A pattern is a coarse grid of levels, so that neighbouring pixels agree: something for a convolution to find. */
const GRID = 4;
const LEVELS = 256;

/** Of its samples and labels in memory. */
export const syntheticBytes = ({ samples, shape }: Pick<SyntheticSource, 'samples' | 'shape'>): number => samples * (shape.reduce((product, size) => product * size, 1) + 1) * 4;

/** AppError `invalid_data` (param) if it has more than `maxBytes`. */
export function describeSynthetic({ samples, shape, classes }: SyntheticSource, maxBytes: number, param = 'data'): DataDescription {
  const [height, width, channels] = shape as [number, number, number];
  const bytes = syntheticBytes({ samples, shape });
  if (bytes > maxBytes) {
    const message = `${samples} synthetic samples of [${shape.join(', ')}] have ${bytes} bytes, and at most ${maxBytes} are made`;
    throw new AppError('invalid_data', message, { param: `${param}.samples` });
  }
  return { samples, shape: [height, width, channels], classes, labels: 'integer', dtype: 'float32', unit: null };
}

/** x float32 in [0, 2): the class's level of the pixel plus noise, both uniform in [0, 1); y: sample i has class i mod classes. Errors as describeSynthetic. */
export function makeSynthetic(source: SyntheticSource, maxBytes: number): Dataset {
  const description = describeSynthetic(source, maxBytes);
  const { samples, shape, classes } = description;
  const pixels = shape[0] * shape[1] * shape[2];
  const patterns: Uint8Array[] = [];
  const x = new Float32Array(samples * pixels);
  const y = new Int32Array(samples);
  const noise = keyOf(source.seed, 'data/synthetic/noise');
  for (let sample = 0; sample < samples; sample++) {
    const label = sample % classes;
    const pattern = (patterns[label] ??= patternOf(label, shape));
    const key = deriveKey(noise, sample);
    const start = sample * pixels;
    for (let i = 0; i < pixels; i++) x[start + i] = (pattern[i]! + (bitsAt(key, i) >>> 24)) / LEVELS;
    y[sample] = label;
  }
  return { description, x, y };
}

/** A class's levels, [height, width, channels]. */
function patternOf(label: number, [height, width, channels]: DataDescription['shape']): Uint8Array {
  const key = keyOf(label, 'data/synthetic/pattern');
  const pattern = new Uint8Array(height * width * channels);
  let i = 0;
  for (let row = 0; row < height; row++) {
    const gridRow = Math.floor((row * GRID) / height);
    for (let column = 0; column < width; column++) {
      const cell = gridRow * GRID + Math.floor((column * GRID) / width);
      for (let channel = 0; channel < channels; channel++) pattern[i++] = bitsAt(key, cell * channels + channel) >>> 24;
    }
  }
  return pattern;
}
