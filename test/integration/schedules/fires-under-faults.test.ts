import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import type { Clock } from '../../../lib/clock.js';
import { OVERLAP_POLICIES, type OverlapPolicy } from '../../../lib/contract/schedule.js';
import { isAppError } from '../../../lib/errors.js';
import { createSchedule, triggerSchedule } from '../../../lib/schedules/control.js';
import { type Tick, tickSchedule } from '../../../lib/schedules/fires.js';
import { openStore } from '../../../lib/store/open.js';
import { faultsOfLedger, readLedger } from '../../support/schedules/ledger.js';
import { type Fault, Killed } from '../../support/fate.js';
import { makeMemoryStore } from '../../support/memory-store.js';
import { asProcess, makeFakeClock, makeRuns, SCHEDULE, specOf, type WorldStore } from '../../support/schedules/world.js';
import { makeTempDir } from '../../support/temp.js';
import { makeXorshift } from '../../support/xorshift.js';

const START = Date.UTC(2026, 4, 1, 12, 0, 30);
const MINUTE_MS = 60_000;
const JITTER_SECONDS = 20;
/** Nominal times before then are all due. */
const dueBy = (clock: Clock): number => clock.now().getTime() - JITTER_SECONDS * 1_000;

async function setUp(spec: Parameters<typeof specOf>[0], store: WorldStore = makeMemoryStore()) {
  const clock = makeFakeClock(START);
  const runs = makeRuns(clock);
  const calm = asProcess(store, runs.calls, clock, () => 'none');
  await createSchedule(calm, SCHEDULE, { spec: specOf(spec), paused: false });
  return { clock, runs, store, calm, tick: () => tickSchedule(calm, SCHEDULE, clock.now()) };
}

/** Ten minutes in which runs end after a while, with a process that may meet its end at any call; then a calm one. */
async function liveThrough(policy: OverlapPolicy, faultAt: (call: number) => Fault) {
  const world = await setUp({ overlap_policy: policy, jitter: JITTER_SECONDS });
  const { clock, runs, store, tick } = world;
  let calls = 0;
  let struck = 0;
  const next = (): Fault => {
    const fault = faultAt(calls++);
    if (fault !== 'none') struck++;
    return fault;
  };
  let deps = asProcess(store, runs.calls, clock, next);
  let known: Tick | null = null;
  for (let step = 0; step < 14; step++) {
    clock.set(START + step * 25_000 + (step > 9 ? 4 * MINUTE_MS : 0));
    runs.room = step === 4 || step === 10 ? 0 : Infinity;
    for (const run of runs.all.values()) if (run.state === 'active' && clock.now().getTime() - run.startedMs > 95_000) run.state = 'succeeded';
    if (step === 5) await triggerSchedule(world.calm, SCHEDULE, 'allow_all');
    try {
      known = await tickSchedule(deps, SCHEDULE, clock.now(), { known: step % 3 === 0 ? null : known });
    } catch (error) {
      if (!(error instanceof Killed) && !isAppError(error)) throw error;
      deps = asProcess(store, runs.calls, clock, next);
    }
  }
  for (let again = 0; again < 3; again++) await tick();
  return { ...world, calls, struck };
}

it.each(OVERLAP_POLICIES)('loses and doubles no fire whichever call is the last of a process or goes unanswered: %s', async (policy) => {
  const undisturbed = await liveThrough(policy, () => 'none');
  expect(await faultsOfLedger(undisturbed.store, undisturbed.runs, SCHEDULE, dueBy(undisturbed.clock))).toEqual([]);
  expect(undisturbed.calls).toBeGreaterThan(40);
  for (const fault of ['last before', 'last', 'lost before', 'lost after'] as const) {
    for (let at = 0; at < undisturbed.calls; at++) {
      const { store, runs, clock, struck } = await liveThrough(policy, (call) => (call === at ? fault : 'none'));
      expect(struck).toBe(1);
      expect({ fault, at, wrong: await faultsOfLedger(store, runs, SCHEDULE, dueBy(clock)) }).toEqual({ fault, at, wrong: [] });
    }
  }
});

