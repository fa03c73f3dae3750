// Resolves a job spec once, at submit: everything wrong with it at once, or the spec with every default written and
// every shorthand spelled out. Knows nothing of the data; check.ts does.
import { CheckpointPolicy, Data, type JobSpec, JobSpecSchema, Model, Resources, Run } from '../../contract/spec.js';
import { Training } from '../../contract/training.js';
import type { Problem } from '../../errors.js';
import { fillDefaults } from './fill-defaults.js';
import { coverOf, findNotSupported } from './find-not-supported.js';
import { limitProblems, makeValidator } from './schema-problems.js';
import { resolveCheckpoint } from './sections/checkpoint.js';
import { inheritNormalize, resolveData } from './sections/data.js';
import { resolveModel } from './sections/model.js';
import { resolveMonitors } from './sections/monitors.js';
import { resolveRun } from './sections/run.js';
import type { Section } from './sections/section.js';
import { resolveTraining } from './sections/training.js';

const schemaProblems = makeValidator(JobSpecSchema, Infinity);

export type ResolvedSpec = { spec: JobSpec } | { problems: Problem[] };

/**
 * A spec as it was sent, resolved; resolving the result again changes nothing. Problems name their field in dotted
 * form (`training.optimizer.lr`); those with code `not_supported` name something that is specified but not built.
 */
export function resolveSpec(input: unknown): ResolvedSpec {
  const endless = schemaProblems.endless(input);
  if (endless !== null) return { problems: [endless] };
  const notSupported = findNotSupported(input);
  const isCovered = coverOf(notSupported);
  const problems = [...notSupported, ...schemaProblems(input).filter((problem) => !isCovered(problem))];
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return { problems: limitProblems(problems) };

  const given = new Map<string, unknown>(Object.entries(input));
  /** A section is resolved, and so checked further, only if nothing in it is wrong already. */
  const resolve = <T, I>(name: string, schema: object, spellOut: (filled: I) => Section<T>, prepare = (raw: unknown) => raw): T | null => {
    if (problems.some(({ param }) => param === '' || param === name || param.startsWith(`${name}.`))) return null;
    const resolved = spellOut(fillDefaults(schema, prepare(given.get(name) ?? {})) as I);
    if ('value' in resolved) return resolved.value;
    problems.push(...resolved.problems);
    return null;
  };
  const data = resolve('data', Data, resolveData, inheritNormalize);
  const model = resolve('model', Model, resolveModel);
  const training = resolve('training', Training, resolveTraining);
  const checkpoint = resolve('checkpoint', CheckpointPolicy, resolveCheckpoint);
  const resources = resolve('resources', Resources, (filled: JobSpec['resources']) => ({ value: filled }));
  const run = resolve('run', Run, resolveRun);
  if (problems.length > 0 || !data || !model || !training || !checkpoint || !resources || !run) return { problems: limitProblems(problems) };
  const name = (given.get('name') as string | null | undefined) ?? null;
  return resolveMonitors({ spec_version: 1, name, data, model, training, checkpoint, resources, run });
}
