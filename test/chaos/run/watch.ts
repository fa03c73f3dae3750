// Looks at every job from outside all the time, directly in the store, and lets the invariants judge what it sees. A store that is
// away shows nothing, and nothing is judged.
import { decodeLines } from '../../../lib/checkpoints/segments.js';
import type { BlobRef, Head, Manifest, Segment } from '../../../lib/contract/records.js';
import { isAppError } from '../../../lib/errors.js';
import { readHead } from '../../../lib/jobs/head.js';
import { segmentsOf } from '../../../lib/jobs/history.js';
import { isTerminal } from '../../../lib/jobs/lifecycle.js';
import { jobFolder, openKey } from '../../../lib/jobs/names.js';
import { parseManifest } from '../../../lib/jobs/rebuild.js';
import { sha256Of } from '../../../lib/sha256.js';
import { headProblem, manifestProblem } from '../../support/strict-records.js';
import { markerProblems, strandedProblems, verbProblems, wantsAttention } from './invariants/ledger.js';
import { silenceProblems } from './invariants/objects.js';
import { baseProblems, ratchetProblems } from './invariants/ratchet.js';
import { type InHand, surplusProblems, surplusTrainers } from './invariants/trainers.js';
import { noteHead } from './sightings.js';
import { isStirred, type Run, sleep, type Tracked } from './state.js';

const LOOK_EVERY_MS = 150;
const SURVEY_EVERY_MS = 2_000;
/** A controller looks at every open job once a minute, and one that was killed begins anew. */
const STRANDED_MS = 90_000;
/** An owner reads HEAD every few seconds; one that cannot stays until it can. */
const SURPLUS_MS = 45_000;

/** Until the run is over or broken. */
export async function watchJobs(run: Run, over: AbortSignal): Promise<void> {
  const ends = AbortSignal.any([run.signal, over]);
  const forever = async (everyMs: number, what: () => Promise<void>): Promise<void> => {
    while (!ends.aborted) {
      await what().catch((error: unknown) => {
        // What a checker stumbles over, say a key that is none, is damage.
        if (error instanceof TypeError || (isAppError(error) && !error.retryable)) run.violate('reachable', null, [String(error.stack)]);
        else if (!isAway(error)) throw error;
      });
      await sleep(everyMs, ends);
    }
  };
  await Promise.all([
    forever(LOOK_EVERY_MS, () => Promise.resolve(lookAtWorkers(run))),
    forever(LOOK_EVERY_MS, async () => void (await Promise.all(run.jobs.filter((job) => !job.over).map((job) => lookAtHead(run, job))))),
    forever(SURVEY_EVERY_MS, async () => {
      for (const job of run.jobs.filter((each) => !each.over)) await survey(run, job);
      await lookAtTrainers(run);
    }),
  ]);
}

const isAway = (error: unknown): boolean => isAppError(error) && error.retryable;

function lookAtWorkers(run: Run): void {
  for (const [index, part] of run.system.workers.entries()) {
    const { worker } = part.said();
    if (worker !== undefined && part.isReady()) run.workers.set(worker, { index, aliveAt: Date.now() });
  }
}

/** One look at HEAD; null while the store is away. */
export async function lookAtHead(run: Run, job: Tracked): Promise<Head | null> {
  const { store } = run.system;
  const askedAt = Date.now();
  const view = await readHead({ store }, job.id).catch((error: unknown) => {
    if (isAway(error)) return null;
    run.violate('ratchet', job, [`HEAD cannot be read: ${(error as Error).message}`]);
    return null;
  });
  if (!view) return null;
  run.looks++;
  const { head, etag } = view;
  if (etag === null) {
    if (job.hadHead) run.violate('ratchet', job, ['HEAD is gone']);
    return head;
  }
  job.hadHead = true;
  const last = job.head;
  // Two looks may overtake each other; what came back late says nothing.
  if (last && head.version <= last.version) {
    if (head.version === last.version) job.sightings.lookedAt = Math.max(job.sightings.lookedAt, askedAt);
    if (head.version < last.version && (await readHead({ store }, job.id).catch(() => null))?.head.version === head.version) run.violate('ratchet', job, [`version fell from ${last.version} to ${head.version}`]);
    return last;
  }
  const ancestors = last && head.manifest !== last.manifest ? await ancestorsOf(run, job, head.manifest, last.manifest) : null;
  if (job.head !== last) return job.head;
  job.head = head;
  const problem = headProblem(head);
  if (problem !== null) run.violate('ratchet', job, [`HEAD is malformed: ${problem}`]);
  const now = Date.now();
  noteHead(job.sightings, last, head, askedAt, now);
  if (head.attempt !== null) job.owners.set(head.fence, head.attempt);
  if (last) {
    run.violate('ratchet', job, ratchetProblems(last, head, ancestors));
    run.violate('reachable', job, baseProblems(last, head));
  }
  if (last && job.verb && !job.loose) run.violate('ledger', job, verbProblems(job.verb, last, head));
  if (last && wantsAttention(last)) job.longestStillMs = Math.max(job.longestStillMs, now - job.movedAt);
  job.movedAt = now;
  noteRecoveries(job, head, now);
  return head;
}

function noteRecoveries(job: Tracked, head: Head, now: number): void {
  job.recovering = job.recovering.filter((one) => {
    const goesOn = isTerminal(head.state) || (head.seq > one.seq && (one.sameFence || head.fence > one.fence));
    if (goesOn) one.struck.recoveredMs ??= now - one.struck.from;
    // Whoever stops a job does not wait for it to go on.
    return !goesOn && head.want.verb === 'run';
  });
}