interface Course {
  policy: OverlapPolicy;
  seed: number;
}
const courses = fc.record({ policy: fc.constantFrom(...OVERLAP_POLICIES), seed: fc.integer({ min: 0, max: 2 ** 31 }) });

/** Several controllers at once over a store that loses answers, some killed again and again; users' triggers, runs that end. */
async function rush({ policy, seed }: Course, stores: readonly WorldStore[], rounds: number) {
  const random = makeXorshift((seed ^ 0x9e3779b9) >>> 0 || 1);
  const { clock, runs, calm, tick } = await setUp({ overlap_policy: policy, jitter: JITTER_SECONDS, catchup_window: 90 }, stores[0]);
  const struck: Record<string, number> = {};
  const fault = (): Fault => {
    const dice = random();
    const met: Fault = dice < 0.03 ? 'lost before' : dice < 0.06 ? 'lost after' : dice < 0.075 ? 'last before' : dice < 0.09 ? 'last' : dice < 0.12 ? 'late' : 'none';
    struck[met] = (struck[met] ?? 0) + 1;
    return met;
  };
  const wait = async (): Promise<void> => {
    for (let turns = Math.floor(random() * 4); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
  };
  const late: Promise<unknown>[] = [];
  /** What each controller remembers, of its last look or of one long ago. */
  const known: (Tick | null)[] = stores.map(() => null);
  let triggers = 0;
  let left = 0;
  for (let round = 0; round < rounds; round++) {
    clock.set(clock.now().getTime() + 1 + Math.floor(random() ** 4 * 400_000));
    for (const run of runs.all.values()) if (run.state === 'active' && random() < 0.3) run.state = random() < 0.8 ? 'succeeded' : 'failed';
    runs.room = random() < 0.3 ? Math.floor(random() * 2) : Infinity;
    if (random() < 0.1) {
      await triggerSchedule(calm, SCHEDULE, null);
      triggers++;
    }
    await Promise.all(
      stores.map(async (store, controller) => {
        try {
          const options = { known: random() < 0.7 ? (known[controller] ?? null) : null, seen: random() < 0.5 ? known[controller]?.etag : undefined, whenStarted: wait };
          const tick = await tickSchedule(asProcess(store, runs.calls, clock, fault, wait, late), SCHEDULE, clock.now(), options);
          if (random() < 0.7) known[controller] = tick;
          if (tick?.isLeft) left++;
        } catch (error) {
          if (!(error instanceof Killed) && !isAppError(error)) throw error;
        }
      }),
    );
  }
  await Promise.all(late);
  runs.room = Infinity;
  for (let again = 0; again < 3; again++) await tick();
  expect(await faultsOfLedger(stores[0]!, runs, SCHEDULE, dueBy(clock))).toEqual([]);
  const { head, fires } = await readLedger(stores[0]!, SCHEDULE);
  expect(fires.filter(({ cause }) => cause === 'trigger').length + head.buffered.filter(({ cause }) => cause === 'trigger').length).toBe(triggers);
  if (policy !== 'allow_all') expect(runs.mostActive).toBeLessThanOrEqual(1);
  return { ...struck, left };
}

it('loses and doubles no fire with many controllers at once over a store that loses answers', { timeout: 120_000 }, async () => {
  const all: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(courses, async (course) => {
      const store = makeMemoryStore();
      for (const [fault, times] of Object.entries(await rush(course, [store, store, store, store], 25))) all[fault] = (all[fault] ?? 0) + times;
    }),
    { numRuns: 150 },
  );
  for (const fault of ['lost before', 'lost after', 'late', 'last before', 'last', 'left']) expect(all[fault]).toBeGreaterThan(100);
});

it('does the same over files', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(courses, async (course) => {
      const dir = await makeTempDir('schedules');
      onTestFinished(dir.remove);
      const stores = await Promise.all([1, 2, 3].map(() => openStore(`file:${dir.path}`)));
      try {
        await rush(course, stores, 10);
      } finally {
        await Promise.all(stores.map((store) => store.close()));
      }
    }),
    { numRuns: 12 },
  );
});
