// What an object is made of, in pieces: bytes in memory as they are, a file read piece by piece.
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { AppError } from '../errors.js';
import { sha256Slowly } from '../sha256.js';
import type { Body, FileBody } from './index.js';

/** A blob up to this size is held in memory as a whole; a larger one is read, sent and fetched in pieces. */
export const WHOLE_BYTES = 64 << 20;
/** Hashed before other work of the process gets its turn. */
const HASH_BYTES = 4 << 20;

export const isFile = (body: Body): body is FileBody => !(body instanceof Uint8Array);

export const sizeOf = (body: Body): number => (isFile(body) ? body.sizeBytes : body.byteLength);

/** Pieces of at most `pieceBytes`, each valid until the next one is asked for. @throws AppError internal_error: a file that is not what it was said to be is no failure of the store */
export async function* piecesOf(body: Body, pieceBytes: number): AsyncGenerator<Uint8Array, void, void> {
  if (!isFile(body)) {
    for (let at = 0; at < body.byteLength; at += pieceBytes) yield body.subarray(at, at + pieceBytes);
    return;
  }
  const { path, sizeBytes } = body;
  const wrong = (why: string, cause?: unknown): AppError => new AppError('internal_error', `${path} cannot be read to its end (${sizeBytes} bytes): ${why}`, { cause });
  const file = await open(path, 'r').catch((error: unknown) => {
    throw wrong('it cannot be opened', error);
  });
  try {
    const buffer = Buffer.allocUnsafeSlow(Math.min(pieceBytes, sizeBytes));
    for (let at = 0; at < sizeBytes; ) {
      const size = Math.min(buffer.length, sizeBytes - at);
      for (let filled = 0; filled < size; ) {
        const { bytesRead } = await file.read(buffer, filled, size - filled, at + filled).catch((error: unknown) => {
          throw wrong(`byte ${at + filled}`, error);
        });
        if (bytesRead === 0) throw wrong(`it ends at byte ${at + filled}`);
        filled += bytesRead;
      }
      yield buffer.subarray(0, size);
      at += size;
    }
  } finally {
    await file.close();
  }
}

/** All of it in memory: of what has at most WHOLE_BYTES. Errors of piecesOf */
export async function wholeOf(body: Body): Promise<Uint8Array> {
  for await (const piece of piecesOf(body, Math.max(1, sizeOf(body)))) return piece;
  return new Uint8Array();
}

/** In hex; other work of the process gets its turn between. */
export async function sha256OfBody(body: Body): Promise<string> {
  if (!isFile(body)) return sha256Slowly(body);
  const hash = createHash('sha256');
  for await (const piece of piecesOf(body, HASH_BYTES)) hash.update(piece);
  return hash.digest('hex');
}
