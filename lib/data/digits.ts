// The digits that come with the program: 1797 real handwritten ones of 8×8 pixels (builtin/ATTRIBUTION.md).
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { DataDescription, Dataset } from './source.js';

/** Grows whenever a sample or its order changes: part of the data's fingerprint. */
export const DIGITS_VERSION = 1;

const PIXELS = 64;
const LARGEST = 16;
export const DIGITS_DESCRIPTION: DataDescription = { samples: 1797, shape: [8, 8, 1], classes: 10, labels: 'integer', dtype: 'uint8', unit: LARGEST };
const FILE = join('lib', 'data', 'builtin', 'digits.csv.gz');

/** All digits, in the order of their file: x uint8 [1797, 8, 8, 1] of 0 … 16, y class indices. An Error if the installation is damaged. */
export async function loadDigits(): Promise<Dataset> {
  const packed = await readFile(join(packageRoot(), FILE));
  const lines = gunzipSync(packed, { maxOutputLength: 1024 * 1024 }).toString('latin1').trimEnd().split('\n');
  const { samples, classes } = DIGITS_DESCRIPTION;
  const x = new Uint8Array(samples * PIXELS);
  const y = new Int32Array(samples);
  if (lines.length !== samples) throw new Error(`${FILE} has ${lines.length} lines instead of ${samples}`);
  lines.forEach((line, i) => {
    const values = line.split(',').map(Number);
    const label = values[PIXELS];
    const isValid = values.every((value, at) => Number.isInteger(value) && value >= 0 && (at < PIXELS ? value <= LARGEST : value < classes));
    if (!isValid || values.length !== PIXELS + 1 || label === undefined) throw new Error(`${FILE} is damaged in line ${i + 1}`);
    x.set(values.slice(0, PIXELS), i * PIXELS);
    y[i] = label;
  });
  return { description: DIGITS_DESCRIPTION, x, y };
}

/** Compiled code lies in dist/, data files do not: the nearest package.json above this file says where they are. */
function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; ) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`no package.json above ${fileURLToPath(import.meta.url)}`);
    folder = parent;
  }
}
