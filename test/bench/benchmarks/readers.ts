// One API process before many: a thousand event streams of jobs that run, ten thousand jobs in its list. How soon an event is
// with its readers, how soon a page of the list and a job are there meanwhile, and what memory that takes.
import { ulid } from 'ulid';
import type { Client } from '../../../api/client.js';
import type { JobEvent } from '../../../lib/contract/rows.js';
import { connectQueue } from '../../../lib/queue/index.js';
import { openStore } from '../../../lib/store/open.js';
import { ownJob, type TestOwner } from '../../support/owner.js';
import { type Bench, type Benchmark, type BenchSystem, QUICK } from '../benchmark.js';
import { type EventReader, readEvents } from '../event-reader.js';
import { poll, sleep } from '../jobs.js';
import { digitsNetwork, specOf } from '../networks.js';
import { peakMib } from '../process-memory.js';
import { quantile } from '../statistics.js';
import { startBenchSystem } from '../system.js';

const READERS = 1_000;
const JOBS = 10_000;
/** Of all jobs: those that are over, with a summary each. The others wait for their time. */
const OVER = 0.5;
/** That are read. */
const RUNNING = 40;
/** What one of them says: several times as much as a job with short epochs does. */
const EVENT_EVERY_MS = 1_000;
/** Of the client that asks for pages and jobs meanwhile. */
const PAUSE_MS = 20;
const BEAT_EVERY_MS = 1_000;
const CALLERS = 8;
/** Connections that are opened side by side. */
const OPENING = 50;

/** A job whose time has not come: no worker takes it. */
const spec = (): Record<string, unknown> => ({ ...specOf(digitsNetwork(5))(1_000), run: { start_after: new Date(Date.now() + 86_400_000).toISOString() } });

async function each<T>(values: readonly T[], width: number, run: (value: T) => Promise<unknown>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < values.length; index = next++) await run(values[index]!);
  };
  await Promise.all(Array.from({ length: width }, work));
}

async function fill(client: Client, count: number): Promise<string[]> {
  const ids: string[] = [];
  await each(Array.from({ length: count }), CALLERS, async () => ids.push((await client.submit(spec())).job.id));
  await each(ids.slice(0, count * OVER), CALLERS, (id) => client.verb(id, 'cancel'));
  return ids;
}

/** A job that says things, and those who hear them. */
interface Channel {
  job: string;
  owner: TestOwner;
  /** The id of the last event that it said. */
  last: number;
  readers: EventReader[];
}

interface Fleet {
  channels: Channel[];
  end(): Promise<void>;
}

/** Jobs that are owned by this process: a real one trains on the machine that is measured. */
async function ownJobs({ client, redisUrl, store: url }: BenchSystem, bench: Bench): Promise<Fleet> {
  const store = await openStore(url, {});
  const queue = connectQueue({ url: redisUrl });
  const channels: Channel[] = [];
  for (let i = 0; i < RUNNING; i++) {
    const { job } = await client.submit(spec());
    const owner = await ownJob(store, queue, job.id, `wrk_${ulid().toLowerCase()}`);
    channels.push({ job: job.id, owner, last: owner.claim.head().counters.events, readers: [] });
  }
  const beat = (): void => void each(channels, CALLERS, ({ owner }) => owner.beat('running')).catch(() => undefined);
  beat();
  const beats = setInterval(beat, BEAT_EVERY_MS);
  const end = bench.undo.add(async () => {
    clearInterval(beats);
    for (const { readers } of channels) for (const reader of readers) reader.stop();
    await queue.close();
    await store.close();
  });
  return { channels, end };
}

const said = (id: number): JobEvent => ({ id, type: 'epoch.completed', at: new Date().toISOString(), attempt: 1, message: 'an epoch was completed', data: { said: performance.now() } });

/** For so long, all of them say an event every `EVENT_EVERY_MS`, one after another. */
async function talk(channels: readonly Channel[], seconds: number): Promise<void> {
  const from = performance.now();
  const gapMs = EVENT_EVERY_MS / channels.length;
  const pending: Promise<void>[] = [];
  for (let n = 0; performance.now() - from < seconds * 1_000; n++) {
    const channel = channels[n % channels.length]!;
    channel.last += 1;
    pending.push(channel.owner.say(said(channel.last)));
    await sleep(Math.max(0, from + (n + 1) * gapMs - performance.now()));
  }
  await Promise.all(pending);
}

