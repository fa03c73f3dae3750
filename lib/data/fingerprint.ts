// The sha256 that data is known by: of a file's bytes, or of a built-in set's name, version and parameters. Hashing a large
// file takes seconds, so a process remembers the hashes of files that did not change. In constant memory.
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { AppError } from '../errors.js';
import { checkPassing } from './checksums.js';
import { makeDataFile } from './data-file.js';
import { DIGITS_VERSION } from './digits.js';
import { openSettled, type SettledFile } from './locations.js';
import type { ByteSource, ResolvedSource } from './source.js';
import { SYNTHETIC_VERSION } from './synthetic.js';

/** Of a file. */
export interface Fingerprint {
  /** Lower-case hexadecimal. */
  sha256: string;
  /** Of the file that has these bytes (SettledFile). */
  identity: string;
}

export function fingerprintBuiltin(source: Extract<ResolvedSource, { type: 'builtin' }>): string {
  const facts = source.name === 'digits' ? ['digits', DIGITS_VERSION] : ['synthetic', SYNTHETIC_VERSION, source.samples, source.shape, source.classes, source.seed];
  return createHash('sha256').update(JSON.stringify(['pawl/builtin', ...facts])).digest('hex');
}

/** Of several parts, in their order; of one, that part's own. */
export const joinedSha256 = (hashes: readonly string[]): string => (hashes.length === 1 ? hashes[0]! : createHash('sha256').update(hashes.join('\n')).digest('hex'));

export interface Hashing {
  /** The next bytes. */
  take(bytes: Uint8Array): void;
  /** After the last byte. AppError `invalid_data` where the checksum of a stored member is wrong. */
  sha256(): string;
}

/** Hashes a source while its bytes pass by. `members`: names of a zip's, to be checked by the way where they are stored. */
export async function beginHashing(source: ByteSource, members: readonly string[]): Promise<Hashing> {
  const check = await checkPassing(source, members);
  const hash = createHash('sha256');
  return {
    take(bytes) {
      hash.update(bytes);
      check.take(bytes);
    },
    sha256() {
      const [damaged] = check.damaged();
      if (damaged !== undefined) throw new AppError('invalid_data', `${source.name}, array ${JSON.stringify(damaged.replace(/\.npy$/, ''))}: its checksum is wrong: the file is damaged`, source.param === null ? {} : { param: source.param });
      return hash.digest('hex');
    },
  };
}

/** By the file's identity (path, device, number, size, times) and the members that were checked. The oldest goes first. */
const known = new Map<string, Promise<string>>();
const KNOWN_LIMIT = 64;
/** A file that changed less than this ago can change again without its times showing it. */
const UNSETTLED_MS = 2_000;

/**
 * Of a real path. AppError `data_missing`, `data_changed` where the file is written to meanwhile or lies elsewhere now, or
 * `invalid_data` where the checksum of one of the members is wrong.
 */
export async function fingerprintFile(path: string, members: readonly string[]): Promise<Fingerprint> {
  const settled = await openSettled(path);
  const { file, changedAtMs, identity } = settled;
  const key = JSON.stringify([identity, ...members]);
  try {
    const earlier = known.get(key);
    if (earlier !== undefined) return { sha256: await earlier, identity };
    const hash = hashOf(settled, path, members);
    const ageMs = Date.now() - changedAtMs;
    if (ageMs < UNSETTLED_MS) return { sha256: await hash, identity };
    known.set(key, hash);
    if (known.size > KNOWN_LIMIT) known.delete(known.keys().next().value!);
    try {
      return { sha256: await hash, identity };
    } catch (error) {
      known.delete(key);
      throw error;
    }
  } finally {
    await file.close();
  }
}

async function hashOf({ file, sizeBytes, identity }: SettledFile, path: string, members: readonly string[]): Promise<string> {
  const source = makeDataFile(file, basename(path));
  const hashing = await beginHashing(source, members);
  const piece = Buffer.allocUnsafeSlow(1024 * 1024);
  for (let position = 0; position < sizeBytes; ) {
    const filled = await source.readAt(piece, position);
    if (filled === 0) break;
    hashing.take(piece.subarray(0, filled));
    position += filled;
  }
  const after = await openSettled(path);
  await after.file.close();
  if (after.identity !== identity) throw new AppError('data_changed', `${source.name}: the data was written to while it was read`);
  return hashing.sha256();
}
