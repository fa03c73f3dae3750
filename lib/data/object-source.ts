// An object in a bucket as a source of bytes: read by range, a block at a time, always of the version that was there at
// first. For a look at headers and labels; samples of a training come from a copy on the worker's disk.
import { naming } from './naming.js';
import { addressOf, type DataObjects, type ObjectLocation, type ObjectPart } from './objects.js';
import type { ByteSource } from './source.js';

export interface ObjectSource extends ByteSource {
  object: ObjectLocation;
  etag: string;
  /** The same version, for more than one who asks: it names nobody's field, and this signal alone ends its reads. */
  shared(signal: AbortSignal): ObjectSource;
}

const BLOCK_BYTES = 256 * 1024;
/** Memory that a source takes: so many blocks. Enough that a zip's directory and what is read in order are asked for once. */
const MAX_BLOCKS = 16;

/** AppError as DataObjects.read, with `param`. `signal` ends every read of it. */
export async function openObject(objects: DataObjects, object: ObjectLocation, param: string, signal?: AbortSignal): Promise<ObjectSource> {
  const name = addressOf(object);
  const first = await naming({ name, param }, () => objects.read(object, 0, BLOCK_BYTES, { etag: null, signal }));
  return makeSource(objects, object, first, param, signal);
}

/** @param first the first block, and the version that it is of */
function makeSource(objects: DataObjects, object: ObjectLocation, first: ObjectPart, param: string | null, signal: AbortSignal | undefined): ObjectSource {
  const { etag, sizeBytes } = first;
  /** The one used longest ago comes first. */
  const blocks = new Map<number, Promise<Uint8Array>>([[0, Promise.resolve(first.bytes)]]);

  function block(number: number): Promise<Uint8Array> {
    const found = blocks.get(number) ?? objects.read(object, number * BLOCK_BYTES, Math.min((number + 1) * BLOCK_BYTES, sizeBytes), { etag, signal }).then(({ bytes }) => bytes);
    blocks.delete(number);
    blocks.set(number, found);
    found.catch(() => blocks.delete(number)); // may be asked for again
    if (blocks.size > MAX_BLOCKS) blocks.delete(blocks.keys().next().value!);
    return found;
  }

  return {
    object,
    etag,
    name: addressOf(object),
    param,
    sizeBytes,
    shared: (until) => makeSource(objects, object, first, null, until),
    async readAt(into, positionBytes) {
      const end = Math.min(positionBytes + into.length, sizeBytes);
      if (positionBytes >= end) return 0;
      const numbers = Array.from({ length: Math.ceil(end / BLOCK_BYTES) - Math.floor(positionBytes / BLOCK_BYTES) }, (_, i) => Math.floor(positionBytes / BLOCK_BYTES) + i);
      // at once, as far as they are kept
      for (let from = 0; from < numbers.length; from += MAX_BLOCKS) {
        const some = numbers.slice(from, from + MAX_BLOCKS);
        const read = await Promise.all(some.map(block));
        some.forEach((number, i) => {
          const start = number * BLOCK_BYTES;
          const part = read[i]!.subarray(Math.max(0, positionBytes - start), end - start);
          into.set(part, start + Math.max(0, positionBytes - start) - positionBytes);
        });
      }
      return end - positionBytes;
    },
    close: async () => blocks.clear(),
  };
}
