// Checks arrays of a zip while the whole file passes by on its way into a hash: what is stored without compression may later
// be read sample by sample, and then nobody sees all of its bytes again.
import { crc32 } from 'node:zlib';
import type { ByteSource } from './source.js';
import { openZip } from './zip.js';

export interface PassingCheck {
  /** The file's next bytes. */
  take(bytes: Uint8Array): void;
  /** After the last byte: the members whose checksum is wrong. */
  damaged(): string[];
}

/** Of those of the members that are there and stored; of none if the file is no zip, which is for others to say. */
export async function checkPassing(file: ByteSource, members: readonly string[]): Promise<PassingCheck> {
  const ranges = members.length === 0 ? [] : await rangesOf(file, members).catch(() => []);
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

async function rangesOf(file: ByteSource, names: readonly string[]): Promise<{ name: string; start: number; end: number; checksum: number }[]> {
  const zip = await openZip(file);
  const stored = zip.members.filter((member) => member.stored && names.includes(member.name));
  return Promise.all(
    stored.map(async (member) => {
      const start = await zip.locate(member);
      return { name: member.name, start, end: start + member.sizeBytes, checksum: zip.checksum(member) };
    }),
  );
}
