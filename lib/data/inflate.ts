// Decompression of hostile input: bytes of a source in pieces, through zlib, to a consumer that may stop at any time. Nothing
// is held beyond a few pieces, and no read of the source is under way afterwards.
import { Readable } from 'node:stream';
import { createGunzip, createInflateRaw, type Gunzip, type InflateRaw } from 'node:zlib';
import type { ByteSource } from './source.js';

/** Deflate needs at least one bit for 129 bytes: 1032 bytes a byte. https://zlib.net/zlib_tech.html */
export const MAX_DEFLATE_RATIO = 1032;
const PIECE_BYTES = 1024 * 1024;
const OUTPUT = { chunkSize: 256 * 1024 };

export type Consume = (pieces: AsyncIterable<Uint8Array>) => Promise<void>;

/** Bytes [start, end) in pieces. An Error if the source ends before. */
export async function* piecesOf(source: ByteSource, startBytes: number, endBytes: number): AsyncGenerator<Uint8Array, void> {
  for (let position = startBytes; position < endBytes; ) {
    const piece = new Uint8Array(Math.min(PIECE_BYTES, endBytes - position));
    const filled = await source.readAt(piece, position);
    if (filled === 0) throw new Error('the file ends inside it');
    position += filled;
    yield piece.subarray(0, filled);
  }
}

/** Deflated bytes without a header, as a zip's members are. */
export const inflateInto = (compressed: AsyncGenerator<Uint8Array, void>, consume: Consume): Promise<void> => through(createInflateRaw(OUTPUT), compressed, consume);

/**
 * A whole gzip file of so many bytes, whose checksum is compared once `consume` has taken everything. An Error says what is
 * wrong with it: damaged, cut, or followed by something else.
 */
export async function gunzipInto(compressed: AsyncGenerator<Uint8Array, void>, sizeBytes: number, consume: Consume): Promise<void> {
  const gunzip = createGunzip(OUTPUT);
  let ended = false;
  await through(gunzip, compressed, async (pieces) => {
    await consume(untilEnd(pieces, () => (ended = true)));
  });
  if (ended && gunzip.bytesWritten < sizeBytes) throw new Error(`${sizeBytes - gunzip.bytesWritten} bytes follow its gzip data`);
}

async function* untilEnd(pieces: AsyncIterable<Uint8Array>, atEnd: () => void): AsyncGenerator<Uint8Array, void> {
  try {
    yield* pieces;
  } catch (error) {
    throw inWords(error);
  }
  atEnd();
}

/** Zlib's own words are for programmers. */
function inWords(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'Z_BUF_ERROR') return new Error('its gzip data ends too early', { cause: error });
  return code?.startsWith('Z_') === true ? new Error(`its gzip data is damaged (${message})`, { cause: error }) : error;
}

/** Not stream.pipeline: that waits for a source which zlib no longer reads once its data has ended before the source does. */
async function through(engine: Gunzip | InflateRaw, compressed: AsyncGenerator<Uint8Array, void>, consume: Consume): Promise<void> {
  const source = Readable.from(compressed, { objectMode: false, highWaterMark: 1 });
  source.on('error', (error) => engine.destroy(error));
  try {
    await consume(source.pipe(engine));
  } finally {
    source.destroy();
    engine.destroy();
    await compressed.return(undefined); // no read of the source is under way afterwards
  }
}
