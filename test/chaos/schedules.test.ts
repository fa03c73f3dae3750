// Schedules on real processes: controllers killed and Redis emptied lose no nominal time and double none, and a run that is put aside
// for the next one ends, resumed, with the bits of an undisturbed one.
import { afterEach, expect, test } from 'vitest';
import { type Client, makeClient } from '../../api/client.js';
import type { JobRecord } from '../../lib/contract/records.js';
import type { RunReference, Schedule } from '../../lib/contract/schedule.js';
import { loadRecord } from '../../lib/jobs/record.js';
import { readLedger, faultsOfLedger } from '../support/schedules/ledger.js';
import { startTestSystem, type TestSystem, waitFor } from '../support/system.js';
import { expectSameBits, recipe, undisturbed, untilTraining } from './recipe.js';

let system: TestSystem;
afterEach(() => system.stop());

const WATCHED_MS = 34_000;
/** It outlasts two nominal times on a fast machine too. */
const LASTING = recipe(24);

async function start(): Promise<Client> {
  system = await startTestSystem();
  return makeClient({ url: (await system.startApi()).url });
}

/** Every job that a schedule started, as the store has them. */
async function jobsOf(schedule: string): Promise<JobRecord[]> {
  const records: JobRecord[] = [];
  for await (const key of system.store.keys('jobs/')) {
    const id = /^jobs\/([^/]+)\/job\.json$/.exec(key)?.[1];
    const record = id === undefined ? null : await loadRecord(system.store, id);
    if (record?.schedule?.id === schedule) records.push(record);
  }
  return records;
}

test('every two seconds, with a controller killed and Redis emptied: each nominal time once, one job at a time, skips with their reason', async () => {
  const client = await start();
  const controllers = [await system.startController(), await system.startController()];
  await system.startWorker();
  const { id } = await client.schedules.create({ name: 'often', cron: '*/2 * * * * *', overlap_policy: 'skip', job: LASTING });
  const begunMs = performance.now();
  const schedule = (): Promise<Schedule> => client.schedules.get(id);
  const seen = async (): Promise<number> => Object.values((await schedule()).counts).reduce((sum, count) => sum + count, 0);
  await waitFor('some fires', async () => (await seen()) >= 4);
  controllers[0]!.kill('SIGKILL');
  const atKill = await seen();
  await waitFor('the other goes on', async () => (await seen()) >= atKill + 3);
  await system.redis.flush();
  const atFlush = (await schedule()).counts.started;
  await waitFor('a job is started after Redis was emptied', async () => (await schedule()).counts.started > atFlush && performance.now() - begunMs >= WATCHED_MS, 120_000);
  const pausedMs = Date.now();
  await client.schedules.pause(id, 'seen enough');
  await waitFor('all of it is over', async () => (await schedule()).running.length === 0, 120_000);

  const { head, fires } = await readLedger(system.store, id);
  const records = await jobsOf(id);
  const runs = { all: new Map(records.map((record) => [record.id, { schedule: record.schedule! }])) };
  expect(await faultsOfLedger(system.store, runs as never, id, pausedMs)).toEqual([]);
  expect(Date.parse(head.last_nominal) - Date.parse(head.created_at)).toBeGreaterThan(30_000);
  expect(head.counts.started).toBeGreaterThanOrEqual(2);
  const skipped = fires.filter(({ outcome }) => outcome === 'skipped');
  expect(skipped.length).toBeGreaterThanOrEqual(3);
  expect(new Set(skipped.map(({ reason }) => reason))).toEqual(new Set(['running']));

  const started = fires.filter(({ outcome }) => outcome === 'started');
  for (const [index, fire] of started.entries()) {
    const job = await client.job(fire.run!.id);
    expect(job).toMatchObject({ status: 'succeeded', schedule: { id, nominal_time: fire.nominal_time } });
    const next = started[index + 1];
    if (next) expect(Date.parse(next.decided_at), 'not before the earlier one was over').toBeGreaterThanOrEqual(Date.parse(job.finished_at!));
  }
});

test('cancel_other pauses the earlier job with a commit, and resumed it ends with the bits of an undisturbed one', async () => {
  const client = await start();
  await system.startController();
  await system.startWorker();
  const spec = recipe(24);
  const reference = await undisturbed(spec);
  const { id } = await client.schedules.create({ name: 'newest', cron: '0 0 1 1 *', overlap_policy: 'cancel_other', job: spec });
  const running = (count: number): Promise<RunReference[]> => waitFor(`${count} started`, async () => {
    const { counts, running: runs } = await client.schedules.get(id);
    return counts.started === count && runs.length === 1 && runs;
  });
  await client.schedules.trigger(id);
  const [first] = await running(1);
  await untilTraining(system, first!.id, 40);
  await client.schedules.trigger(id);
  const [second] = await running(2);
  const paused = await system.head(first!.id);
  expect(paused).toMatchObject({ state: 'paused', reason: 'schedule', owner: null });
  expect(paused.retained.at(-1)!.micro_batches).toBeGreaterThan(40);
  expect(await client.job(first!.id)).toMatchObject({ status: 'paused', status_reason: 'schedule', waste: { micro_batches: 0 } });
  expect((await client.schedules.get(id)).last_fires).toMatchObject([{ run: second, run_ended: null }, { run: first, run_ended: 'paused' }]);

  await client.verb(first!.id, 'resume');
  for (const run of [first!, second!]) await expectSameBits(system, run.id, await system.terminal(run.id), reference);
  expect((await system.attempts(first!.id)).map(({ end }) => end?.end_reason)).toEqual(['schedule', 'completed']);
  await waitFor('the end is noticed', async () => (await client.schedules.get(id)).last_fires[0]!.run_ended === 'succeeded', 10_000);
});
