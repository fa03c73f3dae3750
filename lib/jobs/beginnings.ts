// Jobs that begin where another has been (model.init.job): which checkpoint that is, whether it fits, that it stays, and its files.
// A checkpoint is settled and pinned before the job is acknowledged, so what a job begins with can neither change nor go.
import { mkdir } from 'node:fs/promises';
import { parseSafetensorsHeader } from '../checkpoints/safetensors-header.js';
import type { BlobRef, Manifest, RetainedCommit } from '../contract/records.js';
import type { InitSpec, JobSpec } from '../contract/spec.js';
import { AppError, type Problem } from '../errors.js';
import type { ModelPlan } from '../model/plan.js';
import { checkState, expectedState, type ExpectedTensor } from '../model/slots.js';
import { type FileEntry, stateFiles } from '../model/state-files.js';
import type { Store } from '../store/index.js';
import type { Course } from '../training/course.js';
import { checkCursor, holdsWindow, planStep } from '../training/cursor.js';
import { startMonitor } from '../training/monitor.js';
import type { StateCounters, StateRole } from '../training/state.js';
import { topKOf } from '../training/window.js';
import { editHead, type HeadDeps, readHead } from './head.js';
import { loadRecord } from './record.js';
import { fetchBlob, loadManifest } from './restore.js';
import { commitOf, exportedWeights } from './weights.js';

/** An init that names another job. */
export type JobInit = Extract<InitSpec, { job: string }>;

const JOB = 'model.init.job';
const CHECKPOINT = 'model.init.checkpoint';

/** What a job may begin with. */
export interface Beginning {
  init: JobInit & { checkpoint: string };
  commit: RetainedCommit;
  manifest: Manifest;
  /** What the other job is. */
  spec: JobSpec;
}

/**
 * The checkpoint that is meant: the one that is named, else the result's, else the latest.
 * @throws AppError invalid_spec (no such job or checkpoint, or none yet), checkpoint_corrupt, store_unavailable
 */
export async function settleBeginning(store: Store, init: JobInit): Promise<Beginning> {
  const refuse = (param: string, message: string): AppError => new AppError('invalid_spec', message, { param });
  const record = await loadRecord(store, init.job);
  if (!record) throw refuse(JOB, `there is no job ${init.job}`);
  const { head } = await readHead({ store }, init.job);
  const commit = commitOf(head, init.checkpoint);
  if (!commit) throw init.checkpoint === null ? refuse(JOB, `the job ${init.job} has no checkpoint yet`) : refuse(CHECKPOINT, `checkpoint ${init.checkpoint} is not among the retained ones of ${init.job}`);
  return { init: { ...init, checkpoint: commit.id }, commit, manifest: await loadManifest(store, init.job, commit), spec: record.spec };
}

/**
 * What does not fit between a checkpoint and the job that is to begin there.
 * @param course null where the data is not known here
 */
export async function checkBeginning(store: Store, { init, commit, manifest, spec }: Beginning, { training }: Pick<JobSpec, 'training'>, plan: ModelPlan, course: Course | null): Promise<Problem[]> {
  const { cursor } = begunCounters(manifest);
  const files = stateFiles(expectedState(plan, training, holdsWindow(cursor)));
  const roles: StateRole[] = init.include === 'weights' ? ['weights'] : [...files.keys()];
  const problems: Problem[] = [];
  for (const role of roles) {
    const blob = init.include === 'weights' ? exportedWeights(commit) : commit.blobs.find((each) => each.role === role);
    const found = blob === undefined ? new Map<string, never>() : await namesIn(store, blob);
    for (const { message } of checkState(byName(files.get(role)!), found)) problems.push({ param: JOB, message });
  }
  if (init.include === 'state' && course !== null && ['restore_best', 'finished'].includes(planStep(cursor, course))) problems.push({ param: CHECKPOINT, message: 'the training is over at its place: there is nothing left to train' });
  if (init.include === 'state' && course !== null) problems.push(...checkCursor(cursor, course).map(({ param, message }) => ({ param: CHECKPOINT, message: `its place in the training is none of this one: ${param} ${message}; begin with its weights, or elsewhere` })));
  if (init.include === 'state') problems.push(...sumProblems(manifest, spec, training));
  return problems;
}

