// Taking a job in: idempotency key, open marker, job.json (the acknowledgement), then its ticket, best effort.
// A repeat under the same key finishes what an interrupted submit left, under the id that was stored first.
import { createHash } from 'node:crypto';
import type { IdempotencyRecord, JobRecord, OpenMarker } from '../contract/records.js';
import type { JobSpec } from '../contract/spec.js';
import { AppError } from '../errors.js';
import { type HandoverDeps, issueTicket } from './handover.js';
import { readHead } from './head.js';
import { idempotencyKey, jobKey, openKey } from './names.js';
import { fromJson, loadRecord, toJson } from './record.js';

/** Idempotency keys are honoured this long. */
export const IDEMPOTENCY_HOURS = 24;

export interface SubmitRequest {
  /** A fresh job id; a repeat under the same key gets the stored one instead. */
  id: string;
  spec: JobSpec;
  /** Who is asking: keys of one principal never meet another's. */
  principal: string;
  /** `Idempotency-Key`, null without. */
  key: string | null;
  /** sha256 of the request's canonical body. */
  bodySha256: string;
}

export function openMarker(record: JobRecord): OpenMarker {
  return { name: record.spec.name, tags: record.spec.run.tags, created_at: record.created_at, priority: record.spec.run.priority, start_after: record.spec.run.start_after };
}

/**
 * @returns the acknowledged job, and whether it was there before
 * @throws AppError idempotency_key_reused (another body), idempotency_in_progress (the first request has not been acknowledged yet), store_unavailable
 */
export async function submitJob(deps: HandoverDeps, request: SubmitRequest): Promise<{ record: JobRecord; replayed: boolean }> {
  const now = deps.clock.now();
  const first: IdempotencyRecord = { id: request.id, body_sha256: request.bodySha256, created_at: now.toISOString() };
  const settled = request.key === null ? { owner: first, replayed: false } : await settleKey(deps, idempotencyKey(request.principal, request.key), first, now);
  const { id } = settled.owner;
  const existing = settled.replayed ? await loadRecord(deps.store, id) : null;
  if (existing) return { record: existing, replayed: true };
  const record: JobRecord = { id, created_at: settled.owner.created_at, spec: request.spec };
  await deps.store.put(openKey(id, 0), toJson(openMarker(record)));
  const outcome = await deps.store.putIfAbsent(jobKey(id), toJson(record)).catch(async (error: unknown) => {
    // Unclear: read back, since an acknowledgement that happened must be said.
    const there = await loadRecord(deps.store, id).catch(() => null);
    if (there) return { created: true as const };
    throw error;
  });
  const acknowledged = outcome.created ? record : ((await loadRecord(deps.store, id)) ?? record);
  const { head } = await readHead(deps, id);
  await issueTicket(deps, acknowledged, head, { reissue: false });
  return { record: acknowledged, replayed: settled.replayed && !outcome.created };
}

async function settleKey(deps: HandoverDeps, key: string, first: IdempotencyRecord, now: Date): Promise<{ owner: IdempotencyRecord; replayed: boolean }> {
  const outcome = await deps.store.putIfAbsent(key, toJson(first)).catch(async (error: unknown) => {
    const stored = await deps.store.get(key).catch(() => null);
    if (stored && fromJson<IdempotencyRecord>(stored.body).id === first.id) return { created: true as const };
    throw error;
  });
  if (outcome.created) return { owner: first, replayed: false };
  const stored = await deps.store.get(key);
  if (!stored) throw new AppError('idempotency_in_progress', 'the key is being settled; try again', { retryAfterSeconds: 1 });
  const owner = fromJson<IdempotencyRecord>(stored.body);
  if (now.getTime() - Date.parse(owner.created_at) > IDEMPOTENCY_HOURS * 3_600_000) {
    await deps.store.put(key, toJson(first));
    return { owner: first, replayed: false };
  }
  if (owner.body_sha256 !== first.body_sha256) throw new AppError('idempotency_key_reused', 'this Idempotency-Key was used with another body', { param: 'Idempotency-Key' });
  return { owner, replayed: true };
}

/** The sha256 of a JSON body whatever its key order. */
export function bodySha256(body: unknown): string {
  return createHash('sha256').update(JSON.stringify(body, (_key, value: unknown) => (value && typeof value === 'object' && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value))).digest('hex');
}
