// Out of memory for real: a control group with less memory than a trainer takes. The kernel ends the trainer, the job says
// so, and with memory again it goes on to the same bits. Needs the right to make a control group (root, or a delegated one).
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../lib/clock.js';
import { retryJob } from '../../lib/jobs/control.js';
import { startTestSystem, type TestSystem, waitFor } from '../support/system.js';
import { expectSameBits, recipe, type Reference, undisturbed, untilEnded } from './recipe.js';

interface Group {
  add(pid: number): void;
  limit(bytes: number | null): void;
  kills(): number;
  remove(): void;
}

/** Null where none can be made. */
function makeGroup(): Group | null {
  for (const [root, limit, events, none] of [['/sys/fs/cgroup/memory', 'memory.limit_in_bytes', 'memory.oom_control', '-1'], ['/sys/fs/cgroup', 'memory.max', 'memory.events', 'max']] as const) {
    const folder = join(root, `pawl-test-${process.pid}`);
    try {
      mkdirSync(folder);
    } catch {
      continue;
    }
    if (!existsSync(join(folder, limit))) {
      rmdirSync(folder);
      continue;
    }
    return {
      add: (pid) => writeFileSync(join(folder, 'cgroup.procs'), String(pid)),
      limit: (bytes) => writeFileSync(join(folder, limit), bytes === null ? none : String(bytes)),
      kills: () => Number(/^oom_kill (\d+)$/m.exec(readFileSync(join(folder, events), 'utf8'))?.[1]),
      remove: () => rmdirSync(folder),
    };
  }
  return null;
}

const group = makeGroup();
if (group === null) console.log('*** OUT-OF-MEMORY TEST SKIPPED: no control group with a memory limit can be made here ***');

let system: TestSystem;
let reference: Reference;
const spec = { ...recipe(2), run: { max_failures: 0 } };
beforeAll(async () => {
  reference = await undisturbed(spec);
}, 120_000);
afterEach(async () => {
  await system.stop();
  // a group goes when its last process has
  await waitFor('the control group is empty', () => Promise.resolve(attempt(() => group?.remove())));
});

function attempt(act: () => void): boolean {
  try {
    act();
    return true;
  } catch {
    return false;
  }
}

test.skipIf(group === null)('a trainer that the kernel ends for want of memory is an oom, and with memory the job goes on to the same bits', async () => {
  system = await startTestSystem();
  await system.startController();
  const worker = await system.startWorker();
  group!.add(worker.pid);
  // less than TensorFlow takes for itself; the supervisor's own memory was charged elsewhere
  group!.limit(80 * 2 ** 20);
  const job = await system.submit(spec);
  const failed = await system.until(job, 'fails', (head) => head.state === 'failed');
  expect(group!.kills(), 'the kernel ended something').toBeGreaterThan(0);
  expect(worker.isAlive(), 'the supervisor lives').toBe(true);
  expect(failed).toMatchObject({ reason: 'max_failures', error: { code: 'oom', message: expect.stringContaining('for want of memory') as string } });

  // HEAD says so first, then the attempt's own record.
  await untilEnded(system, job, 1);
  expect((await system.attempts(job)).map(({ end }) => end?.end_reason)).toEqual(['oom']);

  group!.limit(null);
  await waitFor('it is closed', async () => (await system.store.head(`open/${job}.${failed.gen}`)) === null);
  await retryJob({ store: system.store, clock: systemClock, tickets: system.queue.tickets, log: { warn: () => undefined } }, job);
  await system.until(job, 'succeeds', (head) => head.state === 'succeeded');
  await expectSameBits(system, job, await system.head(job), reference);
});
