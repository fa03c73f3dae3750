import { expect, it } from 'vitest';
import { createSchedule, pauseSchedule } from '../../../lib/schedules/control.js';
import { tickSchedule } from '../../../lib/schedules/fires.js';
import { makeMemoryStore } from '../../support/memory-store.js';
import { faultsOfLedger } from '../../support/schedules/ledger.js';
import { asProcess, makeFakeClock, makeRuns, SCHEDULE, specOf } from '../../support/schedules/world.js';

const START = Date.UTC(2026, 4, 1, 12, 0, 30);
const MINUTE_MS = 60_000;

async function setUp() {
  const store = makeMemoryStore();
  const clock = makeFakeClock(START);
  const runs = makeRuns(clock);
  const deps = asProcess(store, runs.calls, clock, () => 'none');
  await createSchedule(deps, SCHEDULE, { spec: specOf(), paused: false });
  const faults = (minutes: number): Promise<string[]> => faultsOfLedger(store, runs, SCHEDULE, START + minutes * MINUTE_MS);
  return { clock, deps, faults };
}

it('a schedule that stands still is caught by the clock, though each time up to where it stands was seen to', async () => {
  const { clock, deps, faults } = await setUp();
  clock.set(START + MINUTE_MS);
  await tickSchedule(deps, SCHEDULE, clock.now());
  expect(await faults(1)).toEqual([]);
  expect(await faults(3)).toEqual(['2026-05-01T12:02:00.000Z was seen to 0 times', '2026-05-01T12:03:00.000Z was seen to 0 times']);
});

it('one that was paused is held to nothing beyond its pause', async () => {
  const { clock, deps, faults } = await setUp();
  clock.set(START + 2 * MINUTE_MS);
  await pauseSchedule(deps, SCHEDULE, null);
  clock.set(START + 9 * MINUTE_MS);
  await tickSchedule(deps, SCHEDULE, clock.now());
  expect(await faults(2)).toEqual([]);
});
