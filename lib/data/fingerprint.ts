// The sha256 that a source's data is known by: of the file's bytes, or of a built-in set's name, version and parameters.
// Hashing a large file takes seconds, so a process remembers the hashes of files that did not change. In constant memory.
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { AppError } from '../errors.js';
import { checkPassing } from './checksums.js';
import { DIGITS_VERSION } from './digits.js';
import { openSettled, type SettledFile } from './locations.js';
import type { ResolvedSource } from './source.js';
import { SYNTHETIC_VERSION } from './synthetic.js';

/**
 * Lower-case hexadecimal. AppError `data_missing`, `data_changed` where the file is written to meanwhile or lies elsewhere
 * now, or `invalid_data` where the checksum of an array that is stored in it is wrong.
 */
export async function fingerprintSource(source: ResolvedSource): Promise<string> {
  if (source.type === 'npz') return fingerprintFile(source.path, [source.x, source.y]);
  const facts = source.name === 'digits' ? ['digits', DIGITS_VERSION] : ['synthetic', SYNTHETIC_VERSION, source.samples, source.shape, source.classes, source.seed];
  return createHash('sha256').update(JSON.stringify(['pawl/builtin', ...facts])).digest('hex');
}

/** By the file's identity (path, device, number, size, times) and the arrays that were checked. The oldest goes first. */
const known = new Map<string, Promise<string>>();
const KNOWN_LIMIT = 64;
/** A file that changed less than this ago can change again without its times showing it. */
const UNSETTLED_MS = 2_000;

async function fingerprintFile(path: string, arrays: readonly string[]): Promise<string> {
  const settled = await openSettled(path);
  const { file, changedAtMs } = settled;
  const key = JSON.stringify([settled.identity, ...arrays]);
  try {
    const earlier = known.get(key);
    if (earlier !== undefined) return await earlier;
    const hash = hashOf(settled, path, arrays);
    const ageMs = Date.now() - changedAtMs;
    if (ageMs < UNSETTLED_MS) return await hash;
    known.set(key, hash);
    if (known.size > KNOWN_LIMIT) known.delete(known.keys().next().value!);
    try {
      return await hash;
    } catch (error) {
      known.delete(key);
      throw error;
    }
  } finally {
    await file.close();
  }
}

async function hashOf({ file, sizeBytes, identity }: SettledFile, path: string, arrays: readonly string[]): Promise<string> {
  const check = await checkPassing(file, sizeBytes, arrays.map((array) => `${array}.npy`));
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafeSlow(1024 * 1024);
  for (let position = 0; ; ) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, position);
    if (bytesRead === 0) break;
    const bytes = chunk.subarray(0, bytesRead);
    hash.update(bytes);
    check.take(bytes);
    position += bytesRead;
  }
  const after = await openSettled(path);
  await after.file.close();
  if (after.identity !== identity) throw new AppError('data_changed', 'the data was written to while it was read');
  const [damaged] = check.damaged();
  if (damaged !== undefined) throw new AppError('invalid_data', `${basename(path)}, array ${JSON.stringify(damaged.replace(/\.npy$/, ''))}: its checksum is wrong: the file is damaged`);
  return hash.digest('hex');
}
