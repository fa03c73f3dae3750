// The probe against stores that break one promise each.

import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { AppError } from '../../../lib/errors.js';
import { makeFileStore } from '../../../lib/store/file.js';
import type { Store } from '../../../lib/store/index.js';
import { probeStore } from '../../../lib/store/probe.js';
import { keysOf } from '../../integration/store/conformance.js';
import { makeTempDir, type TempDir } from '../../support/temp.js';

let folder: TempDir;
let store: Store;

beforeEach(async () => {
  folder = await makeTempDir('probe');
  store = await makeFileStore({ root: folder.path });
});
afterEach(() => folder.remove());

/** A swap that does not look at the tag. */
const swapBlindly: Store['compareAndSwap'] = async (key, body) => {
  for (;;) {
    const current = await store.head(key);
    const outcome = current === null ? await store.putIfAbsent(key, body) : await store.compareAndSwap(key, body, current.etag);
    if ('etag' in outcome) return { swapped: true, etag: outcome.etag };
  }
};

/** A create that does not look whether something is there. */
const createBlindly: Store['putIfAbsent'] = async (key, body) => {
  if (!key.endsWith('HEAD')) return { created: true, ...(await store.put(key, body)) };
  const outcome = await swapBlindly(key, body, '');
  return outcome.swapped ? { created: true, etag: outcome.etag } : { created: false };
};

const lies: Record<string, { lie: () => Partial<Store>; reason: RegExp }> = {
  'ignores conditions': {
    lie: () => ({ putIfAbsent: createBlindly, compareAndSwap: swapBlindly }),
    reason: /8 were told that they had won/,
  },
  'ignores the condition of creates only': { lie: () => ({ putIfAbsent: createBlindly }), reason: /racing creates/ },
  'ignores the condition of swaps only': { lie: () => ({ compareAndSwap: swapBlindly }), reason: /stale tag was accepted/ },
  'refuses every swap': {
    lie: () => ({ compareAndSwap: async () => ({ swapped: false }) }),
    reason: /right tag was refused/,
  },
  'looks first and writes later': {
    lie: () => ({
      putIfAbsent: async (key, body) => ((await store.head(key)) === null ? createBlindly(key, body) : { created: false }),
    }),
    reason: /racing creates/,
  },
  'compares first and swaps later': {
    lie: () => ({
      compareAndSwap: async (key, body, etag) =>
        (await store.head(key))?.etag === etag ? swapBlindly(key, body, etag) : { swapped: false },
    }),
    reason: /racing swaps/,
  },
  'says no to a create that it stores': {
    lie: () => ({
      putIfAbsent: async (key, body) => {
        const created = await store.putIfAbsent(key, body);
        if (!created.created) await createBlindly(key, body);
        return created;
      },
    }),
    reason: /not the one that was stored/,
  },
  'creates what is to be swapped': {
    lie: () => ({
      compareAndSwap: async (key, body, etag) =>
        (await store.head(key)) === null ? swapBlindly(key, body, etag) : store.compareAndSwap(key, body, etag),
    }),
    reason: /created what was not there/,
  },
  'reads what nobody wrote': {
    lie: () => ({ get: (key) => Promise.reject(new AppError('checkpoint_corrupt', `${key} is not what was written`)) }),
    reason: /what nobody had written/,
  },
  'pairs a body with the next tag': {
    lie: () => ({
      get: async (key) => {
        const object = await store.get(key);
        return object === null ? null : { body: object.body, etag: (await store.head(key))?.etag ?? '' };
      },
    }),
    reason: /tag of a later one/,
  },
  'forgets what was written': { lie: () => ({ get: async () => null }), reason: /is not there/ },
  'does not list': {
    lie: () => ({ list: async function* () {} }),
    reason: /lists 0 of 2/,
  },
  'does not delete': { lie: () => ({ delete: async () => undefined }), reason: /still there/ },
};

describe('the probe', () => {
  it('passes a store that keeps its promises, and leaves no object behind', async () => {
    await probeStore(store);
    await Promise.all([probeStore(store), probeStore(store)]);
    expect(await keysOf(store, '')).toEqual([]);
  });

  it.each(Object.keys(lies))('refuses a store that %s', async (name) => {
    const { lie, reason } = lies[name] ?? expect.fail();
    const failure = await probeStore({ ...store, ...lie() }).then(() => null, (error: unknown) => error);
    expect(failure).toMatchObject({ code: 'store_unsafe', message: expect.stringMatching(reason) });
    expect((failure as AppError).message).toContain(store.description);
  });

  it('does not call a store unsafe that gives up on some of the racers, even if one of them had won', async () => {
    let calls = 0;
    const shaky: Store = {
      ...store,
      putIfAbsent: async (key, body) => {
        const outcome = await store.putIfAbsent(key, body);
        if (outcome.created && calls++ < 2) throw new AppError('store_unavailable', 'the answer was lost');
        return outcome;
      },
    };
    await probeStore(shaky);
    expect(calls).toBe(2);
  });

  it('passes a store whose reads can pair a body with an older tag: a swap by it is refused', async () => {
    let mixed = 0;
    const old: Store = {
      ...store,
      get: async (key) => {
        const info = await store.head(key);
        await new Promise((resolve) => setTimeout(resolve, 1));
        const object = await store.get(key);
        if (object === null || info === null) return object;
        if (info.etag !== object.etag) mixed += 1;
        return { body: object.body, etag: info.etag };
      },
    };
    await probeStore(old);
    expect(mixed).toBeGreaterThan(0);
  });

  it('swaps less often where a swap takes a second', async () => {
    const [now, swaps] = [performance.now.bind(performance), new Map<string, number>()];
    let passedMs = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + passedMs);
    onTestFinished(() => clock.mockRestore());
    const slow: Store = {
      ...store,
      compareAndSwap: async (key, body, etag) => {
        passedMs += 1_000;
        const outcome = await store.compareAndSwap(key, body, etag);
        if (outcome.swapped) swaps.set(key, (swaps.get(key) ?? 0) + 1);
        return outcome;
      },
    };
    await probeStore(slow);
    // One with the right tag, one of those that race, and at most five under readers instead of 24.
    const [most = NaN] = swaps.values();
    expect(most).toBeGreaterThan(2);
    expect(most).toBeLessThanOrEqual(2 + 5);
  });

  it('passes on the failure of a store that does not answer', async () => {
    const down = (): Promise<never> => Promise.reject(new AppError('store_unavailable', 'down'));
    await expect(probeStore({ ...store, putIfAbsent: down })).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});
