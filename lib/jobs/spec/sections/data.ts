// The data section: what synthetic has and digits has not, and a validation set's normalisation.
import type { Static } from 'typebox';
import type { Data, DataSourceSpec, DataSpec, NormalizeSpec, ValidationData, ValidationSpec } from '../../../contract/spec.js';
import type { Problem } from '../../../errors.js';
import { type Section, section } from './section.js';

type DataInput = Static<typeof Data>;
type SourceInput = Static<typeof ValidationData>;

const SYNTHETIC_DEFAULTS = { samples: 1000, shape: [8, 8, 1], classes: 10, seed: 0 } as const;
const SYNTHETIC_KEYS = ['samples', 'shape', 'classes', 'seed'] as const;

/**
 * Before defaults: a validation set of its own is normalised as the training data is, unless it says otherwise.
 * Raw pixels beside normalised ones would be a silent mistake.
 */
export function inheritNormalize(data: unknown): unknown {
  const { normalize, validation } = data as { normalize?: unknown; validation?: Record<string, unknown> | null };
  if (normalize === undefined || validation === null || validation === undefined || !('type' in validation) || validation['normalize'] !== undefined) return data;
  return { ...(data as object), validation: { ...validation, normalize } };
}

export function resolveData(input: DataInput): Section<DataSpec> {
  const problems: Problem[] = [];
  const { validation, ...source } = input;
  const value = { ...resolveSource(source, 'data', problems), validation: resolveValidation(validation ?? null, problems) };
  return section(value, problems);
}

function resolveValidation(input: Exclude<DataInput['validation'], undefined>, problems: Problem[]): ValidationSpec {
  if (input === null) return null;
  return 'split' in input ? { split: input.split } : resolveSource(input, 'data.validation', problems);
}

function resolveSource(input: SourceInput, param: string, problems: Problem[]): DataSourceSpec {
  const normalize: NormalizeSpec = input.normalize ?? 'none';
  if (input.type === 'npz') return { type: 'npz', path: input.path, x: input.x ?? 'x', y: input.y ?? 'y', normalize };
  if (input.type === 'idx') return { type: 'idx', images: input.images, labels: input.labels, normalize };
  if (input.name === 'digits') {
    for (const key of SYNTHETIC_KEYS) {
      if (input[key] !== undefined) problems.push({ param: `${param}.${key}`, message: 'is a key of the data set synthetic only; digits is what it is' });
    }
    return { type: 'builtin', name: 'digits', normalize };
  }
  const { samples, shape, classes, seed } = { ...SYNTHETIC_DEFAULTS, ...input };
  return { type: 'builtin', name: 'synthetic', samples, shape: [...shape], classes, seed, normalize };
}
