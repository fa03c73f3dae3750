// After the last strike: what was begun is seen through, and what can only be judged at the end is judged. Nothing is hurt any more,
// so patience has limits that say something.
import { readdir, readFile } from 'node:fs/promises';
import type { Segment } from '../../../lib/contract/records.js';
import { segmentsOf, segmentsWithin } from '../../../lib/jobs/history.js';
import { isTerminal } from '../../../lib/jobs/lifecycle.js';
import { jobFolder, openKey } from '../../../lib/jobs/names.js';
import { leakedBlobs } from './invariants/objects.js';
import { resubmit } from './jobs.js';
import { type Run, sleep, type Tracked } from './state.js';
import { manifestOf, survey } from './watch.js';

/** Two passes of a controller, and then some. */
const CLOSING_MS = 150_000;
const RESUBMIT_MS = 30_000;
const GONE_MS = 15_000;

/** With the system still up. */
export async function judgeTheEnd(run: Run): Promise<void> {
  for (const job of run.jobs) {
    await within(run, RESUBMIT_MS, () => resubmit(run, job)).then((said) => said || run.violate('ledger', job, ['its submission cannot be repeated under its key']));
    if (run.signal.aborted) return;
  }
  await Promise.all(run.jobs.map((job) => judgeJob(run, job)));
}

async function judgeJob(run: Run, job: Tracked): Promise<void> {
  const { store, client } = run.system;
  const { head } = job;
  if (!head || run.signal.aborted) return;
  const closed = await within(run, CLOSING_MS, async () => (await store.head(openKey(job.id, head.gen))) === null);
  if (!closed) run.violate('ledger', job, [`it is ${head.state}, and its open marker is still there after ${CLOSING_MS / 1_000} s`]);
  job.hashed.clear();
  await survey(run, job);
  const blobs: string[] = [];
  for await (const key of store.keys(`${jobFolder(job.id)}data/`)) blobs.push(key);
  const manifests = await Promise.all(head.retained.map(({ manifest }) => manifestOf(run, job, manifest)));
  const segments = new Map<string, Segment>();
  for (const manifest of manifests) {
    if (manifest === null) continue;
    for await (const segment of segmentsWithin(store, segmentsOf(manifest), ({ key }) => segments.has(key))) segments.set(segment.key, segment);
  }
  const leaked = leakedBlobs(head, [...segments.values()], blobs);
  if (leaked.length > 0) run.violate('leak', job, [`${leaked.length} blobs that nothing refers to: ${leaked.slice(0, 5).join(', ')}`]);
  const seen = await client.job(job.id).catch(() => null);
  if (seen === null) run.violate('ledger', job, ['the API does not tell of it']);
  else if (isTerminal(head.state) && (seen.status !== head.state || seen.result?.weights_sha256 !== head.result?.weights_sha256)) run.violate('ledger', job, [`the API says ${seen.status} of a job that ${head.state}`]);
}

/** After the system has ended: nothing of it runs any more, and no temporary file of its processes is left. */
export async function judgeWhatIsLeft(run: Run): Promise<void> {
  let left = await run.system.processes();
  for (const until = Date.now() + GONE_MS; left.length > 0 && Date.now() < until; left = await run.system.processes()) await sleep(200);
  const files = await readdir(run.system.temporary);
  run.violate('left', null, [...left.map(({ pid, command }) => `process ${pid}: ${command}`), ...files.map((name) => `temporary file ${name}`)]);
  for (const { pid } of left) process.kill(pid, 'SIGKILL');
}

async function within(run: Run, limitMs: number, what: () => Promise<boolean>): Promise<boolean> {
  for (const until = Date.now() + limitMs; !run.signal.aborted; await sleep(250, run.signal)) {
    if (await what().catch(() => false)) return true;
    if (Date.now() > until) return false;
  }
  return true;
}

/** What is known of a job when an invariant is broken. */
export async function describeJob(run: Run, job: Tracked): Promise<string> {
  const log = await readFile(run.system.logFile, 'utf8').catch(() => '');
  const lines = log.split('\n').filter((line) => line.includes(job.id)).slice(-60);
  const events = await run.system.client.events(job.id, { limit: 100 }).then(({ data }) => data.slice(-20), () => job.head?.events ?? []);
  return [`${job.id} (${job.recipe.name})`, `HEAD ${JSON.stringify(job.head)}`, ...events.map((event) => `event ${JSON.stringify(event)}`), ...lines].join('\n');
}