/** Manifests from `from` back to `to`; null where one cannot be read at the moment. */
async function ancestorsOf(run: Run, job: Tracked, from: string | null, to: string | null): Promise<string[] | null> {
  const keys: string[] = [];
  for (let key = from; key !== null; ) {
    keys.push(key);
    if (key === to) return keys;
    const manifest: Manifest | null = await manifestOf(run, job, key);
    if (!manifest) return null;
    key = manifest.prev?.manifest ?? null;
  }
  return keys;
}

/** Read once, because it never changes; null while the store is away. */
export async function manifestOf(run: Run, job: Tracked, key: string): Promise<Manifest | null> {
  const known = job.manifests.get(key);
  if (known) return known;
  const stored = await run.system.store.get(key).catch(() => undefined);
  if (stored === undefined) return null;
  if (stored === null) {
    run.violate('reachable', job, [`manifest ${key} is not there`]);
    return null;
  }
  try {
    const manifest = parseManifest(key, stored.body);
    const problem = manifestProblem(manifest);
    if (problem !== null) run.violate('reachable', job, [`manifest ${key} is malformed: ${problem}`]);
    job.manifests.set(key, manifest);
    job.manifestHashes.set(key, sha256Of(stored.body));
    return manifest;
  } catch (error) {
    run.violate('reachable', job, [(error as Error).message]);
    return null;
  }
}

/** What lies in the store about a job, its marker, and who has it. */
export async function survey(run: Run, job: Tracked): Promise<void> {
  const { store } = run.system;
  const from = Date.now();
  const head = await lookAtHead(run, job);
  if (!head) return;
  const listing = new Map<string, string>();
  for await (const { key, etag } of store.list(jobFolder(job.id))) listing.set(key, etag);
  run.violate('silence', job, silenceProblems(job.listing, listing, job.owners));
  job.listing = listing;
  await lookAtRetained(run, job, head, listing);
  if (!isTerminal(head.state) && (await store.head(openKey(job.id, head.gen))) === null) {
    const now = (await readHead({ store }, job.id)).head;
    if (now.gen === head.gen) run.violate('ledger', job, markerProblems(now, false));
  }
  await lookForTicket(run, job, head, Math.min(Date.now() - from + SURVEY_EVERY_MS, 2 * SURVEY_EVERY_MS));
}

/** Every retained commit is there to its last byte, unless it was dropped since HEAD was read. */
export async function lookAtRetained(run: Run, job: Tracked, head: Head, listing: ReadonlyMap<string, string>): Promise<void> {
  const { store } = run.system;
  for (const commit of head.retained) {
    const manifest = await manifestOf(run, job, commit.manifest);
    if (!manifest) continue;
    const problems = job.manifestHashes.get(commit.manifest) === commit.manifest_sha256 ? [] : [`manifest ${commit.manifest} does not match its hash`];
    const named: (BlobRef | Segment)[] = [...commit.blobs, ...segmentsOf(manifest)];
    for (const one of named) {
      const { key, sha256 } = one;
      if (job.hashed.has(key) && listing.has(key)) continue;
      const stored = await store.get(key);
      if (!stored) problems.push(`blob ${key} of retained commit ${commit.seq} is not there`);
      else if (sha256Of(stored.body) !== sha256) problems.push(`blob ${key} of retained commit ${commit.seq} does not match its hash`);
      else {
        job.hashed.add(key);
        if ('index' in one) named.push(...decodeLines<Segment>(stored.body));
      }
    }
    if (problems.length === 0) continue;
    const now = (await readHead({ store }, job.id)).head;
    if (now.retained.some(({ manifest: kept }) => kept === commit.manifest)) run.violate('reachable', job, problems);
  }
}

async function lookForTicket(run: Run, job: Tracked, head: Head, elapsedMs: number): Promise<void> {
  const { controller, queue } = run.system;
  const isOwned = head.owner !== null && (await holders(run)).some(({ attempt }) => attempt === head.attempt);
  if (!wantsAttention(head) || isOwned) {
    job.strandedMs = 0;
    return;
  }
  if (isStirred(run) || !controller.isReady() || controller.isFrozen()) return;
  const [there] = await queue.tickets.hasMany([{ job: job.id, gen: head.gen, fence: head.fence }]).catch(() => [true]);
  job.strandedMs = there ? 0 : job.strandedMs + elapsedMs;
  job.strandedAtMost = Math.max(job.strandedAtMost, job.strandedMs);
  run.violate('ledger', job, strandedProblems(job.strandedMs, STRANDED_MS));
}

/** Attempts that workers which live and are not frozen have in hand. */
async function holders(run: Run): Promise<InHand[]> {
  const found: InHand[] = [];
  for (const [index, part] of run.system.workers.entries()) {
    const { worker } = part.said();
    if (!part.isReady() || part.isFrozen()) continue;
    const mine = (await run.system.spools(index)).find((spool) => spool.worker === worker);
    for (const attempt of mine?.attempts ?? []) {
      const job = run.jobs.find(({ owners }) => [...owners.values()].includes(attempt));
      if (job) found.push({ job: job.id, attempt, worker: worker! });
    }
  }
  return found;
}

async function lookAtTrainers(run: Run): Promise<void> {
  const owners = new Map(run.jobs.flatMap(({ id, head }): [string, string][] => (head?.owner ? [[id, head.owner.attempt]] : [])));
  const surplus = surplusTrainers(await holders(run), owners);
  const before = run.surplusMs;
  run.surplusMs = new Map(surplus.map(({ attempt }) => [attempt, (before.get(attempt) ?? 0) + (isStirred(run) ? 0 : SURVEY_EVERY_MS)]));
  run.surplusAtMost = Math.max(run.surplusAtMost, ...run.surplusMs.values());
  run.violate('trainers', run.jobs.find(({ id }) => id === surplus[0]?.job) ?? null, surplusProblems(run.surplusMs, SURPLUS_MS));
}
