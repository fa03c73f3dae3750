// What an attempt needs before it can start: its data on this machine and what it hashes to, the first weights, the model's plan,
// and the check that a checkpoint's files are a state of this very job.
import type { JobSpec } from '../../lib/contract/spec.js';
import { readSafetensorsHeader } from '../../lib/checkpoints/safetensors.js';
import { fingerprintFile, joinedSha256 } from '../../lib/data/fingerprint.js';
import { resolveLocation } from '../../lib/data/locations.js';
import { isObjectLocation, objectAt } from '../../lib/data/object-locations.js';
import type { DataPlaces } from '../../lib/data/places.js';
import { type FetchFile, settleSource } from '../../lib/data/settle.js';
import { AppError } from '../../lib/errors.js';
import { fetchBeginning } from '../../lib/jobs/beginnings.js';
import type { Store } from '../../lib/store/index.js';
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
import type { ObjectHold } from './object-cache.js';

/** What a job's data may be on this worker. */
export interface DataMeans {
  places: DataPlaces;
  /** What the data of one job may take of memory. */
  memoryBytes: number;
}

export interface AttemptInputs {
  data: TrainerData;
  dataSha256: string;
  initFile: string | null;
  /** Of first weights or of another job's checkpoint; null without, or where they are not needed. */
  initSha256: string | null;
  /** The state of another job that this one goes on from; null without. */
  initState: { counters: StateCounters; files: Partial<Record<StateRole, string>> } | null;
  plan: ModelPlan;
  course: Course;
  totalUpdates: number;
  programKey: string;
  specSha256: string;
}

/** How objects come to this machine. */
export interface Fetching {
  hold: ObjectHold;
  /** Gives up what is being fetched, as data_missing. */
  signal: AbortSignal;
}

/**
 * @param fetching null: no bucket may be read
 * @param fromStart whether first weights are needed: a job with a checkpoint begins there, wherever they are by now
 * @throws AppError data_missing, data_changed, invalid_data, invalid_location, store_full (no room for a copy)
 */
export async function gatherInputs(spec: JobSpec, { places, memoryBytes }: DataMeans, fetching: Fetching | null, fromStart = true): Promise<AttemptInputs> {
  const fetch: FetchFile = async (location, param, members) => {
    if (!isObjectLocation(location)) return { path: await resolveLocation(location, places.roots, param), fingerprint: null };
    const object = objectAt(location, places.buckets, param);
    return fetching!.hold.fetch(object, param, members, fetching!.signal);
  };
  const train = await settleSource(spec.data, fetch);
  const own = spec.data.validation !== null && 'type' in spec.data.validation ? await settleSource(spec.data.validation, fetch, 'data.validation') : null;
  const checked = checkAgainstData(spec, train.description, own?.description ?? null);
  if ('problems' in checked) throw new AppError('invalid_data', `the spec does not fit the data: ${checked.problems.map((problem) => `${problem.param}: ${problem.message}`).join('; ')}`, { details: checked.problems });
  const pinned = await train.pin();
  const pinnedOwn = own && (await own.pin());
  const init = spec.model.init === null || !('from' in spec.model.init) || !fromStart ? null : await fetch(spec.model.init.from, 'model.init.from', []);
  return {
    data: { train: pinned.resolved, validation: pinnedOwn?.resolved ?? null, memoryBytes },
    dataSha256: joinedSha256([pinned.sha256, ...(pinnedOwn ? [pinnedOwn.sha256] : [])]),
    initFile: init?.path ?? null,
    initSha256: init && (init.fingerprint ?? (await fingerprintFile(init.path, []))).sha256,
    initState: null,
    plan: checked.plan,
    course: courseOf(spec.training, checked.trainSamples),
    totalUpdates: checked.totalUpdates,
    programKey: programKey(spec, checked.plan),
    specSha256: specSha256(spec),
  };
}

/** The inputs, with what another job's checkpoint begins this one with. Errors of fetchBeginning and checkStateFiles. */
export async function beginWith(inputs: AttemptInputs, spec: JobSpec, store: Store, folder: string): Promise<AttemptInputs> {
  const { init } = spec.model;
  if (init === null || 'from' in init) return inputs;
  const begun = await fetchBeginning(store, init, { spec, ...inputs }, folder);
  if (begun.include === 'weights') return { ...inputs, initFile: begun.file, initSha256: begun.sha256 };
  await checkStateFiles(spec, inputs.plan, begun.files, begun.counters);
  return { ...inputs, initSha256: begun.sha256, initState: begun };
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
