// Real processes, really killed in the middle of a window: the job goes on by itself and ends with the same bits.
import { execFileSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makeClient } from '../../api/client.js';
import { readProc } from '../../lib/process-files.js';
import { childrenOf, isRunning, startTestSystem, type TestSystem, trainerOf, waitFor } from '../support/system.js';
import { s3ServerAvailable } from '../support/s3-server.js';
import { ACCUM_ITERS, cutPositions, expectSameBits, recipe, type Reference, undisturbed, untilEnded, untilTraining } from './recipe.js';

const spec = recipe();
const withS3 = await s3ServerAvailable();
let reference: Reference;
let system: TestSystem;

beforeAll(async () => {
  reference = await undisturbed(spec);
});
afterEach(() => system.stop());

describe('a job survives', () => {
  test('notices inside windows, without losing a micro-batch', async () => {
    system = await startTestSystem();
    await system.startController();
    await system.startWorker();
    const job = await system.submit(spec);
    for (let cuts = 1, inside = 0; inside < 2; cuts++) {
      expect(cuts, 'cuts that missed the inside of a window').toBeLessThan(20);
      await untilTraining(system, job, cuts * 25);
      expect(await system.queue.control.requestPreempt(job, null, { graceSeconds: 2 })).toBe(true);
      await untilEnded(system, job, cuts);
      inside = (await cutPositions(system, job)).filter((position) => position !== null && position > 0).length;
    }
    const head = await system.terminal(job);
    await expectSameBits(system, job, head, reference);
    const attempts = await system.attempts(job);
    expect(attempts.length).toBeGreaterThanOrEqual(3);
    expect(attempts.slice(0, -1).map(({ end }) => end?.end_reason)).toEqual(attempts.slice(0, -1).map(() => 'preempted_notice'));
    expect(attempts.reduce((sum, { end }) => sum + end!.executed_micro_batches, 0)).toBe(reference.microBatches);
    expect(head.counters.wasted_micro_batches).toBe(0);
  });

  test('SIGKILL of its trainer', async () => {
    system = await startTestSystem();
    await system.startController();
    const worker = await system.startWorker();
    const job = await system.submit(spec);
    for (let cuts = 1, inside = 0; inside < 1; cuts++) {
      expect(cuts, 'cuts that missed the inside of a window').toBeLessThan(12);
      await untilTraining(system, job, cuts * 40);
      const trainer = await trainerOf(worker);
      expect(await readProc(trainer, 'environ'), 'what it leaves behind goes with its worker').toContain(`TMPDIR=${join(system.folder, 'data', 'spool')}`);
      expect([await readProc(trainer, 'oom_score_adj'), await readProc(worker.pid, 'oom_score_adj')], 'the kernel takes it first').toEqual(['500\n', await readProc(process.pid, 'oom_score_adj')]);
      process.kill(trainer, 'SIGKILL');
      await untilEnded(system, job, cuts);
      inside = (await cutPositions(system, job)).filter((position) => position !== null && position % ACCUM_ITERS > 0).length;
    }
    const head = await system.terminal(job);
    await expectSameBits(system, job, head, reference);
    const attempts = await system.attempts(job);
    expect(attempts[0]!.end!.end_reason).toBe('preempted_kill');
    expect(attempts.reduce((sum, { end }) => sum + end!.executed_micro_batches - end!.wasted_micro_batches, 0)).toBe(reference.microBatches);
  });

  test('a preemption that comes twice, once for an attempt that is over', async () => {
    system = await startTestSystem();
    await system.startController();
    await system.startWorker();
    const job = await system.submit(spec);
    const one = (await untilTraining(system, job, 40)).owner!.attempt;
    expect(await system.queue.control.requestPreempt(job, one, { graceSeconds: 0 })).toBe(true);
    const two = await system.until(job, 'has its second attempt', ({ owner }) => owner?.number === 2);
    // At once, when it may still be loading, and when it trains.
    for (const seq of [two.seq, two.seq + 1]) {
      await system.until(job, 'is so far', (head) => head.seq >= seq);
      expect(await system.queue.control.requestPreempt(job, one, { graceSeconds: 0 }), 'nobody runs that one').toBe(false);
    }
    await system.until(job, 'trains on', ({ owner, seq }) => owner?.number === 2 && seq > two.seq + 2);
    expect(await system.queue.control.requestPreempt(job, two.owner!.attempt, { graceSeconds: 2 })).toBe(true);
    await expectSameBits(system, job, await system.terminal(job), reference);
    expect((await system.attempts(job)).map(({ end }) => end?.end_reason)).toEqual(['preempted_kill', 'preempted_notice', 'completed']);
  });

  test('SIGKILL of its supervisor, and another worker goes on within 15 s', async () => {
    system = await startTestSystem();
    await system.startController();
    const { url } = await system.startApi();
    const first = await system.startWorker();
    const job = await system.submit(spec);
    const before = await untilTraining(system, job, 40);
    const trainer = await trainerOf(first);
    const spools = (): Promise<string[]> => readdir(join(system.folder, 'data', 'spool'));
    const [left] = await spools();
    await system.startWorker();
    first.kill('SIGKILL');
    await first.exited;
    const killedAt = performance.now();
    // Commits already under way may still have landed; a second owner means that the job goes on.
    await system.until(job, 'has another owner', (head) => head.fence > before.fence, 20_000);
    const recoveryMs = performance.now() - killedAt;
    console.log(`recovered in ${Math.round(recoveryMs)} ms`);
    expect(recoveryMs).toBeLessThan(15_000);
    await waitFor('the trainer goes with its supervisor', () => Promise.resolve(!isRunning(trainer)));
    const head = await system.terminal(job);
    await expectSameBits(system, job, head, reference);
    const attempts = await system.attempts(job);
    expect(attempts.map(({ end }) => end?.end_reason)).toEqual(['lease_lost', 'completed']);
    expect(await spools(), 'what it left on the disk went when the other took the job over').toEqual([expect.not.stringMatching(left!)]);

    // Where the time went: silence until somebody knew, the line, loading. A beat may have been 2 s old when the worker died.
    const { timings } = attempts[1]!.end!;
    expect(timings.detect_ms).toBeGreaterThan(5_000);
    expect(timings.detect_ms + timings.queue_ms).toBeLessThan(recoveryMs + 2_500);
    expect(timings.load_ms).toBeGreaterThan(0);
    const { work, waste } = await makeClient({ url }).job(job);
    expect(work).toMatchObject({ executed: { micro_batches: reference.microBatches + waste.micro_batches }, kept: { micro_batches: reference.microBatches }, losses: 1 });
    expect(work.executed.seconds).toBeCloseTo(work.kept.seconds + waste.seconds, 6);
    expect([work.save_seconds! > 0, work.best_checkpoint_seconds! >= 5]).toEqual([true, true]);
    let figures = '';
    const figure = (name: string): number => Number(new RegExp(`^${name} (.*)$`, 'm').exec(figures)?.[1]);
    await waitFor('the fleet is told of the end', async () => {
      figures = await (await fetch(`${url}/metrics`)).text();
      return figure('pawl_attempts_ended_total\\{end_reason="completed"\\}') === 1;
    });
    // What a worker commits in the moment before it is killed, it tells nobody.
    const untold = work.executed.micro_batches - figure('pawl_micro_batches_executed_total');
    expect(untold).toBeGreaterThanOrEqual(0);
    expect(untold, 'one commit and what was computed meanwhile').toBeLessThan(60);
    expect([figure('pawl_micro_batches_kept_total'), figure('pawl_micro_batches_wasted_total')]).toEqual([work.kept.micro_batches - untold, waste.micro_batches]);
    // How long what was committed had taken is told by the speed of the moment, once in HEAD and once in the sums.
    const ratio = figure('pawl_training_seconds_executed_total') / work.executed.seconds;
    expect([ratio > 0.25, ratio < 4], `seconds in the sums for one in HEAD: ${ratio}`).toEqual([true, true]);
    expect(figure('pawl_recovery_detect_seconds_total')).toBeCloseTo(timings.detect_ms / 1_000, 6);
    expect([figure('pawl_recoveries_total'), figure('pawl_attempts_ended_total\\{end_reason="lease_lost"\\}')]).toEqual([1, 1]);
  });

  test('SIGKILL of Redis, restarted empty', async () => {
    system = await startTestSystem();
    await system.startController();
    await system.startWorker();
    const job = await system.submit(spec);
    const waiting = await system.submit({ ...spec, run: { priority: -1 } });
    const before = await untilTraining(system, job, 40);
    await system.redis.kill();
    // Redis away: training and committing go on.
    await system.until(job, 'commits without Redis', (head) => (head.retained.at(-1)?.micro_batches ?? 0) > (before.retained.at(-1)?.micro_batches ?? 0) + 30);
    await system.redis.restart({ empty: true });
    const head = await system.terminal(job);
    await expectSameBits(system, job, head, reference);
    expect((await system.attempts(job)).length, 'the owner kept its job').toBe(1);
    // The job whose only ticket was lost is found in the store.
    await expectSameBits(system, waiting, await system.terminal(waiting), reference);
    expect((await system.attempts(waiting)).map(({ end }) => end?.end_reason)).toEqual(['completed']);
  });

  test('a worker told to go by SIGTERM: it commits and exits, the next one goes on', async () => {
    system = await startTestSystem();
    await system.startController();
    const first = await system.startWorker();
    const job = await system.submit(spec);
    await untilTraining(system, job, 40);
    first.kill('SIGTERM');
    await first.exited;
    const after = await system.head(job);
    expect(after.owner).toBeNull();
    expect(after.state).toBe('open');
    await system.startWorker();
    const head = await system.terminal(job);
    await expectSameBits(system, job, head, reference);
    expect(head.counters.wasted_micro_batches).toBe(0);
  });

  test('a worker told to go that has longer to save', async () => {
    system = await startTestSystem({ env: { PAWL_SIGNAL_GRACE_SECONDS: '300' } });
    const worker = await system.startWorker();
    const job = await system.submit(spec);
    await untilTraining(system, job, 40);
    worker.kill('SIGTERM');
    await worker.exited;
    const leftMs = (await system.events(job)).find(({ type }) => type === 'job.preempting')?.data['deadline_ms'];
    expect(leftMs).toBeLessThanOrEqual(300_000);
    expect(leftMs).toBeGreaterThan(30_000);
  });
});

