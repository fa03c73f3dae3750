// What a preemption costs: micro-batches that are computed again, and the time until a job trains again. Four preemptions at equal
// points of one job, heard of beforehand or not; and each kind of death again and again.
import { startTestSystem, type TestSystem, trainerOf, waitFor, type Proc } from '../../support/system.js';
import { s3ServerAvailable } from '../../support/s3-server.js';
import type { Head } from '../../../lib/contract/records.js';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import { isTerminal } from '../../../lib/jobs/lifecycle.js';
import type { Bench, Benchmark } from '../benchmark.js';
import { sleep } from '../jobs.js';

const PREEMPTIONS = 4;
/** Training between two commits of the job that is preempted at equal points: longer than a commit takes, or the next would wait for it. */
const INTERVAL_SECONDS = 1;
const ACCUM_ITERS = 5;
const GRACE_SECONDS = 15;
/** Training between two points. What an attempt has executed is told about once a second, and it may go on for as long as its grace lasts. */
const APART_SECONDS = { notice: GRACE_SECONDS + 5, kill: 5 };
/** In which the pace is found. */
const PACE_SECONDS = 10;
const LOOK_MS = 5;

/** 650,000 weights: with Adam's slots and the gradients of an open window, a state of 10.5 MB. */
function spec(more: Partial<JobSpecInput>): JobSpecInput {
  return {
    data: { type: 'builtin', name: 'digits', normalize: 'unit' },
    model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 2048, activation: 'relu' }, { type: 'dense', units: 256, activation: 'relu' }, { type: 'dense', units: 10, activation: 'softmax' }] },
    training: { batch_size: 10, accum_iters: ACCUM_ITERS, epochs: 100_000, max_updates: 1_000_000, optimizer: { type: 'adam' }, seed: 1 },
    ...more,
  };
}

const committed = (head: Head): number => head.retained.at(-1)?.micro_batches ?? 0;

async function poll<T>(what: string, look: () => Promise<T | null | false>): Promise<T> {
  for (let looks = 0; looks < 120_000 / LOOK_MS; looks++) {
    const found = await look();
    if (found) return found;
    await sleep(LOOK_MS);
  }
  throw new Error(`not within two minutes: ${what}`);
}

/** Micro-batches that its owner says it has executed, all attempts together. */
const executed = async (system: TestSystem, job: string): Promise<number> => (await system.queue.heartbeats.read(job))?.progress?.micro_batches ?? 0;

/** Another attempt than `before` trains. */
async function trainsAgain(system: TestSystem, job: string, before: string): Promise<void> {
  await poll(`${job} trains again`, async () => {
    const beat = await system.queue.heartbeats.read(job);
    return beat !== null && beat.attempt !== before && beat.phase === 'running';
  });
}

const ownerOf = async (system: TestSystem, job: string): Promise<string> => (await system.head(job)).owner!.attempt;

async function inSystem(bench: Bench, store: 'file' | 's3', run: (system: TestSystem) => Promise<void>): Promise<void> {
  const system = await startTestSystem({ store });
  const stop = bench.undo.add(() => system.stop());
  await system.startController();
  await run(system);
  await stop();
}

/** Micro-batches a second of an undisturbed job. */
async function paceOf(bench: Bench): Promise<number> {
  let pace = 0;
  await inSystem(bench, 'file', async (system) => {
    await system.startWorker();
    const job = await system.submit(spec({}));
    await poll('it trains', async () => (await executed(system, job)) > 0);
    const [before, from] = [await executed(system, job), performance.now()];
    await sleep(PACE_SECONDS * 1_000);
    pace = ((await executed(system, job)) - before) / ((performance.now() - from) / 1_000);
    await system.queue.control.requestPreempt(job, null, { graceSeconds: 2 });
  });
  return pace;
}

/** Wasted micro-batches of a job that is preempted four times, by `strike`. */
async function preempted(bench: Bench, { updates, interval }: { updates: number; interval: number }, strike: (system: TestSystem, job: string, worker: Proc) => Promise<void>): Promise<{ wasted: number; executed: number }> {
  let counts = { wasted: 0, executed: 0 };
  await inSystem(bench, 'file', async (system) => {
    const worker = await system.startWorker();
    const { training } = spec({});
    const job = await system.submit(spec({ training: { ...training, max_updates: updates }, checkpoint: { every_micro_batches: interval } }));
    for (let n = 1; n <= PREEMPTIONS; n++) {
      await poll(`point ${n}`, async () => {
        if ((await executed(system, job)) >= (n * updates * ACCUM_ITERS) / (PREEMPTIONS + 1)) return true;
        if (isTerminal((await system.head(job)).state)) throw new Error(`the job was over before point ${n} was seen`);
        return false;
      });
      await strike(system, job, worker);
      await poll(`${n} ended attempts`, async () => (await system.attempts(job)).filter(({ end }) => end !== null).length >= n);
    }
    const head = await system.terminal(job);
    const ends = (await system.attempts(job)).map(({ end }) => end?.end_reason);
    if (head.state !== 'succeeded' || ends.length !== PREEMPTIONS + 1) throw new Error(`${head.state} after ${ends.join(', ')}`);
    counts = { wasted: head.counters.wasted_micro_batches, executed: head.counters.executed_micro_batches };
  });
  return counts;
}

