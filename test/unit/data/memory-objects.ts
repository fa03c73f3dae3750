// Test-only: objects in memory, as a bucket holds them, that can be replaced, held back and counted.
import { createHash } from 'node:crypto';
import { addressOf, type DataObjects, type ObjectLocation } from '../../../lib/data/objects.js';
import { AppError } from '../../../lib/errors.js';

export interface MemoryObjects extends DataObjects {
  /** By address. */
  objects: Record<string, Uint8Array>;
  /** Ranges that were asked for. */
  reads: { address: string; startBytes: number; endBytes: number }[];
  /** Awaited before an answer; may reject. */
  gate: (address: string, startBytes: number) => Promise<void>;
}

export function memoryObjects(objects: Record<string, Uint8Array>): MemoryObjects {
  const made: MemoryObjects = {
    objects,
    reads: [],
    gate: () => Promise.resolve(),
    async read(object: ObjectLocation, startBytes, endBytes, { etag, signal }) {
      const address = addressOf(object);
      made.reads.push({ address, startBytes, endBytes });
      let cancel = (): void => undefined;
      const cancelled = new Promise<never>((_, reject) => (cancel = () => reject(new AppError('data_missing', `${address}: cancelled`))));
      if (signal?.aborted) cancel();
      signal?.addEventListener('abort', cancel);
      await Promise.race([made.gate(address, startBytes), cancelled]).finally(() => signal?.removeEventListener('abort', cancel));
      const bytes = made.objects[address];
      if (bytes === undefined) throw new AppError('data_missing', `${address}: there is no such object`);
      const found = createHash('md5').update(bytes).digest('hex');
      if (etag !== null && etag !== found) throw new AppError('data_changed', `${address} was replaced while it was read`);
      return { bytes: bytes.slice(startBytes, endBytes), etag: found, sizeBytes: bytes.length };
    },
    close: () => Promise.resolve(),
  };
  return made;
}
