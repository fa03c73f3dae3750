// Ids that follow from what they are for: whoever makes one makes the same. Pure.
import { createHash } from 'node:crypto';
import { encodeTime } from 'ulid';

/** Crockford's base 32, as in a ULID, in lower case and in byte order. */
export const ULID_ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** A time and 80 bits of a text's hash, in the form of a ULID: byte order is the order of the times. */
export function derivedUlid(ms: number, text: string): string {
  const digest = createHash('sha256').update(text).digest();
  return `${encodeTime(ms, 10).toLowerCase()}${Array.from(digest.subarray(0, 16), (byte) => ULID_ALPHABET[byte & 31]).join('')}`;
}
