// A cloud takes a worker's machine away: what its metadata service announces ends the attempt with a commit, nothing is computed
// twice, and the job ends elsewhere in the bits of an undisturbed run.
import { afterEach, beforeAll, expect, test } from 'vitest';
import { type Asked, type MetadataServer, type Reply, startMetadataServer } from '../support/metadata-server.js';
import { type Proc, startTestSystem, type TestSystem, waitFor } from '../support/system.js';
import { expectSameBits, recipe, type Reference, undisturbed } from './recipe.js';

/** Far from its end when the cloud is asked next, and no commit but for a reason. */
const spec = { ...recipe(40), checkpoint: { every_seconds: 3600 } };
let reference: Reference;
let system: TestSystem;
let cloud: MetadataServer;

beforeAll(async () => {
  reference = await undisturbed(spec);
});
afterEach(async () => {
  await system.stop();
  await cloud.stop();
});

async function expectExit(worker: Proc): Promise<void> {
  await waitFor('the worker has gone', async () => !worker.isAlive(), 30_000);
}
const committed = async (job: string): Promise<number> => (await system.head(job)).retained.at(-1)?.micro_batches ?? 0;

test('AWS: a rebalance recommendation is a reason to save, an interruption to stop', async () => {
  let at: Record<string, string> = {};
  cloud = await startMetadataServer(({ path }: Asked): Reply => {
    if (path === '/latest/api/token') return { text: 'token' };
    const text = at[path.replace('/latest/meta-data/', '')];
    return text === undefined ? { status: 404 } : { text };
  });
  system = await startTestSystem({ env: { PAWL_NOTICES: 'aws', AWS_EC2_METADATA_SERVICE_ENDPOINT: cloud.url } });
  await system.startController();
  const worker = await system.startWorker();
  // AWS is asked every five seconds; nobody waits for this job's end.
  const job = await system.submit({ ...spec, training: { ...spec.training, epochs: 1000 } });
  await system.until(job, 'is pinned', (head) => head.inputs !== null);
  expect(await committed(job)).toBe(0);
  at = { 'events/recommendations/rebalance': '{"noticeTime":"2027-01-01T00:00:00Z"}' };
  await waitFor('a commit ahead of time', async () => (await committed(job)) > 0, 30_000);
  expect([worker.isAlive(), (await system.head(job)).owner?.number], 'training goes on').toEqual([true, 1]);

  at = { 'spot/instance-action': JSON.stringify({ action: 'terminate', time: new Date(Date.now() + 12_000).toISOString() }) };
  const ahead = await committed(job);
  await waitFor('a commit as soon as it is known', async () => (await committed(job)) > ahead, 30_000);
  expect((await system.head(job)).owner?.number, 'training goes on while there is time').toBe(1);
  await expectExit(worker);
  const [first] = await system.attempts(job);
  expect(first!.end).toMatchObject({ end_reason: 'preempted_notice', wasted_micro_batches: 0 });
  expect(await committed(job)).toBe(first!.end!.executed_micro_batches);

  // On the machine that goes, a restarted worker begins nothing.
  const late = await system.startWorker().catch(() => null);
  if (late) await expectExit(late);
  expect((await system.attempts(job)).length).toBe(1);

  at = {};
  await system.startWorker();
  const head = await system.until(job, 'goes on elsewhere', ({ owner, inputs }) => owner?.number === 2 && inputs !== null);
  expect([head.owner!.resumed_at, head.counters.wasted_micro_batches]).toEqual([first!.end!.executed_micro_batches, 0]);
}, 300_000);

/** Azure's clock is right, and the worker's an hour ahead of it. */
const azureNow = (): number => Date.now() - 3_600_000;

/** An Azure that notes what is approved, and how the job stood then. */
async function startAzure(jobOf: () => string) {
  const state = { events: [] as object[], approved: [] as { body: string; owner: unknown; micro_batches: number }[] };
  cloud = await startMetadataServer(async ({ method, path, body }: Asked): Promise<Reply> => {
    if (path.startsWith('/metadata/instance/compute/name')) return { text: 'vm-1' };
    if (method === 'POST') {
      const head = await system.head(jobOf());
      state.approved.push({ body, owner: head.owner, micro_batches: head.retained.at(-1)?.micro_batches ?? 0 });
      return {};
    }
    return { headers: { date: new Date(azureNow()).toUTCString() }, text: JSON.stringify({ DocumentIncarnation: state.events.length, Events: state.events }) };
  });
  system = await startTestSystem({ env: { PAWL_NOTICES: 'azure', PAWL_AZURE_METADATA_URL: cloud.url } });
  await system.startController();
  return state;
}
const evictionIn = (ms: number): object => ({ EventId: 'evict', EventType: 'Preempt', Resources: ['vm-1'], EventStatus: 'Scheduled', NotBefore: new Date(azureNow() + ms).toUTCString() });

test('Azure: the event is approved when all is saved, and not before', async () => {
  let job = '';
  const azure = await startAzure(() => job);
  const worker = await system.startWorker();
  job = await system.submit(spec);
  await system.until(job, 'is pinned', (head) => head.inputs !== null);
  azure.events = [evictionIn(5_000)];
  await expectExit(worker);
  const [first] = await system.attempts(job);
  expect(first!.end).toMatchObject({ end_reason: 'preempted_notice', wasted_micro_batches: 0 });
  expect(azure.approved).toEqual([{ body: '{"StartRequests":[{"EventId":"evict"}]}', owner: null, micro_batches: first!.end!.executed_micro_batches }]);

  azure.events = [];
  await system.startWorker();
  await expectSameBits(system, job, await system.terminal(job), reference);
});

test('Azure: a worker with nothing to save approves nothing while its neighbour trains', async () => {
  let job = '';
  const azure = await startAzure(() => job);
  const worker = await system.startWorker();
  job = await system.submit({ ...spec, training: { ...spec.training, epochs: 1000 } });
  await system.until(job, 'is pinned', (head) => head.inputs !== null);
  const idle = await system.startWorker();
  azure.events = [evictionIn(30_000)];
  await expectExit(idle);
  expect([worker.isAlive(), azure.approved]).toEqual([true, []]);
  await waitFor('the neighbour has gone too', async () => !worker.isAlive(), 60_000);
  const [first] = await system.attempts(job);
  expect(azure.approved).toEqual([{ body: '{"StartRequests":[{"EventId":"evict"}]}', owner: null, micro_batches: first!.end!.executed_micro_batches }]);
}, 300_000);
