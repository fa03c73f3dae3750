// Taking a sweep in over the API: its idempotency key, then what log.ts says. A repeat under the same key finishes what an
// interrupted one left, under the id that was stored first.
import type { Clock } from '../clock.js';
import { assertSameBody, findFirst, type Sent, settleKey } from '../jobs/idempotency.js';
import type { Store } from '../store/index.js';
import type { SweepAdmission } from './admission.js';
import { createSweep, loadSweep } from './log.js';
import { sweepKey } from './names.js';
import type { SweepRecord } from './record.js';

export interface SweepRequest extends Sent, Pick<SweepAdmission, 'spec' | 'warm_start' | 'noted'> {
  /** A fresh id; a repeat under the same key gets the stored one instead. */
  id: string;
}

interface SubmitDeps {
  store: Store;
  clock: Pick<Clock, 'now'>;
}

/** The sweep that a key already stands for; its spec is not looked at again. @throws AppError idempotency_key_reused, store_unavailable */
export async function findSweep({ store, clock }: SubmitDeps, sent: Sent): Promise<SweepRecord | null> {
  const first = await findFirst(store, sent, clock.now());
  const record = first && (await loadSweep(store, first.id));
  return record && acknowledged(store, record);
}

/** A sweep that was read, once it can be said to be taken in. */
async function acknowledged(store: Store, record: SweepRecord): Promise<SweepRecord> {
  await store.confirm(sweepKey(record.id));
  return record;
}

/**
 * @returns the acknowledged sweep, and whether it was there before
 * @throws AppError idempotency_key_reused (another body), idempotency_in_progress, store_unavailable
 */
export async function submitSweep(deps: SubmitDeps, { id, spec, warm_start, noted, ...sent }: SweepRequest): Promise<{ record: SweepRecord; replayed: boolean }> {
  const now = deps.clock.now();
  const owner = await settleKey(deps.store, sent, { id, created_at: now.toISOString() }, now);
  assertSameBody(owner, sent);
  const there = owner.id === id ? null : await loadSweep(deps.store, owner.id);
  if (there) return { record: await acknowledged(deps.store, there), replayed: true };
  return { record: await createSweep(deps, { id: owner.id, created_at: owner.created_at, spec, schedule: null, warm_start, noted }), replayed: owner.id !== id };
}
