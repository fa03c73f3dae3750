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
import { startApi, type TestApi, until } from '../../support/api.js';
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
  const controller = makeController({ name: 'ctl_test', store, queue, clock: systemClock, sharedNow: () => Promise.resolve(systemClock.now()), log: silentLog, sweeps: makeSweepDriver(deps, () => undefined), schedules, timing: { tickMs: 10 } });
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

it('what is said of many jobs at once is looked at a few at a time, without a list of all that are open', async () => {
  const api = await startApi({ redisUrl: redis.url });
  const job = await api.submit();
  const ticket = { job, gen: 0, fence: 0 };
  const passes: string[] = [];
  const reads = { now: 0, most: 0, done: new Set<string>() };
  let answered = Promise.resolve();
  const listed = (prefix: string): void => void (prefix.startsWith('open/') && passes.push(prefix));
  const store: Store = {
    ...api.store,
    list: (prefix, ...rest) => (listed(prefix), api.store.list(prefix, ...rest)),
    keys: (prefix, ...rest) => (listed(prefix), api.store.keys(prefix, ...rest)),
    get: async (key, ...rest) => {
      if (!key.endsWith('/HEAD')) return api.store.get(key, ...rest);
      reads.most = Math.max(reads.most, ++reads.now);
      await answered;
      reads.now -= 1;
      reads.done.add(key);
      return api.store.get(key, ...rest);
    },
  };
  const controller = controllerOf(api, store);
  await new Promise<void>((resolve) => void api.queue.control.listen('wrk_other', { preempt: () => false, drain: () => undefined, nudge: () => undefined, resync: resolve }));
  controller.start();
  await until('the pass that it begins with is over', async () => reads.done.size === 1 && reads.now === 0);
  expect(passes).toEqual(['open/']);

  let answer = (): void => undefined;
  answered = new Promise((resolve) => (answer = resolve));
  await api.queue.tickets.withdraw(ticket);
  for (let n = 0; n < 100; n++) await api.queue.control.nudge(`job_01j${String(n).padStart(23, '0')}`);
  await api.queue.control.nudge(job);
  await until('as many as may be are asked about', async () => reads.now >= 16);
  answer();
  await until('all were asked about', async () => reads.done.size === 101);
  await until('the one that is there was seen to', () => api.queue.tickets.has(ticket));
  expect([reads.most, passes]).toEqual([16, ['open/']]);
});
