// The losses of a fixed training, kept in test/fixtures/golden-loss.json. A change that is meant to keep results leaves that
// file untouched; one that is meant to change them writes it anew with UPDATE_GOLDEN=1 and says so. The tolerance is for
// other instruction sets: on one machine the bits are equal.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { recipe, undisturbed } from '../../chaos/recipe.js';

const golden = join(import.meta.dirname, '../../fixtures/golden-loss.json');

/** Of its own, so that it stays what it is when other tests need another. */
const MODEL: JobSpecInput['model'] = {
  layers: [
    { type: 'conv2d', filters: 8, kernel_size: 3, padding: 'same' },
    { type: 'batch_normalization' },
    { type: 'activation', activation: 'relu' },
    { type: 'max_pooling2d' },
    { type: 'flatten' },
    { type: 'dropout', rate: 0.25 },
    { type: 'dense', units: 10, activation: 'softmax' },
  ],
};

test('the losses of the recipe are what they were', async () => {
  const { rows } = await undisturbed({ ...recipe(2), model: MODEL });
  const losses = rows.map(({ loss }) => loss);
  if (process.env['UPDATE_GOLDEN'] === '1') await writeFile(golden, `${JSON.stringify(losses)}\n`);
  const kept = JSON.parse(await readFile(golden, 'utf8')) as number[];
  expect(losses.length).toBe(kept.length);
  losses.forEach((loss, index) => expect(Math.abs(loss! - kept[index]!), `update ${index + 1}`).toBeLessThan(1e-5));
});