/** Sums of an epoch, or a window, that is half over: the rest of it is added to them, and has to be of the same kind. */
function sumProblems({ id, state: { window, epoch } }: Manifest, { training: before }: Pick<JobSpec, 'training'>, training: JobSpec['training']): Problem[] {
  if (window.micro_batches === 0 && epoch.micro_batches === 0) return [];
  const where = `because ${id} lies inside an epoch; or begin where one ends, or with its weights alone`;
  const problems: Problem[] = [];
  if (training.reduction !== before.reduction) problems.push({ param: 'training.reduction', message: `must be ${before.reduction}, as it was, ${where}` });
  const k = topKOf(before.metrics);
  if (topKOf(training.metrics) !== null && topKOf(training.metrics) !== k) problems.push({ param: 'training.metrics', message: `must have ${k === null ? 'no top_k_accuracy' : `top_k_accuracy with k ${k}`}, as before, ${where}` });
  return problems;
}

/** Lets a checkpoint stay as long as its job does. @throws AppError invalid_spec if it has gone meanwhile, store_unavailable */
export async function pinBeginning(deps: HeadDeps, { init }: Beginning): Promise<void> {
  await editHead(deps, init.job, (head) => {
    if (!head.retained.some(({ id }) => id === init.checkpoint)) throw new AppError('invalid_spec', `checkpoint ${init.checkpoint} of ${init.job} has been dropped meanwhile`, { param: CHECKPOINT });
    return head.pins.includes(init.checkpoint) ? head : { ...head, pins: [...head.pins, init.checkpoint] };
  });
}

export type FetchedBeginning =
  | { include: 'weights'; file: string; sha256: string }
  /** The whole state, where the training goes on. */
  | { include: 'state'; files: Partial<Record<StateRole, string>>; counters: StateCounters; sha256: string };

/**
 * The files of a settled beginning, verified, in a folder of their own.
 * @param begun what the new job is
 * @throws AppError data_missing (the job is not in this store), invalid_data (its place, or its data, is not that of the new job), checkpoint_corrupt, store_unavailable
 */
export async function fetchBeginning(store: Store, init: JobInit, begun: { spec: Pick<JobSpec, 'training'>; plan: ModelPlan; dataSha256(): Promise<string>; course: Course }, folder: string): Promise<FetchedBeginning> {
  const { commit, manifest } = await settleBeginning(store, init).catch((error: unknown) => {
    throw error instanceof AppError && error.code === 'invalid_spec' ? new AppError('data_missing', error.message, { param: error.param ?? JOB, cause: error }) : error;
  });
  await mkdir(folder, { recursive: true });
  if (init.include === 'weights') {
    const blob = exportedWeights(commit)!;
    return { include: 'weights', file: await fetchBlob(store, commit, blob, folder), sha256: blob.sha256 };
  }
  if (manifest.data_sha256 !== (await begun.dataSha256())) throw new AppError('invalid_data', `the state of ${init.job} belongs to other data; only its weights can be begun with (include: "weights")`, { param: JOB });
  const counters = begunCounters(manifest);
  const [problem] = checkCursor(counters.cursor, begun.course);
  if (problem !== undefined) throw new AppError('invalid_data', `the place of ${commit.id} in its training is none of this one: ${problem.param} ${problem.message}`, { param: CHECKPOINT });
  const files: Partial<Record<StateRole, string>> = {};
  const wanted = stateFiles(expectedState(begun.plan, begun.spec.training, holdsWindow(counters.cursor)));
  for (const blob of commit.blobs) if (blob.role !== 'state' && wanted.has(blob.role)) files[blob.role] = await fetchBlob(store, commit, blob, folder);
  return { include: 'state', files, counters, sha256: commit.manifest_sha256 };
}

/** Of the new job: what an earlier one watched, and how it ended, is not its own. */
const begunCounters = ({ state }: Manifest): StateCounters => ({ ...state, last_epoch: null, monitor: startMonitor(), cursor: { ...state.cursor, stopped: false, restored: false } });

const byName = (entries: readonly FileEntry[]): Map<string, Pick<ExpectedTensor, 'dtype' | 'shape'>> => new Map(entries.map((entry) => [entry.name, entry]));

/** Names, types and shapes of a blob's tensors, by its header alone. */
async function namesIn(store: Pick<Store, 'get'>, blob: BlobRef): Promise<Map<string, { dtype: string; shape: readonly number[] }>> {
  const read = async (end: number): Promise<Buffer> => {
    const stored = await store.get(blob.key, { range: { start: 0, end: Math.min(end, blob.bytes) - 1 } });
    if (!stored) throw new AppError('checkpoint_corrupt', `${blob.key} is missing`, { param: CHECKPOINT });
    return stored.body;
  };
  const head = await read(8);
  const whole = await read(8 + Number(head.readBigUInt64LE(0)));
  return new Map(parseSafetensorsHeader(whole, blob.bytes).entries.map((entry) => [entry.name, entry]));
}
