// What a fire asks of the store, call by call: how many that are is most of how late the last of a thousand is.
import { expect, it } from 'vitest';
import { admitSpec } from '../../../lib/jobs/admission.js';
import { silentLog } from '../../../lib/log.js';
import { createSchedule } from '../../../lib/schedules/control.js';
import { type LookOptions, tickSchedule } from '../../../lib/schedules/fires.js';
import { readSchedule } from '../../../lib/schedules/record.js';
import { makeFileStore } from '../../../lib/store/file.js';
import type { Store } from '../../../lib/store/index.js';
import { makeRunCalls } from '../../../worker/controller/schedules.js';
import { SPEC } from '../../support/api.js';
import { ROOM_FOR_ALL } from '../../support/room.js';
import { makeFakeClock, SCHEDULE, specOf } from '../../support/schedules/world.js';
import { makeTempDir } from '../../support/temp.js';

const START = Date.UTC(2026, 4, 1, 12, 0, 30);
const MINUTE_MS = 60_000;

/** The same store, and its calls: `get schedules/HEAD`. */
function counted(store: Store): { store: Store; calls: string[] } {
  const calls: string[] = [];
  const note = (verb: string, key: string): void => void calls.push(`${verb} ${key.replace(/(sch|job|fire)_[0-9a-z]{26}/g, '$1')}`);
  const of = <A extends unknown[], R>(verb: string, call: (key: string, ...rest: A) => R) => (key: string, ...rest: A): R => {
    note(verb, key);
    return call(key, ...rest);
  };
  const { get, head, put, putIfAbsent, compareAndSwap, list, keys, delete: remove } = store;
  return { calls, store: { ...store, get: of('get', get), head: of('head', head), put: of('put', put), putIfAbsent: of('putIfAbsent', putIfAbsent), compareAndSwap: of('compareAndSwap', compareAndSwap), list: of('list', list), keys: of('keys', keys), delete: of('delete', remove) } };
}

async function setUp() {
  const folder = await makeTempDir('operations');
  const { store, calls } = counted(await makeFileStore({ root: folder.path }));
  const clock = makeFakeClock(START);
  const tickets: string[] = [];
  const deps = { store, clock, log: silentLog, tickets: { issue: async ({ job }: { job: string }) => void tickets.push(job), withdraw: async () => undefined } };
  const runCalls = makeRunCalls({ ...deps, room: ROOM_FOR_ALL, nudge: () => undefined, isSound: () => Promise.resolve(true), admit: (spec, resolved) => admitSpec(spec, { roots: [], buckets: null }, store, resolved), admitSweep: () => Promise.reject(new Error('no sweep here')) });
  await createSchedule(deps, SCHEDULE, { spec: specOf({ job: SPEC }), paused: false });
  const known = await readSchedule(deps, SCHEDULE);
  clock.set(START + MINUTE_MS);
  calls.length = 0;
  const look = (options: LookOptions = {}, changed: Partial<typeof runCalls> = {}) => tickSchedule({ ...deps, ...runCalls, ...changed }, SCHEDULE, clock.now(), options);
  return { folder, store, clock, calls, tickets, known, look };
}

const BEFORE = ['compareAndSwap schedules/sch/HEAD', 'put open/job.0', 'putIfAbsent jobs/job/job.json'];
const AFTER = ['putIfAbsent fires/sch/fire.json', 'putIfAbsent scheduled/sch/job', 'compareAndSwap schedules/sch/HEAD'];

it('a fire of a job is three writes until it is acknowledged and three afterwards, and no read', async () => {
  const { folder, calls, tickets, known, look } = await setUp();
  let then: string[] = [];
  const tick = await look({ known, whenStarted: async () => void (then = [...calls]) });
  expect(tick).toMatchObject({ failures: [], head: { counts: { started: 1 } } });
  expect(then).toEqual(BEFORE);
  expect(calls).toEqual([...BEFORE, ...AFTER]);
  expect(tickets).toEqual([tick?.head.runs[0]?.run.id]);
  await folder.remove();
});

it('HEAD is read once where it was not read ahead', async () => {
  const { folder, calls, look } = await setUp();
  await look();
  expect(calls).toEqual(['get schedules/sch/HEAD', ...BEFORE, ...AFTER]);
  await folder.remove();
});

it('what was started and not written down is read, gets its ticket, and is not written again', async () => {
  const { folder, calls, tickets, known, look } = await setUp();
  await expect(look({ known, whenStarted: () => Promise.reject(new Error('gone')) })).rejects.toThrow('gone');
  calls.length = 0;
  expect(await look()).toMatchObject({ failures: [], head: { counts: { started: 1 } } });
  expect(calls).toEqual(['get schedules/sch/HEAD', 'get jobs/job/job.json', 'get jobs/job/HEAD', ...AFTER]);
  expect(new Set(tickets)).toHaveLength(1);
  expect(tickets).toHaveLength(2);
  await folder.remove();
});

it('what was decided and not started is started', async () => {
  const { folder, calls, known, look } = await setUp();
  await look({ known }, { start: () => Promise.reject(new Error('gone')) }).catch(() => undefined);
  calls.length = 0;
  expect(await look()).toMatchObject({ failures: [], head: { counts: { started: 1 } } });
  expect(calls).toEqual(['get schedules/sch/HEAD', 'get jobs/job/job.json', ...BEFORE.slice(1), ...AFTER]);
  await folder.remove();
});
