// Taking a job in: idempotency key and open marker side by side, job.json (the acknowledgement), then its ticket, best effort.
// What the job begins with is pinned once the key is its own, so that whoever is refused leaves no pin, and before its marker.
// A repeat under the same key finishes what an interrupted submit left, under the id that was stored first. A marker without
// a job is nobody's: it is written for an id that is known to nobody yet, whatever the key will say.
import type { JobRecord, OpenMarker } from '../contract/records.js';
import type { JobSpec } from '../contract/spec.js';
import { type Beginning, pinBeginning } from './beginnings.js';
import { type HandoverDeps, issueTicket } from './handover.js';
import { glanceAtHead, type HeadDeps } from './head.js';
import { assertSameBody, type Sent, settleKey } from './idempotency.js';
import { emptyHead } from './lifecycle.js';
import { jobKey, openKey } from './names.js';
import { acknowledged, loadRecord, toJson } from './record.js';

/** Who wanted a job, and how far it is to go. */
export type JobOrigin = Pick<JobRecord, 'pause_at_update' | 'sweep' | 'schedule'>;
export const BY_A_USER: JobOrigin = { pause_at_update: null, sweep: null, schedule: null };

export interface SubmitRequest extends Sent {
  /** A fresh job id; a repeat under the same key gets the stored one instead. */
  id: string;
  spec: JobSpec;
  origin: JobOrigin;
  /** Another job's checkpoint that it begins with; null without. */
  beginning: Beginning | null;
}

export function openMarker(record: JobRecord): OpenMarker {
  return { name: record.spec.name, tags: record.spec.run.tags, created_at: record.created_at, priority: record.spec.run.priority, start_after: record.spec.run.start_after };
}

/**
 * @returns the acknowledged job, and whether it was there before
 * @throws AppError idempotency_key_reused (another body), idempotency_in_progress (the first request has not been acknowledged yet), invalid_spec (what it begins with has gone), store_unavailable
 */
export async function submitJob(deps: HandoverDeps & HeadDeps, request: SubmitRequest): Promise<{ record: JobRecord; replayed: boolean }> {
  const now = deps.clock.now();
  const fresh: JobRecord = { id: request.id, created_at: now.toISOString(), spec: request.spec, ...request.origin };
  const { beginning } = request;
  const [owner] = await both(settleKey(deps.store, request, fresh, now), beginning === null ? mark(deps.store, fresh) : Promise.resolve());
  const record: JobRecord = { ...fresh, id: owner.id, created_at: owner.created_at };
  const repeats = record.id !== fresh.id;
  if (repeats) {
    await deps.store.delete(openKey(fresh.id, 0)).catch(() => undefined);
    assertSameBody(owner, request);
    const existing = await loadRecord(deps.store, record.id);
    if (existing) return { record: await acknowledged(deps.store, existing), replayed: true };
  }
  if (beginning !== null) await pinBeginning(deps, beginning);
  if (repeats || beginning !== null) await mark(deps.store, record);
  const { id } = record;
  const outcome = await deps.store.putIfAbsent(jobKey(id), toJson(record)).catch(async (error: unknown) => {
    // Unclear: read back, since an acknowledgement that happened must be said.
    const there = await loadRecord(deps.store, id).catch(() => null);
    if (!there) throw error;
    await acknowledged(deps.store, there);
    return { created: true as const };
  });
  const taken = outcome.created ? record : ((await loadRecord(deps.store, id)) ?? record);
  // A job that has only just come to be has no HEAD yet, or its ticket was taken meanwhile; another of the same is dropped by whoever takes it.
  await issueTicket(deps, taken, outcome.created ? emptyHead() : await glanceAtHead(deps, id), { reissue: false });
  return { record: taken, replayed: repeats && !outcome.created };
}

const mark = (store: HandoverDeps['store'], record: JobRecord): Promise<unknown> => store.put(openKey(record.id, 0), toJson(openMarker(record)));

/** Both, once both are over: nothing is written any more when it fails. */
async function both<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([a, b]);
  return Promise.all([a, b]);
}
