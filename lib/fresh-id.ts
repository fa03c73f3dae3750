// Ids that nobody else makes: the time, and 80 random bits.
import { randomFillSync } from 'node:crypto';
import { ulid } from 'ulid';

/** Asking the system for random bytes costs as much for one as for many, and an id takes sixteen of them. */
const pool = new Uint8Array(4_096);
let used = pool.length;

/** From 0 to below 1, in steps of 1/256: each character of a ULID takes five bits. */
export function idRandom(): number {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  return pool[used++]! / 256;
}

/** A ULID in lower case: byte order is the order of the times, within a millisecond any. */
export const freshUlid = (): string => ulid(undefined, idRandom).toLowerCase();
