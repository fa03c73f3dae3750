// The list of jobs over a store in memory: what is read of it, and when.
import { expect, it } from 'vitest';
import type { JobListItem } from '../../../lib/contract/job.js';
import { AppError } from '../../../lib/errors.js';
import { type JobListing, makeJobListing } from '../../../lib/jobs/listing.js';
import { makeMemoryStore } from '../../support/memory-store.js';
import { makeXorshift } from '../../support/xorshift.js';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 0, 1);
const NOTHING = Buffer.from('{}');
const ALL = { statuses: null, name: null, tags: {}, only: null, createdAfter: null, after: null, limit: 1_000 };

const job = (n: number): string => `job_${String(n).padStart(26, '0')}`;
const itemOf = (id: string): JobListItem => ({ id, created_at: '2026-01-01T00:00:00.000Z' }) as JobListItem;

function setUp() {
  const store = makeMemoryStore();
  const clock = { ms: 0, now: () => new Date(START_MS + clock.ms), monotonicMs: () => clock.ms };
  const walks: { prefix: string; after: string }[] = [];
  /** Of `closed/`: how many keys come before the store is away, or what they wait for. */
  const world = { breaksAfter: Infinity, stuck: null as Promise<void> | null };
  const listing = makeJobListing({
    store: {
      get: async (key) => (key.startsWith('closed/') && store.objects.has(key) ? { body: Buffer.from(JSON.stringify(itemOf(/job_\w+/.exec(key)![0]))), etag: '' } : null),
      keys: async function* (prefix, options) {
        walks.push({ prefix, after: options?.after ?? '' });
        let left = prefix === 'closed/' ? world.breaksAfter : Infinity;
        if (prefix === 'closed/') await world.stuck;
        for await (const key of store.keys(prefix, options)) {
          if (left-- <= 0) throw new AppError('store_unavailable', 'away');
          yield key;
        }
      },
    },
    access: { items: async (ids) => ids.map(itemOf) },
    clock,
  });
  return {
    store, clock, walks, world, listing,
    open: (id: string, gen = 0) => store.put(`open/${id}.${gen}`, NOTHING),
    leave: (id: string, gen = 0) => store.delete(`open/${id}.${gen}`),
    close: (id: string, gen = 0) => store.put(`closed/${clock.now().toISOString().slice(0, 10)}/${id}.${gen}`, NOTHING),
  };
}

const idsOf = async (listing: JobListing): Promise<string[]> => (await listing.list(ALL)).items.map(({ id }) => id);

it('takes jobs in while all that ever ran are still read', async () => {
  const { listing, world, walks, open, close } = setUp();
  await open(job(2));
  await close(job(1));
  let release = (): void => undefined;
  world.stuck = new Promise((resolve) => (release = resolve));
  listing.ahead();
  expect([await listing.isFull(2), await listing.isFull(1)]).toEqual([false, true]);
  const listed = idsOf(listing);
  listing.note(job(3), 0);
  release();
  expect(await listed).toEqual([job(3), job(2), job(1)]);
  expect(walks.filter(({ prefix }) => prefix === 'closed/')).toHaveLength(1);
});

it('reads what is over once, then its last days, and goes on where it was broken off', async () => {
  const { listing, world, walks, clock, close } = setUp();
  const days = 4;
  for (let day = 0; day < days; day++) {
    clock.ms = day * DAY_MS;
    for (let n = 0; n < 1_000; n++) await close(job(1_000 * day + n));
  }
  const afterOfLast = (): string => walks.at(-1)?.after ?? '';
  world.breaksAfter = 1_500;
  await expect(idsOf(listing)).rejects.toMatchObject({ code: 'store_unavailable' });
  world.breaksAfter = Infinity;
  expect(await listing.list({ ...ALL, limit: 3 })).toMatchObject({ items: [{ id: job(3_999) }, { id: job(3_998) }, { id: job(3_997) }], hasMore: true });
  expect(afterOfLast()).toBe(`closed/2026-01-01/${job(999)}.0`);
  expect(await listing.list({ ...ALL, after: job(2), limit: 3 })).toMatchObject({ items: [{ id: job(1) }, { id: job(0) }], hasMore: false });
  clock.ms += 1_000;
  await listing.list({ ...ALL, limit: 1 });
  expect(afterOfLast()).toBe('closed/2026-01-02');
});

it('is what a look at all markers would be, whatever happens in whatever order', async () => {
  const random = makeXorshift(11);
  const { listing, clock, open, leave, close } = setUp();
  /** What a list has to show: the generation, and whether it is over. */
  const jobs = new Map<string, { gen: number; isOver: boolean }>();
  const oneOf = (isOver: boolean): string | undefined => {
    const fit = [...jobs].filter(([, state]) => state.isOver === isOver);
    return fit[Math.floor(random() * fit.length)]?.[0];
  };
  for (let step = 0; step < 2_000; step++) {
    clock.ms += Math.floor(random() * 4 * 3_600_000);
    const kind = random();
    if (kind < 0.4) {
      // Made here, or by another process, whose jobs may be a little older than those known already.
      const id = job(10 * step + Math.floor(random() * 100));
      if (jobs.has(id)) continue;
      await open(id);
      jobs.set(id, { gen: 0, isOver: false });
      if (random() < 0.5) listing.note(id, 0);
    } else if (kind < 0.6) {
      const id = oneOf(false);
      if (id === undefined) continue;
      const { gen } = jobs.get(id)!;
      await close(id, gen);
      await leave(id, gen);
      jobs.set(id, { gen, isOver: true });
    } else if (kind < 0.7) {
      const id = oneOf(true);
      if (id === undefined) continue;
      const gen = jobs.get(id)!.gen + 1;
      await open(id, gen);
      jobs.set(id, { gen, isOver: false });
      if (random() < 0.5) listing.note(id, gen);
    } else if (kind < 0.75) {
      // Never acknowledged, and cleared away.
      const id = oneOf(false);
      if (id === undefined || jobs.get(id)!.gen > 0) continue;
      await leave(id);
      jobs.delete(id);
    } else {
      clock.ms += 1_000;
      expect(await idsOf(listing)).toEqual([...jobs.keys()].sort().reverse());
    }
  }
  expect(jobs.size).toBeGreaterThan(300);
});
