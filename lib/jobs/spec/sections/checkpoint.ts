// The checkpoint section: exactly one cadence, 30 seconds by default.
import type { Static } from 'typebox';
import { type CheckpointPolicy, type CheckpointPolicySpec, MIN_EVERY_SECONDS } from '../../../contract/spec.js';
import type { Problem } from '../../../errors.js';
import { duration, type Section, section } from './section.js';

const CADENCES = ['every_seconds', 'every_updates', 'every_micro_batches'] as const;
const DEFAULT_EVERY_SECONDS = 30;

/** @param input with the schema's defaults filled in */
export function resolveCheckpoint(input: Static<typeof CheckpointPolicy>): Section<CheckpointPolicySpec> {
  const problems: Problem[] = [];
  const [first, ...more] = CADENCES.filter((key) => input[key] !== undefined && input[key] !== null);
  for (const key of more) problems.push({ param: `checkpoint.${key}`, message: `only one of ${CADENCES.join(', ')} may be given, and ${first} is` });
  const everySeconds = first === undefined ? DEFAULT_EVERY_SECONDS : (input.every_seconds ?? null);
  const value = {
    every_seconds: everySeconds === 'auto' ? ('auto' as const) : duration('checkpoint.every_seconds', everySeconds, MIN_EVERY_SECONDS, problems),
    every_updates: input.every_updates ?? null,
    every_micro_batches: input.every_micro_batches ?? null,
    keep_last: input.keep_last as number,
    // its metric and mode are written out later (monitors.ts)
    keep_best: (input.keep_best ?? null) as CheckpointPolicySpec['keep_best'],
  };
  return section(value, problems);
}
