// Requests for fires under an Idempotency-Key: the key's record has the moment of the first one, from which, with the key, the ids of its
// fires follow, so that a repeat finds them by their ids in HEAD or among the records, whatever became of the first; and once it is
// known, what was asked for, which is the answer from then on.
import { randomUUID } from 'node:crypto';
import type { IdempotencyRecord } from '../contract/records.js';
import type { DueFire, FireRequests } from '../contract/schedule.js';
import { isAppError } from '../errors.js';
import { assertSameBody, type Sent, settleKey } from '../jobs/idempotency.js';
import { idempotencyKey } from '../jobs/names.js';
import { toJson } from '../jobs/record.js';
import type { Store } from '../store/index.js';
import type { RecordDeps } from './record.js';

/** When a fire was asked for, and what tells it from others of that moment. */
export interface Asking {
  at: Date;
  by: string;
}

/** Another one each time. */
export const askedNow = (at: Date): Asking => ({ at, by: randomUUID() });

/**
 * @param ask asks for fires, and gives those that were asked for by the same Asking before
 * @throws AppError idempotency_key_reused (another body), store_unavailable, or what `ask` throws: what is refused leaves no key
 */
export async function askOnce(
  { store, clock }: { store: RecordDeps['store'] & Pick<Store, 'put' | 'delete'>; clock: RecordDeps['clock'] },
  schedule: string,
  sent: Sent,
  ask: (asking: Asking) => Promise<readonly DueFire[]>,
): Promise<{ fires: FireRequests['fires']; replayed: boolean }> {
  const shown = async (asking: Asking): Promise<FireRequests['fires']> => (await ask(asking)).map(({ id, nominal_time }) => ({ id, nominal_time }));
  const now = clock.now();
  if (sent.key === null) return { fires: await shown(askedNow(now)), replayed: false };
  const owner = await settleKey(store, sent, { id: schedule, created_at: now.toISOString() }, now);
  assertSameBody(owner, sent);
  if (owner.fires) return { fires: owner.fires, replayed: true };
  const key = idempotencyKey(sent.principal, sent.key);
  try {
    const fires = await shown({ at: new Date(owner.created_at), by: `${owner.created_at} ${sent.key}` });
    await store.put(key, toJson({ ...owner, fires } satisfies IdempotencyRecord));
    return { fires, replayed: false };
  } catch (error) {
    if (isAppError(error) && !error.retryable) await store.delete(key).catch(() => undefined);
    throw error;
  }
}
