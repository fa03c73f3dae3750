// How soon a warm worker trains: from the submission of a job whose program its trainer has just run, and from a preemption,
// in both cases to the end of the first micro-batch, as the job's own first row tells it (a window is one micro-batch here).
import type { Client } from '../../../api/client.js';
import type { Bench, Benchmark, BenchSystem } from '../benchmark.js';
import { ended, poll, runJob } from '../jobs.js';
import { digitsNetwork, specOf } from '../networks.js';
import { quantile } from '../statistics.js';
import { startBenchSystem } from '../system.js';

const ENDLESS = 1_000_000_000;
/** Of each kind, a round. */
const TIMES = 8;
const spec = specOf(digitsNetwork(1));

/** Milliseconds from the job's creation to its first row. */
async function startMs(client: Client): Promise<number> {
  const job = await runJob(client, spec(20));
  const [row] = (await client.updateRows(job.id, { limit: 1 })).data;
  if (!row || job.attempts.length !== 1) throw new Error(`the job ${job.id} has ${job.attempts.length} attempts`);
  return row.wall_time * 1_000 - Date.parse(job.created_at);
}

/** Micro-batches that attempt `number` began with, by its own event. */
async function beganAt(client: Client, id: string, number: number): Promise<number> {
  let after: number | string | undefined;
  return poll(`attempt ${number} trains`, 20, async () => {
    const page = await client.events(id, { limit: 100, ...(after === undefined ? {} : { after }) });
    after = page.last_id ?? after;
    const event = page.data.find((each) => each.type === 'attempt.training' && each.attempt === number);
    return event ? Number(event.data['micro_batches']) : null;
  });
}

async function rowAfter(client: Client, id: string, updates: number): Promise<number> {
  return poll(`the row after update ${updates}`, 20, async () => {
    const [row] = (await client.updateRows(id, { after: updates, limit: 1 })).data;
    return row && row.update === updates + 1 ? row.wall_time * 1_000 : null;
  });
}

/** Milliseconds from asking for a preemption to the end of the first micro-batch after it, `TIMES` times in one job. */
async function resumeMs(client: Client): Promise<number[]> {
  const { job } = await client.submit(spec(ENDLESS));
  const times: number[] = [];
  await rowAfter(client, job.id, await beganAt(client, job.id, 1));
  for (let number = 2; number <= TIMES + 1; number++) {
    const from = Date.now();
    // Too little to go on training: from here on it is stopping, saving, waiting and resuming.
    await client.preempt(job.id, 2);
    times.push((await rowAfter(client, job.id, await beganAt(client, job.id, number))) - from);
  }
  await client.verb(job.id, 'cancel');
  await ended(client, job.id, 'cancelled');
  return times;
}

async function oneRound({ client }: BenchSystem): Promise<{ start: number[]; resume: number[] }> {
  const start: number[] = [];
  for (let i = 0; i < TIMES; i++) start.push(await startMs(client));
  return { start, resume: await resumeMs(client) };
}

export const warm: Benchmark = {
  name: 'warm',
  title: 'how soon a warm worker trains, after a submission and after a preemption',
  claims: [
    { id: 'start', text: `submission to first micro-batch, p95 of ${TIMES}`, unit: 's', goal: { below: 0.5 } },
    { id: 'resume', text: `preemption to next micro-batch, longest of ${TIMES}`, unit: 's', goal: { below: 1 } },
  ],
  run: async (bench: Bench) => {
    const system = await startBenchSystem(bench.undo);
    // The first one loads the engine.
    await startMs(system.client);
    const [start, resume]: [number[], number[]] = [[], []];
    for (let round = 1; round <= bench.pairs; round++) {
      const times = await oneRound(system);
      start.push(quantile(times.start, 0.95) / 1_000);
      resume.push(Math.max(...times.resume) / 1_000);
      bench.say(`  ${round} of ${bench.pairs}: start ${start.at(-1)!.toFixed(3)} s, resume ${resume.at(-1)!.toFixed(3)} s`);
    }
    bench.measured('start', start);
    bench.measured('resume', resume, 'by notice, on the only worker; stop, commit, queue, claim and restore included');
    await system.close();
  },
};
