// The load: every slot submits one job after another, under a key, sees it to its end and compares what came of it. It is the user:
// what was not answered is asked again, what was cancelled is retried.
import { ApiError } from '../../../api/client.js';
import type { Manifest } from '../../../lib/contract/records.js';
import type { EpochRow, JobEvent, UpdateRow } from '../../../lib/contract/rows.js';
import { readSegments } from '../../../lib/jobs/history.js';
import { loadAttempts } from '../../../lib/jobs/record.js';
import { isAppError } from '../../../lib/errors.js';
import { type Reference, timeless } from '../../support/undisturbed.js';
import { bitsProblems } from './invariants/bits.js';
import { resubmitProblems } from './invariants/ledger.js';
import { hindranceOf } from './invariants/hindrance.js';
import { wasteProblems } from './invariants/waste.js';
import type { Recipe } from './recipes.js';
import { recipeAt } from './schedule.js';
import { workOf } from './sightings.js';
import { type Run, sleep, track, type Tracked } from './state.js';
import { lookAtHead, manifestOf } from './watch.js';
import { retry } from './verbs.js';

export interface Load {
  recipes: readonly Recipe[];
  references: ReadonlyMap<Recipe, Reference>;
}

const ASK_AGAIN_MS = 400;
const LOOK_MS = 200;

/** One slot's jobs, until no more are begun and the last one is over. */
export async function runSlot(run: Run, { recipes, references }: Load, slot: number): Promise<void> {
  for (let nth = 0; !run.winding && !run.signal.aborted; nth++) {
    const recipe = recipes[recipeAt(run.seed, slot, nth, recipes.length)]!;
    const job = await submit(run, slot, nth, recipe, references.get(recipe)!);
    if (!job) return;
    await seeThrough(run, job);
  }
}

async function submit(run: Run, slot: number, nth: number, recipe: Recipe, reference: Reference): Promise<Tracked | null> {
  const key = `chaos-${run.seed}-${run.startedAt}-${slot}-${nth}`;
  const body = { ...recipe.spec, name: `slot ${slot}, job ${nth}` };
  const askedAt = Date.now();
  while (!run.signal.aborted) {
    try {
      const { job } = await run.system.client.submit(body, { idempotencyKey: key });
      const tracked = track(slot, key, body, job.id, recipe, reference, askedAt);
      run.jobs.push(tracked);
      if (nth % 2 === 0) await resubmit(run, tracked);
      return tracked;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status >= 400 && error.status < 500 && error.code !== 'idempotency_in_progress') {
        run.violate('ledger', null, [`a job under ${key} is refused: ${error.status} ${error.code} ${error.message}`]);
        return null;
      }
      await sleep(ASK_AGAIN_MS, run.signal);
    }
  }
  return null;
}

/** The same request again; true once it was answered as it has to be. */
export async function resubmit(run: Run, job: Tracked): Promise<boolean> {
  const answer = await run.system.client.submit(job.body, { idempotencyKey: job.key }).then(
    ({ job: { id }, replayed }) => ({ status: 201, id, replayed }),
    (error: unknown) => {
      if (!(error instanceof ApiError)) throw error;
      return { status: error.code === 'idempotency_in_progress' ? 503 : error.status, id: null, replayed: false };
    },
  );
  run.violate('ledger', job, resubmitProblems(job.id, answer));
  const settled = answer.id !== null;
  if (settled) run.resubmitted++;
  return settled;
}

async function seeThrough(run: Run, job: Tracked): Promise<void> {
  while (!run.signal.aborted && !job.over) {
    await sleep(LOOK_MS, run.signal);
    const { head } = job;
    if (!head || job.busy) continue;
    switch (head.state) {
      case 'succeeded':
        job.over = await compare(run, job);
        break;
      case 'cancelled':
        if (!job.cancelled) run.violate('ledger', job, ['it was cancelled, and nobody had said so']);
        await retry(run, job);
        break;
      case 'failed':
        // Five claims in a row without a commit: what it is for. Whoever sees it asks for another try.
        if (head.reason !== 'crash_loop') run.violate('bits', job, [`it failed: ${head.reason}: ${head.message}`]);
        job.crashLoops++;
        await retry(run, job);
        break;
      case 'expired':
        run.violate('bits', job, ['it expired']);
        break;
      case 'open':
      case 'paused':
        // An answer that was lost said so after all.
        if (job.loose && head.want.verb === 'pause') await run.system.client.verb(job.id, 'resume').catch(() => undefined);
        break;
    }
  }
}

/** Of a job that succeeded, once everything that belongs to it can be read; false while the store is away. */
async function compare(run: Run, job: Tracked): Promise<boolean> {
  const { store } = run.system;
  const head = await lookAtHead(run, job);
  if (!head || head.state !== 'succeeded') return false;
  const manifests: Manifest[] = [];
  for (let key = head.manifest; key !== null; key = manifests.at(-1)!.prev?.manifest ?? null) {
    const manifest = await manifestOf(run, job, key);
    if (!manifest) return false;
    manifests.push(manifest);
  }
  const [newest] = manifests;
  if (!newest) {
    run.violate('bits', job, ['it succeeded without a commit']);
    return true;
  }
  try {
    const rows = await readSegments<UpdateRow>(store, newest.rows.update);
    const epochRows = await readSegments<EpochRow>(store, newest.rows.epoch);
    const events = [...(await readSegments<JobEvent>(store, newest.events)), ...head.events];
    run.violate('bits', job, bitsProblems(job.reference, { head, rows: rows.map(timeless), epochRows, manifests, events }));
    await judgeWaste(run, job, manifests);
    return true;
  } catch (error) {
    if (isAppError(error) && error.retryable) return false;
    run.violate('reachable', job, [(error as Error).message]);
    return true;
  }
}

async function judgeWaste(run: Run, job: Tracked, manifests: readonly Manifest[]): Promise<void> {
  const places = [0, ...manifests.map(({ state }) => state.cursor.micro_batches).reverse()];
  const longestCommitGap = Math.max(...places.slice(1).map((at, index) => at - places[index]!));
  const circumstances = { microBatchesPerSecond: job.reference.microBatches / (job.reference.trainMs / 1_000), accumIters: job.recipe.spec.training?.accum_iters ?? 1, longestCommitGap };
  const policy = { every_seconds: null, every_updates: null, every_micro_batches: null, keep_last: 2, keep_best: null, ...job.recipe.spec.checkpoint } as Parameters<typeof wasteProblems>[1];
  const waste: Tracked['waste'] = { judged: 0, exempt: [] };
  for (const { start, end } of await loadAttempts(run.system.store, job.id)) {
    const worker = run.workers.get(start.worker);
    const seqs = manifests.filter(({ attempt }) => attempt === start.attempt).map(({ seq }) => seq);
    const work = workOf(job.sightings, start.number, seqs, worker?.aliveAt ?? Infinity);
    const exempt = !end ? 'no record' : !work ? 'not seen' : hindranceOf(run.strikes, { ...work, worker: worker?.index ?? null, endReason: end.end_reason });
    if (exempt !== null) waste.exempt.push(exempt);
    else waste.judged++;
    if (end && exempt === null) run.violate('waste', job, wasteProblems(end, policy, circumstances));
  }
  job.waste = waste;
}
