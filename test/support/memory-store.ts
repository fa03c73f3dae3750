// A store in memory: the verbs of lib/store/index.ts over a Map, each at once.
import { readFile } from 'node:fs/promises';
import type { Store } from '../../lib/store/index.js';

export interface MemoryStore extends Store {
  objects: Map<string, { body: Buffer; etag: string }>;
}

export function makeMemoryStore(): MemoryStore {
  const objects = new Map<string, { body: Buffer; etag: string }>();
  let tags = 0;
  const write = (key: string, body: Uint8Array): string => {
    const etag = String(++tags);
    objects.set(key, { body: Buffer.from(body), etag });
    return etag;
  };
  const infoOf = (key: string, { body, etag }: { body: Buffer; etag: string }) => ({ key, etag, sizeBytes: body.length, modifiedAt: new Date(0) });
  const matching = (prefix: string, after: string, limit: number): string[] => [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort().slice(0, limit);
  return {
    objects,
    description: 'memory:',
    get: async (key, { range } = {}) => {
      const found = objects.get(key);
      return found ? { ...found, body: range ? found.body.subarray(range.start, range.end + 1) : found.body } : null;
    },
    head: async (key) => {
      const found = objects.get(key);
      return found ? infoOf(key, found) : null;
    },
    confirm: async () => undefined,
    put: async (key, body) => ({ etag: write(key, body instanceof Uint8Array ? body : await readFile(body.path)) }),
    putIfAbsent: async (key, body) => (objects.has(key) ? { created: false } : { created: true, etag: write(key, body) }),
    compareAndSwap: async (key, body, etag) => (objects.get(key)?.etag === etag ? { swapped: true, etag: write(key, body) } : { swapped: false }),
    async *list(prefix, { after = '', limit = Infinity } = {}) {
      for (const key of matching(prefix, after, limit)) yield infoOf(key, objects.get(key)!);
    },
    async *keys(prefix, { after = '', limit = Infinity } = {}) {
      yield* matching(prefix, after, limit);
    },
    delete: async (key) => void objects.delete(key),
    brokenBy: () => null,
    close: () => Promise.resolve(),
  };
}
