// Hashes of bytes in memory. (Streams, canonical JSON and keys are hashed where they are made.)
import { createHash } from 'node:crypto';

/** Bytes hashed before other work of the process gets its turn. */
const SLICE = 4 << 20;

/** In hex. */
export const sha256Of = (body: Uint8Array): string => createHash('sha256').update(body).digest('hex');

/** The same, of bytes that may be many: other work of the process gets its turn between. */
export async function sha256Slowly(body: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < body.length; at += SLICE) {
    hash.update(body.subarray(at, at + SLICE));
    if (at + SLICE < body.length) await new Promise((resolve) => setImmediate(resolve));
  }
  return hash.digest('hex');
}
