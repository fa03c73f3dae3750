// Refilling an empty Redis from the store with `pawl recover`, as a whole command: ten thousand open jobs, most of which wait
// for their first worker and some for their next one. On a folder, and on an S3 server on this machine.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { ulid } from 'ulid';
import { packageRoot } from '../../../api/cli/package-root.js';
import type { Head, JobRecord } from '../../../lib/contract/records.js';
import { attemptEnded, claimed, emptyHead, NOTHING_DONE } from '../../../lib/jobs/lifecycle.js';
import { headKey, jobKey, openKey } from '../../../lib/jobs/names.js';
import { inParallel } from '../../../lib/jobs/recent.js';
import { runLimits } from '../../../lib/jobs/reconcile.js';
import { toJson } from '../../../lib/jobs/record.js';
import { resolveSpec } from '../../../lib/jobs/spec/resolve.js';
import { BY_A_USER, openMarker } from '../../../lib/jobs/submit.js';
import { connectQueue, type Ticket } from '../../../lib/queue/index.js';
import type { Store } from '../../../lib/store/index.js';
import { openStore, type OpenStoreOptions } from '../../../lib/store/open.js';
import { startRedis } from '../../support/redis.js';
import { s3ServerAvailable, startS3Server } from '../../support/s3-server.js';
import type { Bench, Benchmark } from '../benchmark.js';
import { digitsNetwork, specOf } from '../networks.js';
import { makeFolder } from '../system.js';

const JOBS = 10_000;
/** Of all: every so manieth had an attempt and waits for the next one. */
const STARTED_EVERY = 5;
const WRITERS = 32;
const OURS = /^(PAWL_|REDIS_URL$|S3_ENDPOINT$|AWS_)/;

interface Place {
  url: string;
  options: OpenStoreOptions;
  env: Record<string, string>;
}

function jobs(count: number): { record: JobRecord; head: Head }[] {
  const resolved = resolveSpec(specOf(digitsNetwork(5))(1_000));
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  const now = new Date();
  return Array.from({ length: count }, (_, index) => {
    const record: JobRecord = { id: `job_${ulid().toLowerCase()}`, created_at: now.toISOString(), spec: resolved.spec, ...BY_A_USER };
    if (index % STARTED_EVERY > 0) return { record, head: emptyHead() };
    const owned = claimed(emptyHead(), { attempt: ulid(), worker: 'wrk_gone', now, displaced: NOTHING_DONE });
    return { record, head: attemptEnded(owned, { kind: 'stopped', reason: 'preempted_notice', message: 'notice' }, NOTHING_DONE, runLimits(record), now) };
  });
}

/** What acknowledged jobs have in the store; their tickets are what is missing. */
async function write(store: Store, all: readonly { record: JobRecord; head: Head }[]): Promise<Ticket[]> {
  return inParallel(all, WRITERS, async ({ record, head }) => {
    await store.put(openKey(record.id, head.gen), toJson(openMarker(record)));
    await store.putIfAbsent(jobKey(record.id), toJson(record));
    if (head.fence > 0) await store.putIfAbsent(headKey(record.id), toJson(head));
    return { job: record.id, gen: head.gen, fence: head.fence };
  });
}

/** Seconds, of each round; the same jobs every time. */
async function measure(bench: Bench, place: Place, count: number): Promise<number[]> {
  const folder = await makeFolder(bench.undo);
  const redis = await startRedis({ appendonly: true });
  const stop = bench.undo.add(() => redis.stop());
  const store = await openStore(place.url.replace('FOLDER', folder.path), place.options);
  const tickets = await write(store, jobs(count));
  await store.close();
  bench.say(`  ${count} jobs are in ${store.description}`);
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !OURS.test(name)));
  const env = { ...inherited, ...place.env, REDIS_URL: redis.url, PAWL_STORE: place.url.replace('FOLDER', folder.path), PAWL_DATA_DIR: join(folder.path, 'data') };
  const values: number[] = [];
  for (let round = 1; round <= bench.pairs; round++) {
    const admin = new Redis(redis.url);
    await admin.flushall();
    admin.disconnect();
    const from = performance.now();
    await promisify(execFile)(process.execPath, [join(packageRoot(), 'dist/api/cli/main.js'), 'recover'], { env });
    values.push((performance.now() - from) / 1_000);
    const queue = connectQueue({ url: redis.url });
    const found = await queue.tickets.hasMany(tickets);
    await queue.close();
    if (!found.every(Boolean)) throw new Error(`${found.filter((is) => !is).length} of ${count} tickets are missing`);
    bench.say(`  ${round} of ${bench.pairs}: ${values.at(-1)!.toFixed(2)} s`);
  }
  await stop();
  await folder.remove();
  return values;
}

async function onS3(bench: Bench, count: number): Promise<number[]> {
  if (!(await s3ServerAvailable())) throw new Error('versitygw is not here: npm run setup -- --s3');
  const s3 = await startS3Server();
  const stop = bench.undo.add(() => s3.stop());
  const { endpoint, region, accessKey, secretKey, bucket } = s3;
  const values = await measure(bench, {
    url: `s3://${bucket}/jobs`,
    options: { s3: { endpoint, region, credentials: { accessKeyId: accessKey, secretAccessKey: secretKey } } },
    env: { S3_ENDPOINT: endpoint, AWS_REGION: region, AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey },
  }, count);
  await stop();
  return values;
}

export const recover: Benchmark = {
  name: 'recover',
  title: 'refilling an empty Redis from the store',
  claims: [
    { id: 'folder', text: `\`pawl recover\` of ${JOBS.toLocaleString('en')} open jobs, from a folder`, unit: 's', goal: { below: 10 } },
    { id: 's3', text: `\`pawl recover\` of ${JOBS.toLocaleString('en')} open jobs, from an S3 server on this machine`, unit: 's', goal: null },
  ],
  run: async (bench: Bench) => {
    bench.measured('folder', await measure(bench, { url: 'file:FOLDER/store', options: {}, env: {} }, JOBS), 'the whole command; every fifth job had an attempt');
    bench.measured('s3', await onS3(bench, JOBS), 'versitygw, on the same cores');
  },
};
