// What an attempt needs before it can start: its data on this machine, the first weights, the model's plan, and the check that a
// checkpoint's files are a state of this very job. What data hashes to may be known only once a trainer has read it.
import { realpath } from 'node:fs/promises';
import { basename } from 'node:path';
import type { JobSpec } from '../../lib/contract/spec.js';
import type { Inputs } from '../../lib/contract/records.js';
import { readSafetensorsHeader } from '../../lib/checkpoints/safetensors.js';
import { makeDataFile } from '../../lib/data/data-file.js';
import { type Fingerprint, joinedSha256 } from '../../lib/data/fingerprint.js';
import { openSettled, resolveLocation } from '../../lib/data/locations.js';
import { isObjectLocation, objectAt } from '../../lib/data/object-locations.js';
import { naming } from '../../lib/data/naming.js';
import { membersIn } from '../../lib/data/npz.js';
import { bytesToUnpack } from '../../lib/data/memory.js';
import { hashPinned, type Pin, pinFile } from '../../lib/data/pinned-file.js';
import type { DataPlaces } from '../../lib/data/places.js';
import { type FetchFile, type LocalFile, settleSource } from '../../lib/data/settle.js';
import { pinnedIn, type PinnedFile } from '../../lib/data/source.js';
import { AppError, type ErrorCode, isAppError } from '../../lib/errors.js';
import { fetchBeginning } from '../../lib/jobs/beginnings.js';
import { FIRST_WEIGHTS, firstWeightsProblems } from '../../lib/jobs/first-weights.js';
import type { Store } from '../../lib/store/index.js';
import { checkAgainstData } from '../../lib/jobs/spec/check.js';
import { limitProblems } from '../../lib/jobs/spec/schema-problems.js';
import { checkpointBytes } from '../../lib/model/memory.js';
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

/** What an attempt's inputs hash to. */
export interface InputHashes {
  data: string;
  /** Of first weights or of another job's checkpoint; null without, or where they are not needed. */
  init: string | null;
}

export interface AttemptInputs {
  data: TrainerData;
  initFile: PinnedFile | null;
  /** The state of another job that this one goes on from; null without. */
  initState: { counters: StateCounters; committed: false; files: Partial<Record<StateRole, string>> } | null;
  /** By what is known and what a trainer hashed while it read; null where that is not all of them. */
  hashes(hashed: readonly Fingerprint[]): InputHashes | null;
  /** The same at once: what is not known is read, for this alone, as long as it was waited for what was brought. Errors of hashPinned. */
  readHashes(): Promise<InputHashes>;
  /** What a trainer writes to this worker's disk: its data, where that has to be unpacked, and the largest snapshot. */
  disk: { unpackedBytes: number; snapshotBytes: number };
  plan: ModelPlan;
  course: Course;
  totalUpdates: number;
  programKey: string;
  specSha256: string;
}

/** How data comes to this machine, and for how long it is waited for. */
export interface Bringing {
  /** Of copies of objects; null: no bucket may be read. */
  hold: ObjectHold | null;
  /** Gives up what is being fetched, looked at or hashed, as data_missing. */
  signal: AbortSignal;
}

/**
 * @param fromStart whether first weights are needed: a job with a checkpoint begins there, wherever they are by now
 * @throws AppError data_missing, data_changed, invalid_data, invalid_location, store_full (no room for a copy)
 */
