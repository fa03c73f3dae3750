// The run section: durations in seconds, and a start that is possible.
import type { Static } from 'typebox';
import type { Run, RunSpec } from '../../../contract/spec.js';
import type { Problem } from '../../../errors.js';
import { duration, type Section, section } from './section.js';

/** @param input with the schema's defaults filled in */
export function resolveRun(input: Static<typeof Run>): Section<RunSpec> {
  const problems: Problem[] = [];
  const { start_after: after, start_before: before } = input;
  if (typeof after === 'string' && typeof before === 'string' && Date.parse(before) <= Date.parse(after)) {
    problems.push({ param: 'run.start_before', message: `must be later than run.start_after (${after}), got ${before}` });
  }
  // a valid key by its letters, and an accident waiting to happen in every object it is copied into
  if (Object.hasOwn(input.tags ?? {}, '__proto__')) problems.push({ param: 'run.tags.__proto__', message: 'is not allowed as a key' });
  const value = { ...input, max_duration_seconds: duration('run.max_duration_seconds', input.max_duration_seconds ?? null, 1, problems) };
  return section(value as RunSpec, problems);
}
