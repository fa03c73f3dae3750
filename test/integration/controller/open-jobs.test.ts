// A controller over a real Redis and many jobs: what one of them has may not cost the others.
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../lib/clock.js';
import { admitSpec } from '../../../lib/jobs/admission.js';
import { silentLog } from '../../../lib/log.js';
import type { Store } from '../../../lib/store/index.js';
import { admitSweep } from '../../../lib/sweeps/admission.js';
import { type Controller, makeController } from '../../../worker/controller/controller.js';
import { makeScheduleDriver } from '../../../worker/controller/schedules.js';
import { makeSweepDriver } from '../../../worker/controller/sweeps.js';
import { startApi, type TestApi } from '../../support/api.js';
import { type RedisServer, startRedis } from '../../support/redis.js';
import { ROOM_FOR_ALL } from '../../support/room.js';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ appendonly: false });
});
afterAll(() => redis.stop());

function controllerOf({ store: plain, queue }: TestApi, store: Store = plain): Controller {
  const places = { roots: [], buckets: null };
  const deps = {
    store, clock: systemClock, isSound: () => Promise.resolve(true), room: ROOM_FOR_ALL, tickets: queue.tickets, log: silentLog, nudge: () => undefined,
    admit: (spec: unknown) => admitSpec(spec, places, store), admitSweep: (spec: unknown, series: Parameters<typeof admitSweep>[3]) => admitSweep(spec, places, store, series),
  };
  const schedules = makeScheduleDriver(deps, 'ctl_test');
  const controller = makeController({ name: 'ctl_test', store, queue, clock: systemClock, log: silentLog, sweeps: makeSweepDriver(deps, () => undefined), schedules, timing: { tickMs: 10 } });
  onTestFinished(() => controller.close());
  return controller;
}

it('a job whose record is damaged does not keep a lost Redis from being refilled with all others', async () => {
  const api = await startApi({ redisUrl: redis.url });
  const jobs = [await api.submit(), await api.submit(), await api.submit()];
  await api.queue.reset();
  expect((await api.queue.tickets.depth()).waiting).toBe(0);
  await api.store.put(`jobs/${jobs[0]!}/job.json`, Buffer.from('{"id": "job_'));
  expect(await controllerOf(api).sweep()).toEqual({ heard: 0, failed: 1, ticketed: 2 });
  expect((await api.queue.tickets.next(10)).map(({ job }) => job).sort()).toEqual(jobs.slice(1));
});
