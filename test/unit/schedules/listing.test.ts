// A schedule whose HEAD is damaged is left out, and said; it costs neither the list nor the other schedules.
import { expect, it } from 'vitest';
import { createSchedule } from '../../../lib/schedules/control.js';
import { listSchedules } from '../../../lib/schedules/listing.js';
import { scheduleKey } from '../../../lib/schedules/names.js';
import { makeTicker } from '../../../lib/schedules/ticker.js';
import { makeMemoryStore } from '../../support/memory-store.js';
import { asProcess, makeFakeClock, makeRuns, specOf } from '../../support/schedules/world.js';

const idOf = (number: number): string => `sch_${String(number).padStart(26, '0')}`;

it('neither the list nor a controller stumbles over a damaged HEAD', async () => {
  const store = makeMemoryStore();
  const clock = makeFakeClock(Date.UTC(2026, 4, 1, 12, 0, 30));
  const runs = makeRuns(clock);
  const deps = asProcess(store, runs.calls, clock, () => 'none');
  for (const number of [1, 2, 3]) await createSchedule(deps, idOf(number), { spec: specOf({ name: `${number}` }), paused: false });
  store.objects.set(scheduleKey(idOf(2)), { body: Buffer.from('\0\0'), etag: 'damaged' });
  const warned: unknown[] = [];
  const log = { warn: (fields: object) => void warned.push((fields as { schedule?: string }).schedule) };
  const page = await listSchedules({ store, clock, log }, { name: null, after: null, limit: 10 });
  expect([page.items.map(({ id }) => id), page.hasMore, warned]).toEqual([[idOf(3), idOf(1)], false, [idOf(2)]]);

  const ticker = makeTicker({ ...deps, store, clock, log, name: 'ctl_a', isSound: () => Promise.resolve(true), prepare: () => undefined });
  await ticker.refresh();
  expect(warned).toEqual([idOf(2), idOf(2)]);
  clock.set(Date.UTC(2026, 4, 1, 12, 1, 0) + 500);
  await ticker.refresh();
  await ticker.idle();
  expect([...runs.all.values()].map(({ schedule }) => schedule.id).sort()).toEqual([idOf(1), idOf(3)]);
  await ticker.close();
});
