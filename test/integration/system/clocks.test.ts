// A worker whose clock is an hour ahead, among jobs that start within a time: it takes the queue's tickets too soon, and knows better.
import { afterEach, expect, test } from 'vitest';
import { headKey } from '../../../lib/jobs/names.js';
import { startTestSystem, type TestSystem, waitFor } from '../../support/system.js';
import { recipe } from '../../chaos/recipe.js';

const PRELOAD = new URL('../../support/clock-ahead.mjs', import.meta.url).href;
const spec = recipe(3);
const inMinutes = (minutes: number): string => new Date(Date.now() + minutes * 60_000).toISOString();
let system: TestSystem;
afterEach(() => system.stop());

test('runs one that has time, leaves one whose time has not come, and keeps nobody waiting for it', async () => {
  system = await startTestSystem({ env: { NODE_OPTIONS: `--import ${PRELOAD}`, PAWL_TEST_CLOCK_AHEAD_MS: '3600000' } });
  const ahead = await system.startWorker();
  const { id } = await waitFor('it says that it is there', async () => (await system.queue.workers.list())[0]);

  const urgent = await system.submit({ ...spec, run: { start_before: inMinutes(10) } });
  expect(await system.terminal(urgent)).toMatchObject({ state: 'succeeded', reason: null });
  const [attempt] = await system.attempts(urgent);
  expect(attempt!.start.worker).toBe(id);
  expect(Date.parse(attempt!.start.started_at), 'by its clock').toBeGreaterThan(Date.now() + 3_000_000);

  const later = await system.submit({ ...spec, run: { start_after: inMinutes(30) } });
  const ticket = { job: later, gen: 0, fence: 0 };
  await waitFor('it has taken the ticket', async () => (await system.queue.tickets.find(ticket))?.state === 'active');
  // whose slot is not kept from others by it
  const other = await system.submit(spec);
  expect(await system.terminal(other)).toMatchObject({ state: 'succeeded' });
  expect((await system.attempts(other))[0]!.start.worker).toBe(id);
  await waitFor('it has taken the ticket again', async () => (await system.queue.tickets.find(ticket))?.state === 'active');

  delete system.env['NODE_OPTIONS'];
  const right = await system.startWorker();
  ahead.kill('SIGTERM');
  await ahead.exited;
  await waitFor('another worker has put it off', async () => (await system.queue.tickets.find(ticket))?.state === 'delayed' && (await system.queue.tickets.dueWithin(29 * 60_000)) === 0);
  expect(await system.queue.tickets.dueWithin(31 * 60_000)).toBe(1);
  expect(await system.store.get(headKey(later))).toBeNull();
  right.kill('SIGTERM');
  await right.exited;
});
