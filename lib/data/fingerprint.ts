// The sha256 that data is known by: of a file's bytes, or of a built-in set's name, version and parameters. A file is hashed
// while its bytes pass by on their way to somebody (pinned-file.ts, or a copy that is being made); that takes seconds for a
// large one, so a process remembers the hashes of files that did not change.
import { createHash } from 'node:crypto';
import { AppError } from '../errors.js';
import { checkPassing } from './checksums.js';
import { DIGITS_VERSION } from './digits.js';
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

/** Hashes a source while its bytes pass by. `members`: names of a zip's, to be checked by the way where they are stored. Errors of checkPassing. */
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
const known = new Map<string, string>();
const KNOWN_LIMIT = 64;
const keyOf = (identity: string, members: readonly string[]): string => JSON.stringify([identity, ...members]);

/** Null where it has to be computed. */
export const recallSha256 = (identity: string, members: readonly string[]): string | null => known.get(keyOf(identity, members)) ?? null;

/** For a file that nobody has been writing to: see isAtRest. */
export function rememberSha256({ identity, sha256 }: Fingerprint, members: readonly string[]): void {
  known.set(keyOf(identity, members), sha256);
  if (known.size > KNOWN_LIMIT) known.delete(known.keys().next().value!);
}