/** Every reader has every event of its job, each once. */
async function allHeard(channels: readonly Channel[]): Promise<void> {
  await poll('every reader has every event', 20, async () => (channels.every(({ last, readers }) => readers.every(({ ids }) => ids.at(-1)! >= last)) ? true : null), 30_000);
  for (const { job, last, readers } of channels) {
    const first = readers[0]!.ids.indexOf(last);
    for (const { ids } of readers) if (new Set(ids).size !== ids.length || ids.indexOf(last) !== first) throw new Error(`a reader of ${job} has ${ids.length} events, and not those of the others`);
  }
}

const time = async (call: () => Promise<unknown>): Promise<number> => {
  const from = performance.now();
  await call();
  return performance.now() - from;
};

interface Times {
  page: number[];
  longPage: number[];
  job: number[];
}

/** What a page of people does: pages from anywhere in the list, and jobs. */
async function look(client: Client, ids: readonly string[], times: Times, until: () => boolean): Promise<void> {
  for (let n = 0; !until(); n++) {
    const id = ids[(n * 7_919) % ids.length]!;
    times.page.push(await time(() => client.jobs({ after: id })));
    await sleep(PAUSE_MS);
    times.longPage.push(await time(() => client.jobs({ after: id, limit: 100 })));
    await sleep(PAUSE_MS);
    times.job.push(await time(() => client.job(id)));
    await sleep(PAUSE_MS);
  }
}

export const readers: Benchmark = {
  name: 'readers',
  title: `${READERS} event streams and ${JOBS} jobs on one API process`,
  claims: [
    { id: 'memory', text: 'API, peak memory', unit: 'MiB', goal: { below: 512 } },
    { id: 'delivery', text: 'p95 from an event being said to a reader having it', unit: 'ms', goal: { below: 100 } },
    { id: 'page', text: 'p95 of GET /v1/jobs, 20 jobs from anywhere', unit: 'ms', goal: { below: 100 } },
    { id: 'long-page', text: 'p95 of GET /v1/jobs, 100 jobs from anywhere', unit: 'ms', goal: null },
    { id: 'job', text: 'p95 of GET /v1/jobs/{id}', unit: 'ms', goal: { below: 50 } },
  ],
  run: async (bench: Bench) => {
    const share = bench.durations === QUICK ? 0.1 : 1;
    const system = await startBenchSystem(bench.undo);
    const { client, pids } = system;
    bench.say(`  taking in ${JOBS * share} jobs`);
    const ids = await fill(client, JOBS * share);
    const { channels, end } = await ownJobs(system, bench);
    let latencies: number[] = [];
    const heard = ({ data }: { data: Record<string, unknown> }): void => {
      if (typeof data['said'] === 'number') latencies.push(performance.now() - data['said']);
    };
    const opened = await time(() =>
      each(Array.from({ length: READERS * share }, (_, index) => channels[index % channels.length]!), OPENING, async ({ job, readers: all }) => {
        all.push(await readEvents(client.url, job, heard));
      }),
    );
    bench.say(`  ${READERS * share} readers after ${(opened / 1_000).toFixed(1)} s`);
    const seen = { memory: [] as number[], delivery: [] as number[], page: [] as number[], 'long-page': [] as number[], job: [] as number[] };
    for (let round = 1; round <= bench.pairs; round++) {
      latencies = [];
      const times: Times = { page: [], longPage: [], job: [] };
      let over = false;
      const looking = look(client, ids, times, () => over);
      await talk(channels, bench.durations.window).finally(() => (over = true));
      await looking;
      await allHeard(channels);
      seen.memory.push(await peakMib(pids.api));
      seen.delivery.push(quantile(latencies, 0.95));
      seen.page.push(quantile(times.page, 0.95));
      seen['long-page'].push(quantile(times.longPage, 0.95));
      seen.job.push(quantile(times.job, 0.95));
      bench.say(`  ${round} of ${bench.pairs}: ${latencies.length} deliveries, ${times.job.length} rounds of requests; ${Object.entries(seen).map(([name, values]) => `${name} ${values.at(-1)!.toFixed(0)}`).join(', ')}`);
    }
    // What is over ends all its streams.
    await each(channels, CALLERS, ({ owner }) => owner.end({ kind: 'failed', reason: 'invalid_data', error: { code: 'invalid_data', message: 'the end of the benchmark', param: null }, retryable: false }));
    await poll('every stream has ended', 50, async () => (channels.every(({ readers: all }) => all.every((reader) => reader.ended)) ? true : null), 30_000);
    bench.measured('memory', seen.memory, `with ${READERS * share} readers and ${JOBS * share} jobs`);
    bench.measured('delivery', seen.delivery, `${channels.length} jobs say an event a second, to ${(READERS * share) / channels.length} readers each; through Redis, both ends on the machine that is measured`);
    bench.measured('page', seen.page);
    bench.measured('long-page', seen['long-page']);
    bench.measured('job', seen.job);
    await end();
    await system.close();
  },
};
