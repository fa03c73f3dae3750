// The sha256 that a source's data is known by: of the file's bytes, or of a built-in set's name, version and parameters.
// Hashing a large file takes seconds, so a process remembers the hashes of files that did not change.
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { AppError } from '../errors.js';
import { DIGITS_VERSION } from './digits.js';
import { openSettled } from './locations.js';
import type { ResolvedSource } from './source.js';
import { SYNTHETIC_VERSION } from './synthetic.js';

/** Lower-case hexadecimal. AppError `data_missing`, or `data_changed` where the file is written to meanwhile or lies elsewhere now. */
export async function fingerprintSource(source: ResolvedSource): Promise<string> {
  if (source.type === 'npz') return fingerprintFile(source.path);
  const facts = source.name === 'digits' ? ['digits', DIGITS_VERSION] : ['synthetic', SYNTHETIC_VERSION, source.samples, source.shape, source.classes, source.seed];
  return createHash('sha256').update(JSON.stringify(['pawl/builtin', ...facts])).digest('hex');
}

/** By the file's identity (path, device, number, size, times). The oldest goes first. */
const known = new Map<string, Promise<string>>();
const KNOWN_LIMIT = 64;
/** A file that changed less than this ago can change again without its times showing it. */
const UNSETTLED_MS = 2_000;

async function fingerprintFile(path: string): Promise<string> {
  const { file, identity, changedAtMs } = await openSettled(path);
  try {
    const earlier = known.get(identity);
    if (earlier !== undefined) return await earlier;
    const hash = hashOf(file, path, identity);
    const ageMs = Date.now() - changedAtMs;
    if (ageMs < UNSETTLED_MS) return await hash;
    known.set(identity, hash);
    if (known.size > KNOWN_LIMIT) known.delete(known.keys().next().value!);
    try {
      return await hash;
    } catch (error) {
      known.delete(identity);
      throw error;
    }
  } finally {
    await file.close();
  }
}

async function hashOf(file: FileHandle, path: string, identity: string): Promise<string> {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafeSlow(1024 * 1024);
  for (let position = 0; ; ) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, position);
    if (bytesRead === 0) break;
    hash.update(chunk.subarray(0, bytesRead));
    position += bytesRead;
  }
  const after = await openSettled(path);
  await after.file.close();
  if (after.identity !== identity) throw new AppError('data_changed', 'the data was written to while it was read');
  return hash.digest('hex');
}
