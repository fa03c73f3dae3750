// Finding the state to continue from: the newest retained commit whose state verifies to the last byte, else the one
// before, loudly. Rows and events are no part of it. Quarantines what does not verify, overwrites nothing.
import { createHash } from 'node:crypto';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlobRef, Head, Manifest, RetainedCommit } from '../contract/records.js';
import { AppError, isAppError, messageOf } from '../errors.js';
import { WHOLE_BYTES } from '../store/body.js';
import type { Store } from '../store/index.js';
import { holdsWindow } from '../training/cursor.js';
import { STATE_ROLES, type StateRole } from '../training/state.js';
import { readHashed, READS } from './history.js';
import { parseManifest } from './rebuild.js';
import { readPieces } from './weights.js';

/** Of a large blob, at once in memory. */
const FETCH_BYTES = 16 << 20;

/** What the job says a state of it must be; `check` throws naming what is wrong with a file's names, shapes or types. */
export interface StateExpectation {
  job: string;
  specSha256: string;
  /** Null before the first attempt pinned it. */
  dataSha256: string | null;
  accumIters: number;
  check: (files: Partial<Record<StateRole, string>>, state: Manifest['state']) => Promise<void>;
}

export interface RestoredState {
  commit: RetainedCommit;
  manifest: Manifest;
  /** Verified copies, in the folder given. */
  files: Partial<Record<StateRole, string>>;
}

export interface RestoreOutcome {
  restored: RestoredState | null;
  /** Commits that failed, newest first, with why. */
  corrupt: { manifest: string; id: string; microBatches: number; message: string }[];
}

/** Reads a retained commit's manifest and compares it with what HEAD says of it. @throws AppError checkpoint_corrupt */
export async function loadManifest(store: Pick<Store, 'get'>, job: string, commit: RetainedCommit): Promise<Manifest> {
  const stored = await readHashed(store, commit.manifest, commit.manifest_sha256);
  if (!stored) throw new AppError('checkpoint_corrupt', `manifest ${commit.manifest} is missing`);
  if (!stored.whole) throw new AppError('checkpoint_corrupt', `manifest ${commit.manifest} is damaged`);
  const manifest = parseManifest(commit.manifest, stored.body);
  if (manifest.job !== job || manifest.seq !== commit.seq) throw new AppError('checkpoint_corrupt', `manifest ${commit.manifest} belongs to ${manifest.job} seq ${manifest.seq}`);
  return manifest;
}

/** A blob of a commit as a file of a folder, verified; the file's path. @throws AppError checkpoint_corrupt */
export async function fetchBlob(store: Pick<Store, 'get'>, commit: RetainedCommit, blob: BlobRef, folder: string): Promise<string> {
  const path = join(folder, `resume.${blob.role}.safetensors`);
  if (blob.bytes > WHOLE_BYTES) {
    await fetchInPieces(store, commit, blob, path);
    return path;
  }
  const stored = await readHashed(store, blob.key, blob.sha256);
  if (!stored) throw new AppError('checkpoint_corrupt', `${commit.id}: ${blob.role} (${blob.key}) is missing`);
  if (stored.body.length !== blob.bytes) throw new AppError('checkpoint_corrupt', `${commit.id}: ${blob.role} has ${stored.body.length} bytes, not ${blob.bytes}`);
  if (!stored.whole) throw new AppError('checkpoint_corrupt', `${commit.id}: ${blob.role} does not match its sha256`);
  await writeFile(path, stored.body);
  return path;
}

/** The same of a blob that is not to be held in memory; as there, it is read again before it counts as damaged. */
async function fetchInPieces(store: Pick<Store, 'get'>, commit: RetainedCommit, blob: BlobRef, path: string): Promise<void> {
  for (let reads = 1; ; reads++) {
    const hash = createHash('sha256');
    const file = await open(path, 'w');
    try {
      for await (const piece of readPieces(store, blob, 0, blob.bytes - 1, { pieceBytes: FETCH_BYTES })) {
        hash.update(piece);
        await file.writeFile(piece);
      }
    } finally {
      await file.close();
    }
    if (hash.digest('hex') === blob.sha256) return;
    if (reads === READS) throw new AppError('checkpoint_corrupt', `${commit.id}: ${blob.role} does not match its sha256`);
  }
}

async function verify(store: Pick<Store, 'get'>, expected: StateExpectation, commit: RetainedCommit, folder: string): Promise<RestoredState> {
  const manifest = await loadManifest(store, expected.job, commit);
  const { cursor, window } = manifest.state;
  const windowOpen = holdsWindow(cursor);
  if (cursor.window_position >= expected.accumIters || window.micro_batches !== (windowOpen ? cursor.window_position : 0))
    throw new AppError('checkpoint_corrupt', `${commit.id}: cursor and window disagree (window_position ${cursor.window_position}, ${window.micro_batches} micro-batches summed)`);
  if (manifest.spec_sha256 !== expected.specSha256) throw new AppError('checkpoint_corrupt', `${commit.id} belongs to another spec`);
  if (expected.dataSha256 !== null && manifest.data_sha256 !== expected.dataSha256) throw new AppError('checkpoint_corrupt', `${commit.id} belongs to other data`);
  const roles = manifest.blobs.map((blob) => blob.role);
  if (roles.includes('window') !== windowOpen) throw new AppError('checkpoint_corrupt', `${commit.id}: ${windowOpen ? 'an open window without its gradients' : 'gradients without an open window'}`);

  const files: Partial<Record<StateRole, string>> = {};
  for (const blob of manifest.blobs) {
    if (!(STATE_ROLES as readonly string[]).includes(blob.role)) continue;
    files[blob.role as StateRole] = await fetchBlob(store, commit, blob, folder);
  }
  await expected.check(files, manifest.state);
  return { commit, manifest, files };
}

/**
 * @returns the newest state that verifies, or `restored: null` where no commit was ever made
 * @throws AppError checkpoint_corrupt if there are commits and none verifies; store_unavailable
 */
export async function restoreState(store: Pick<Store, 'get'>, head: Head, expected: StateExpectation, folder: string): Promise<RestoreOutcome> {
  const corrupt: RestoreOutcome['corrupt'] = [];
  for (const commit of [...head.retained].reverse()) {
    try {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true });
      return { restored: await verify(store, expected, commit, folder), corrupt };
    } catch (error) {
      if (!isAppError(error, 'checkpoint_corrupt')) throw error;
      corrupt.push({ manifest: commit.manifest, id: commit.id, microBatches: commit.micro_batches, message: messageOf(error) });
    }
  }
  if (head.seq > 0) throw new AppError('checkpoint_corrupt', corrupt[0] ? `no retained checkpoint verifies; the newest: ${corrupt[0].message}` : 'the job has commits but none is retained');
  return { restored: null, corrupt };
}