export async function gatherInputs(spec: JobSpec, { places, memoryBytes }: DataMeans, { hold, signal }: Bringing, fromStart = true): Promise<AttemptInputs> {
  const fetch: FetchFile = async (location, param, members) => {
    if (!isObjectLocation(location)) return { path: await resolveLocation(location, places.roots, param, places.closed), fingerprint: null };
    const object = objectAt(location, places.buckets, param);
    return hold!.fetch(object, param, members, signal);
  };
  const train = await settleSource(spec.data, fetch, 'data', signal);
  const own = spec.data.validation !== null && 'type' in spec.data.validation ? await settleSource(spec.data.validation, fetch, 'data.validation', signal) : null;
  const checked = checkAgainstData(spec, train.description, own?.description ?? null);
  if ('problems' in checked) throw new AppError('invalid_data', `the spec does not fit the data: ${checked.problems.map((problem) => `${problem.param}: ${problem.message}`).join('; ')}`, { details: checked.problems });
  const { from } = spec.model.init !== null && 'from' in spec.model.init && fromStart ? spec.model.init : { from: null };
  const init = from === null ? null : await pinFirstWeights(await fetch(from, FIRST_WEIGHTS, []), checked.plan);
  const sets = [train, ...(own ? [own] : [])];
  const hashes = (hashed: readonly Fingerprint[]): InputHashes | null => {
    const data = sets.map((set) => set.sha256(hashed));
    const first = init && init.sha256(hashed);
    return data.includes(null) || (init !== null && first === null) ? null : { data: joinedSha256(data as string[]), init: first };
  };
  return {
    data: { train: train.resolved, validation: own?.resolved ?? null, memoryBytes },
    initFile: init?.file ?? null,
    initState: null,
    hashes,
    async readHashes() {
      const files = sets.flatMap(({ resolved }) => pinnedIn(resolved).map((file) => ({ file, members: membersIn(resolved) })));
      if (init !== null) files.push({ file: init.file, members: [] });
      const hashed: (Fingerprint | null)[] = [];
      for (const { file, members } of files) hashed.push(await hashPinned(file, members, signal));
      return hashes(hashed.filter((each) => each !== null))!;
    },
    disk: { unpackedBytes: bytesToUnpack(sets.flatMap(({ arrays }) => arrays), memoryBytes), snapshotBytes: checkpointBytes(checked.plan, spec.training) },
    plan: checked.plan,
    course: courseOf(spec.training, checked.trainSamples),
    totalUpdates: checked.totalUpdates,
    programKey: programKey(spec, checked.plan),
    specSha256: specSha256(spec),
  };
}

/** AppError invalid_data naming every tensor that is not the model's. */
async function pinFirstWeights({ path, fingerprint }: LocalFile, plan: ModelPlan): Promise<Pin> {
  const settled = await openSettled(path);
  const file = makeDataFile(settled.file, basename(path), FIRST_WEIGHTS);
  try {
    const problems = limitProblems(await naming(file, () => firstWeightsProblems(file, plan)));
    if (problems.length > 0) throw new AppError('invalid_data', problems.map(({ message }) => message).join('; '), { param: FIRST_WEIGHTS, details: problems });
    return pinFile(path, settled, fingerprint, [], FIRST_WEIGHTS);
  } finally {
    await file.close();
  }
}

/** The inputs, with what another job's checkpoint begins this one with. Errors of fetchBeginning and checkStateFiles. */
export async function beginWith(inputs: AttemptInputs, spec: JobSpec, store: Store, folder: string): Promise<AttemptInputs> {
  const { init } = spec.model;
  if (init === null || 'from' in init) return inputs;
  const { plan, course } = inputs;
  const begun = await fetchBeginning(store, init, { spec, plan, course, dataSha256: async () => (inputs.hashes([]) ?? (await inputs.readHashes())).data }, folder);
  const withInit = (own: InputHashes): InputHashes => ({ ...own, init: begun.sha256 });
  const all: AttemptInputs = {
    ...inputs,
    hashes(hashed) {
      const own = inputs.hashes(hashed);
      return own && withInit(own);
    },
    readHashes: async () => withInit(await inputs.readHashes()),
  };
  if (begun.include === 'weights') return { ...all, initFile: { path: await realpath(begun.file) } };
  await checkStateFiles(spec, plan, begun.files, begun.counters);
  return { ...all, initState: { counters: begun.counters, committed: false, files: begun.files } };
}

/**
 * What keeps these inputs from being those that the job began with: AppError data_changed; null if nothing does.
 * @param pins null before its first micro-batch
 * @param resumed whether it goes on from a checkpoint of its own
 */
export function differenceOf({ data, init }: InputHashes, pins: Inputs | null, resumed: boolean): AppError | null {
  if (pins === null) return null;
  if (pins.data_sha256 !== data) return new AppError('data_changed', `the data is not what the job began with (sha256 ${data.slice(0, 12)}…, was ${pins.data_sha256.slice(0, 12)}…)`, { param: 'data' });
  return resumed || pins.init_sha256 === init ? null : new AppError('data_changed', 'the first weights are not what the job began with', { param: 'model.init' });
}

/**
 * Why an attempt really fails: where a checkpoint or the data is found wrong before anybody has compared the data, it may be
 * other data that the checkpoint does not fit.
 */
export async function causeOf<Found extends { code: ErrorCode }>(found: Found, inputs: AttemptInputs, pins: Inputs | null, resumed: boolean): Promise<Found | AppError> {
  const isUncompared = pins !== null && inputs.hashes([]) === null;
  if (!isUncompared || (found.code !== 'checkpoint_corrupt' && found.code !== 'invalid_data')) return found;
  try {
    return differenceOf(await inputs.readHashes(), pins, resumed) ?? found;
  } catch (error) {
    return isAppError(error, 'data_changed') ? error : found;
  }
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
