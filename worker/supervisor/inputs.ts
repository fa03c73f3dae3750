// What an attempt needs before it can start: where its data lies and what it hashes to, the first weights, the model's plan,
// and the check that a checkpoint's files are a state of this very job.
import type { JobSpec } from '../../lib/contract/spec.js';
import { readSafetensorsHeader } from '../../lib/checkpoints/safetensors.js';
import { describeSource } from '../../lib/data/describe.js';
import { resolveLocation } from '../../lib/data/locations.js';
import { AppError } from '../../lib/errors.js';
import { sha256Slowly } from '../../lib/jobs/commit.js';
import { checkAgainstData } from '../../lib/jobs/spec/check.js';
import type { ModelPlan } from '../../lib/model/plan.js';
import { checkState, expectedState } from '../../lib/model/slots.js';
import { type Course, courseOf } from '../../lib/training/course.js';
import { programKey, specSha256 } from '../../lib/training/program-key.js';
import { stateFiles } from '../../lib/model/state-files.js';
import { holdsWindow } from '../../lib/training/cursor.js';
import { keepsBest } from '../../lib/training/monitor.js';
import { STATE_ROLES, type StateCounters, type StateRole } from '../../lib/training/state.js';
import type { TrainerData } from '../protocol.js';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** What a job's data may be on this worker. */
export interface DataMeans {
  /** Folders that the spec's locations are relative to. */
  roots: readonly string[];
  /** What the data of one job may take of memory. */
  memoryBytes: number;
}

export interface AttemptInputs {
  data: TrainerData;
  dataSha256: string;
  initFile: string | null;
  initSha256: string | null;
  plan: ModelPlan;
  course: Course;
  totalUpdates: number;
  programKey: string;
  specSha256: string;
}

/** @throws AppError data_missing, invalid_data (compressed data that does not fit into memory, too), invalid_location */
export async function gatherInputs(spec: JobSpec, { roots, memoryBytes }: DataMeans): Promise<AttemptInputs> {
  const train = await describeSource(spec.data, roots, 'data', { memoryBytes });
  const own = spec.data.validation !== null && 'type' in spec.data.validation ? await describeSource(spec.data.validation, roots, 'data.validation', { memoryBytes }) : null;
  const checked = checkAgainstData(spec, train.description, own?.description ?? null);
  if ('problems' in checked) throw new AppError('invalid_data', `the spec does not fit the data: ${checked.problems.map((problem) => `${problem.param}: ${problem.message}`).join('; ')}`, { details: checked.problems });
  const hashes = [await train.sha256(), ...(own ? [await own.sha256()] : [])];
  const initFile = spec.model.init === null ? null : await resolveLocation(spec.model.init.from, roots, 'model.init.from');
  return {
    data: { train: train.resolved, validation: own?.resolved ?? null, memoryBytes },
    dataSha256: hashes.length === 1 ? hashes[0]! : createHash('sha256').update(hashes.join('\n')).digest('hex'),
    initFile,
    initSha256: initFile === null ? null : await sha256Slowly(await readFile(initFile)),
    plan: checked.plan,
    course: courseOf(spec.training, checked.trainSamples),
    totalUpdates: checked.totalUpdates,
    programKey: programKey(spec, checked.plan),
    specSha256: specSha256(spec),
  };
}

/** Throws checkpoint_corrupt naming every tensor that is missing, extra, mis-shaped or in the wrong file. */
export async function checkStateFiles(spec: JobSpec, plan: ModelPlan, files: Partial<Record<StateRole, string>>, state: StateCounters): Promise<void> {
  const expected = stateFiles(expectedState(plan, spec.training, holdsWindow(state.cursor), keepsBest(spec, state)));
  for (const role of STATE_ROLES) {
    const path = files[role];
    const ofRole = new Map((expected.get(role) ?? []).map((entry) => [entry.name, entry]));
    if (path === undefined) {
      if (ofRole.size > 0) throw new AppError('checkpoint_corrupt', `the state has no ${role} file`);
      continue;
    }
    const header = await readSafetensorsHeader(path);
    const problems = checkState(ofRole, new Map(header.entries.map((entry) => [entry.name, entry])));
    if (problems.length > 0) throw new AppError('checkpoint_corrupt', `${role}: ${problems.map((problem) => problem.message).join('; ')}`);
  }
}