/** Seconds, of each time. */
async function again(bench: Bench, times: number, store: 'file' | 's3', begin: (system: TestSystem) => Promise<Proc[]>, once: (system: TestSystem, job: string, workers: Proc[]) => Promise<number>): Promise<number[]> {
  const values: number[] = [];
  await inSystem(bench, store, async (system) => {
    const workers = await begin(system);
    const job = await system.submit(spec({ checkpoint: { every_seconds: 1 } }));
    for (let n = 0; n < times; n++) {
      const before = await system.head(job).then(committed);
      await waitFor('it trains, and has committed', async () => (await system.queue.heartbeats.read(job))?.phase === 'running' && (await system.head(job).then(committed)) > before, 60_000);
      values.push((await once(system, job, workers)) / 1_000);
      bench.say(`  ${n + 1} of ${times}: ${values.at(-1)!.toFixed(2)} s`);
    }
    await system.queue.control.requestPreempt(job, null, { graceSeconds: 2 });
  });
  return values;
}

/** The value that so many of a hundred do not exceed. */
function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]!;
}

const spread = (values: readonly number[]): string => `${values.length} times, from ${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)} s`;

export const preemption: Benchmark = {
  name: 'preemption',
  title: 'what preemptions cost',
  claims: [
    { id: 'notice-waste', text: `micro-batches computed again after ${PREEMPTIONS} notices`, unit: '', goal: { below: 0.5 } },
    { id: 'kill-waste', text: `intervals between commits computed again after ${PREEMPTIONS} kills without notice`, unit: '', goal: null },
    { id: 'trainer-kill', text: 'SIGKILL of a trainer until its job trains again, p95', unit: 's', goal: { below: 2 } },
    { id: 'worker-kill', text: 'SIGKILL of a worker until its job trains again on another one, p95', unit: 's', goal: { below: 15 } },
    { id: 'notice-commit', text: 'a notice until all is committed, 10.5 MB to an S3 server on this machine, p99', unit: 's', goal: { below: 1 } },
  ],
  run: async (bench: Bench) => {
    const times = 4 * bench.pairs;
    const [heard, unheard]: number[][] = [[], []];
    const pace = await paceOf(bench);
    const interval = Math.ceil(pace * INTERVAL_SECONDS);
    const sized = (apartSeconds: number): { updates: number; interval: number } => ({ updates: Math.ceil((pace * apartSeconds * (PREEMPTIONS + 1)) / ACCUM_ITERS), interval });
    bench.say(`  ${pace.toFixed(0)} micro-batches a second`);
    for (let round = 0; round < Math.ceil(bench.pairs / 2); round++) {
      const notices = await preempted(bench, sized(APART_SECONDS.notice), async (system, id) => void (await system.queue.control.requestPreempt(id, null, { graceSeconds: GRACE_SECONDS })));
      const kills = await preempted(bench, sized(APART_SECONDS.kill), async (_system, _job, worker) => void process.kill(await trainerOf(worker), 'SIGKILL'));
      bench.say(`  ${notices.wasted} of ${notices.executed} micro-batches wasted with notices, ${kills.wasted} of ${kills.executed} without`);
      heard!.push(notices.wasted);
      unheard!.push(kills.wasted / interval);
    }
    bench.measured('notice-waste', heard!, `grace ${GRACE_SECONDS} s`);
    bench.measured('kill-waste', unheard!, `commits every ${interval} micro-batches, a second: half an interval a kill is to be expected, ${PREEMPTIONS / 2} in all`);

    const trainers = await again(bench, times, 'file', async (system) => [await system.startWorker()], async (system, job, [worker]) => {
      const before = await ownerOf(system, job);
      const pid = await trainerOf(worker!);
      const from = performance.now();
      process.kill(pid, 'SIGKILL');
      await trainsAgain(system, job, before);
      return performance.now() - from;
    });
    bench.measured('trainer-kill', [percentile(trainers, 0.95)], spread(trainers));

    // The other worker has run a job of the same program before: it is warm from the second time on.
    const workers = await again(bench, times, 'file', async (system) => [await system.startWorker(), await system.startWorker()], async (system, job, fleet) => {
      const head = await system.head(job);
      const pid = (await system.queue.workers.list()).find(({ id }) => id === head.owner!.worker)!.pid;
      const victim = fleet.findIndex((worker) => worker.pid === pid);
      const from = performance.now();
      fleet[victim]!.kill('SIGKILL');
      await trainsAgain(system, job, head.owner!.attempt);
      const took = performance.now() - from;
      fleet[victim] = await system.startWorker();
      return took;
    });
    bench.measured('worker-kill', [percentile(workers, 0.95)], spread(workers));

    if (!(await s3ServerAvailable())) throw new Error('versitygw is not here: npm run setup -- --s3');
    const notices = await again(bench, times, 's3', async (system) => [await system.startWorker()], async (system, job) => {
      const before = await ownerOf(system, job);
      const from = performance.now();
      // Too short to train on: what is measured is the stop and the save.
      await system.queue.control.requestPreempt(job, null, { graceSeconds: 2 });
      await poll('it is committed', async () => {
        const { owner } = await system.head(job);
        return owner?.attempt !== before;
      });
      return performance.now() - from;
    });
    bench.measured('notice-commit', [percentile(notices, 0.99)], spread(notices));
  },
};
