// Spaces for tests, from parameters as a user writes them.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import type { ParameterInput, SweepSpecInput } from '../../../lib/contract/sweep.js';
import type { Problem } from '../../../lib/errors.js';
import type { Dimension, NumericDimension } from '../../../lib/sweeps/dimension.js';
import { type DistributionInput, parseDistribution } from '../../../lib/sweeps/distributions.js';
import { parseSpace, type Space } from '../../../lib/sweeps/space.js';

export const everyDistribution = (): SweepSpecInput => JSON.parse(readFileSync(new URL('../../fixtures/sweeps/wandb-every-distribution.json', import.meta.url), 'utf8')) as SweepSpecInput;

export function spaceOf(parameters: Record<string, ParameterInput>): Space {
  const parsed = parseSpace(parameters);
  if ('problems' in parsed) throw new Error(told(parsed.problems).join('\n'));
  return parsed.space;
}

export function dimensionOf(config: DistributionInput): Dimension {
  const parsed = parseDistribution(config, 'x');
  if ('problems' in parsed) throw new Error(told(parsed.problems).join('\n'));
  return parsed.dimension;
}
export function numericOf(config: DistributionInput): NumericDimension {
  const dimension = dimensionOf(config);
  if (dimension.kind !== 'numeric') throw new Error('not a numeric dimension');
  return dimension;
}

export const told = (problems: readonly Problem[]): string[] => problems.map(({ param, message }) => `${param}: ${message}`);

/** The largest distance between the share of values up to each one and what it should be. */
export function kolmogorovSmirnov(values: readonly number[], cdf: (value: number) => number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.max(...sorted.map((value, index) => Math.max(cdf(value) - index / sorted.length, (index + 1) / sorted.length - cdf(value))));
}

/** Small spaces of choices and steps, where some parameters depend on values of earlier ones. */
export const anyGridSpace = fc
  .array(
    fc.record({
      values: fc.integer({ min: 1, max: 4 }),
      isNumeric: fc.boolean(),
      when: fc.array(fc.record({ parent: fc.nat(5), values: fc.uniqueArray(fc.nat(3), { minLength: 1, maxLength: 3 }) }), { maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((parameters) => {
    const sizes = parameters.map(({ values, isNumeric }) => (isNumeric ? Math.max(2, values) : values));
    return Object.fromEntries(
      parameters.map(({ isNumeric, when }, index): [string, ParameterInput] => {
        const size = sizes[index] as number;
        const conditions = Object.fromEntries(index === 0 ? [] : when.map(({ parent, values }) => [`p${parent % index}`, [...new Set(values.map((value) => value % (sizes[parent % index] as number)))]]));
        const domain: ParameterInput = isNumeric ? { min: 0, max: size - 1 } : { values: Array.from({ length: size }, (_, value) => value) };
        return [`p${index}`, { ...domain, ...(Object.keys(conditions).length === 0 ? {} : { when: conditions }) }];
      }),
    );
  });
