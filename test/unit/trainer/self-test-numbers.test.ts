// The engine's self-test compares with numbers that were stored; here they are computed again, by the naive
// implementation in float64. PAWL_WRITE_NUMBERS=1 writes the file anew.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { SELF_TEST_NUMBERS } from '../../../worker/trainer/engines/self-test-numbers.js';
import { selfTestReferences } from './support/self-test-references.js';

const FILE = fileURLToPath(new URL('../../../worker/trainer/engines/self-test-numbers.ts', import.meta.url));
const HEAD = `// What the kernels of the self-test have to give, in float64 and rounded to nine digits: values, and gradients of
// Σ values · pattern by central differences. Written by test/unit/trainer/self-test-numbers.test.ts (PAWL_WRITE_NUMBERS=1)
// from the naive implementation in test/unit/trainer/support/naive.ts, which shares nothing with the engine.

`;
const short = (numbers: readonly number[]): string => `[${numbers.map((value) => String(Number(value.toPrecision(9)) + 0)).join(', ')}]`;

if (process.env['PAWL_WRITE_NUMBERS'] === '1') {
  const entries = Object.entries(selfTestReferences()).map(([name, { values, gradients }]) => {
    const lines = gradients === undefined ? '' : `    gradients: [\n${gradients.map((gradient) => `      ${short(gradient)},\n`).join('')}    ],\n`;
    return `  '${name}': {\n    values: ${short(values)},\n${lines}  },\n`;
  });
  writeFileSync(FILE, `${HEAD}export const SELF_TEST_NUMBERS: Readonly<Record<string, { values: readonly number[]; gradients?: readonly (readonly number[])[] }>> = {\n${entries.join('')}};\n`);
}

test('the stored numbers of the self-test are those of the naive implementation', () => {
  const references = selfTestReferences();
  expect(Object.keys(SELF_TEST_NUMBERS)).toEqual(Object.keys(references));
  for (const [name, reference] of Object.entries(references)) {
    const stored = SELF_TEST_NUMBERS[name]!;
    const pairs: [readonly number[], readonly number[]][] = [[stored.values, reference.values]];
    reference.gradients?.forEach((gradient, index) => pairs.push([stored.gradients![index]!, gradient]));
    for (const [actual, expected] of pairs) {
      expect(actual, name).toHaveLength(expected.length);
      // nine digits, and what central differences lose
      expected.forEach((value, index) => expect(Math.abs(actual[index]! - value), `${name} ${index}`).toBeLessThan(1e-6));
    }
  }
});