test('a trainer that always dies before a commit ends as crash_loop', async () => {
  system = await startTestSystem();
  await system.startController();
  const worker = await system.startWorker();
  const job = await system.submit({ ...spec, checkpoint: { every_seconds: 3600 } });
  let struck = 0;
  for (let over = false; !over; ) {
    const [trainer] = await childrenOf(worker.pid);
    const head = await system.head(job);
    over = head.state === 'failed';
    if (!trainer || head.owner === null || head.inputs === null) continue;
    process.kill(trainer, 'SIGKILL');
    struck++;
    await waitFor('it is gone', async () => !(await childrenOf(worker.pid)).includes(trainer));
  }
  const head = await system.terminal(job);
  expect(head.reason).toBe('crash_loop');
  expect(struck).toBeGreaterThanOrEqual(5);
  expect(head.counters.attempts).toBe(5);
  expect(head.seq).toBe(0);
});

test('the trainer is kept warm for a job of the same program, and replaced for another', async () => {
  system = await startTestSystem();
  await system.startController();
  const worker = await system.startWorker();
  const short = recipe(1);
  const pids: number[] = [];
  for (const next of [short, { ...short, training: { ...short.training, seed: 7 } }, { ...short, training: { ...short.training, batch_size: 20 } }]) {
    await system.terminal(await system.submit(next));
    pids.push(...(await waitFor('one idle trainer', async () => {
      const children = await childrenOf(worker.pid);
      return children.length === 1 && children;
    })));
  }
  expect(pids[1]).toBe(pids[0]);
  expect(pids[2]).not.toBe(pids[0]);
});

test('`pawl recover` gives back the tickets of an emptied Redis, without a controller', async () => {
  system = await startTestSystem();
  const job = await system.submit(spec);
  await system.redis.flush();
  expect(await system.queue.tickets.find({ job, gen: 0, fence: 0 })).toBeNull();
  execFileSync(process.execPath, [join(import.meta.dirname, '../../dist/api/cli/main.js'), 'recover'], { env: system.env, cwd: system.folder });
  expect(await system.queue.tickets.find({ job, gen: 0, fence: 0 })).not.toBeNull();
  await system.startWorker();
  await expectSameBits(system, job, await system.terminal(job), reference);
});

describe.skipIf(!withS3)('a job on S3 survives', () => {
  test('SIGKILL of the S3 server, restarted on its data', async () => {
    system = await startTestSystem({ store: 's3' });
    await system.startController();
    await system.startWorker();
    const job = await system.submit(spec);
    await untilTraining(system, job, 20);
    await system.s3!.kill();
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    await system.s3!.restart();
    const head = await system.terminal(job);
    await expectSameBits(system, job, head, reference);
    expect((await system.attempts(job)).length, 'the owner kept its job').toBe(1);
  });
});
