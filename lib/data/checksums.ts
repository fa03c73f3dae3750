// Checks arrays of a zip while the whole file passes by on its way into a hash: what is stored without compression may later
// be read sample by sample, and then nobody sees all of its bytes again.
import { crc32 } from 'node:zlib';
import { isAppError } from '../errors.js';
import { naming } from './naming.js';
import type { ByteSource } from './source.js';
import { openZip } from './zip.js';

export interface PassingCheck {
  /** The file's next bytes. */
  take(bytes: Uint8Array): void;
  /** After the last byte: the members whose checksum is wrong. */
  damaged(): string[];
}

/**
 * Of those of the members that are there and stored; of none if the file is no zip, which is for others to say. Rejects with
 * what the file's reads reject with, `data_missing` for the system's own: what was not read is not checked.
 */
export async function checkPassing(file: ByteSource, members: readonly string[]): Promise<PassingCheck> {
  const ranges = members.length === 0 ? [] : await naming(file, () => rangesOf(file, members)).catch(noneOfNoZip);
  const sums = ranges.map(() => 0);
  let position = 0;
  return {
    take(bytes) {
      ranges.forEach(({ start, end }, i) => {
        const part = bytes.subarray(Math.max(0, start - position), Math.max(0, end - position));
        if (part.length > 0) sums[i] = crc32(part, sums[i]);
      });
      position += bytes.length;
    },
    damaged: () => ranges.flatMap(({ name, checksum }, i) => (sums[i] === checksum ? [] : [name])),
  };
}

/** Where a member's bytes lie, and their checksum by the zip's directory. */
interface Range {
  name: string;
  start: number;
  end: number;
  checksum: number;
}

function noneOfNoZip(error: unknown): Range[] {
  if (isAppError(error, 'invalid_data')) return [];
  throw error;
}

async function rangesOf(file: ByteSource, names: readonly string[]): Promise<Range[]> {
  const zip = await openZip(file);
  const stored = zip.members.filter((member) => member.stored && names.includes(member.name));
  return Promise.all(
    stored.map(async (member) => {
      const start = await zip.locate(member);
      return { name: member.name, start, end: start + member.sizeBytes, checksum: zip.checksum(member) };
    }),
  );
}
