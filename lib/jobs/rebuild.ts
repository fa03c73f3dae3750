// Reading HEAD and manifests as untrusted bytes, and making a HEAD anew from the commits where it is gone: never starting afresh
// where work was done. While a fleet is upgraded, older processes read what newer ones wrote: what they know of it has to be right,
// and what they do not know is left as it is.
import Type, { type TSchema, type TUnsafe } from 'typebox';
import { Compile } from 'typebox/compile';
import { Head, Manifest, type RetainedCommit } from '../contract/records.js';
import { AppError, isAppError } from '../errors.js';
import { sha256Of } from '../sha256.js';
import type { Store } from '../store/index.js';
import { emptyHead } from './lifecycle.js';
import { commitsPrefix } from './names.js';

const headSchema = Compile(open<Head>(Head));
const manifestSchema = Compile(open<Manifest>(Manifest));

/** The schema, but that its objects may have more fields than it names. */
function open<T>(schema: TSchema): TUnsafe<T> {
  const copied = JSON.parse(JSON.stringify(schema), (name, value: unknown) => (name === 'additionalProperties' && value === false ? undefined : value)) as TSchema;
  return Type.Unsafe<T>(copied);
}

function parseJson(what: string, body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')) as unknown;
  } catch (error) {
    throw new AppError('checkpoint_corrupt', `${what} is not JSON`, { cause: error });
  }
}

/** @throws AppError checkpoint_corrupt naming what is wrong */
export function parseHead(job: string, body: Uint8Array): Head {
  const value = parseJson(`HEAD of ${job}`, body);
  if (headSchema.Check(value)) return value;
  throw new AppError('checkpoint_corrupt', `HEAD of ${job} is malformed: ${headSchema.Errors(value)[0]?.message ?? 'unknown'}`);
}

/** @throws AppError checkpoint_corrupt naming what is wrong */
export function parseManifest(key: string, body: Uint8Array): Manifest {
  const value = parseJson(`manifest ${key}`, body);
  if (manifestSchema.Check(value)) return value;
  throw new AppError('checkpoint_corrupt', `manifest ${key} is malformed: ${manifestSchema.Errors(value)[0]?.message ?? 'unknown'}`);
}

/** What HEAD says of a commit. */
export function retainedCommit(key: string, body: Uint8Array, manifest: Manifest): RetainedCommit {
  const { cursor } = manifest.state;
  return {
    id: manifest.id,
    seq: manifest.seq,
    manifest: key,
    manifest_sha256: sha256Of(body),
    micro_batches: cursor.micro_batches,
    updates: cursor.updates,
    window_position: cursor.window_position,
    committed_at: manifest.committed_at,
    best: manifest.best,
    bytes: manifest.blobs.reduce((sum, blob) => sum + blob.bytes, 0),
    bytes_written: manifest.bytes_written,
    blobs: manifest.blobs,
  };
}

/** Commits read back where HEAD is gone; more are not needed, since only the last few still have their blobs. */
const REBUILD_COMMITS = 16;

/**
 * HEAD for a job that has commits and no HEAD: at the highest fence and seq seen, all newest commits offered to
 * verification. Null where there are no commits.
 */
export async function rebuildHead(store: Pick<Store, 'list' | 'get'>, job: string): Promise<Head | null> {
  const keys: string[] = [];
  for await (const info of store.list(commitsPrefix(job))) keys.push(info.key);
  if (keys.length === 0) return null;
  const head = emptyHead();
  const retained: RetainedCommit[] = [];
  let newest: Manifest | null = null;
  for (const key of keys) {
    const match = /(\d+)-(\d+)-[^/]+\.json$/.exec(key);
    if (!match) continue;
    head.seq = Math.max(head.seq, Number(match[1]));
    head.fence = Math.max(head.fence, Number(match[2]));
  }
  for (const key of keys.slice(-REBUILD_COMMITS)) {
    try {
      const stored = await store.get(key);
      if (!stored) continue;
      const manifest = parseManifest(key, stored.body);
      retained.push(retainedCommit(key, stored.body, manifest));
      newest = manifest;
    } catch (error) {
      if (!isAppError(error, 'checkpoint_corrupt')) throw error;
      head.quarantined.push(key);
    }
  }
  const last = retained.at(-1);
  if (!newest || !last) return { ...head, reason: 'checkpoint_corrupt', message: 'HEAD is gone and no commit is readable' };
  return {
    ...head,
    gen: newest.gen,
    manifest: last.manifest,
    manifest_sha256: last.manifest_sha256,
    retained,
    started_at: newest.committed_at,
    reason: 'checkpoint_corrupt',
    message: 'HEAD was gone; rebuilt from its commits',
    counters: { ...head.counters, events: newest.events.at(-1)?.last ?? 0, attempts: head.fence, executed_micro_batches: last.micro_batches },
    inputs: { data_sha256: newest.data_sha256, init_sha256: null, numerics_class: newest.numerics_class, engine: newest.numerics_class.split(' ')[0]!, train_samples: null, mixed: false },
  };
}
