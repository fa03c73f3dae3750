// `pawl chaos` as a user runs it, on a job of two workers: every kind strikes, the job goes on each time, and its bits are those of
// an undisturbed run. What was said about the job is in its log, also when Redis has forgotten everything.
import { afterEach, expect, test } from 'vitest';
import { makeClient } from '../../api/client.js';
import type { Rehearsal } from '../../api/cli/rehearsal.js';
import { startTestSystem, type TestSystem } from '../support/system.js';
import { expectSameBits, recipe, undisturbed, untilTraining } from './recipe.js';

/** Its first three kinds are all there are. */
const SEED = '2';

let system: TestSystem;
afterEach(() => system.stop());

test('notices, kills and freezes strike, are reported, and change no bit', async () => {
  // Training goes on for most of a notice, and it has to outlast that.
  const spec = recipe(120);
  const reference = await undisturbed(spec);
  system = await startTestSystem();
  await system.startController();
  await system.startWorker();
  await system.startWorker();
  const { url } = await system.startApi();
  const job = await system.submit(spec);
  await untilTraining(system, job, 10);

  const run = await system.pawl(url, ['chaos', job, '--every', '0.6s', '--for', '30s', '--seed', SEED, '--json']);
  expect(run.code, run.err).toBe(0);
  const report = JSON.parse(run.out) as Rehearsal;
  expect(report.job).toBe(job);
  const struck = report.strikes.filter((strike) => strike.struck);
  expect(new Set(struck.map(({ kind }) => kind)), JSON.stringify(report.strikes)).toEqual(new Set(['notice', 'kill', 'freeze']));
  expect(struck.filter(({ recovered_ms: ms }) => ms === null)).toEqual([]);
  // A notice or a kill that was struck has ended its attempt, and the job went on in the next one.
  for (const { kind, attempt, next_attempt: next, resumed_from: from } of struck) if (kind !== 'freeze') expect([kind, next, from]).toEqual([kind, attempt + 1, expect.stringMatching(/^ckpt_/) as string]);
  // A frozen worker loses its job to the other one; notices and kills end an attempt too.
  expect(report.attempts).toBeGreaterThanOrEqual(1 + struck.filter(({ next_attempt: next }) => next !== null).length);
  expect(struck.find(({ kind, next_attempt: next }) => kind === 'freeze' && next !== null), 'a takeover').toBeDefined();
  expect(run.err.trim().split('\n')).toHaveLength(report.strikes.length);
  const head = await system.terminal(job);
  await expectSameBits(system, job, head, reference);

  const client = makeClient({ url });
  await system.queue.reset();
  const { data } = await client.logs(job, { limit: 100 });
  expect(data.map(({ id }) => id)).toEqual(data.map(({ id }) => id).toSorted((a, b) => a - b));
  const messages = data.map(({ message }) => message).join('\n');
  for (const said of [/^claimed \(attempt 1,/m, /^the trainer is ready \(/m, /^training from the start/m, /^stopping \(reason preempted_notice/m, /^the trainer has gone \(signal SIGKILL\)/m, /^resumed \(/m, /^attempt ended \(end_reason completed/m]) expect(messages).toMatch(said);
  const lines = await system.pawl(url, ['logs', job, '--follow']);
  expect(lines.out.trim().split('\n').length).toBeGreaterThanOrEqual(data.length);
  expect(lines.out).toMatch(/^\d\d:\d\d:\d\d\.\d{3}  info  supervisor #1  claimed/m);
});
