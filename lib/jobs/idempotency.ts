// Idempotency keys: which request came first under a key, and the id of what it made. A key is settled by creating its record; what the
// id stands for is its maker's business.
import type { IdempotencyRecord } from '../contract/records.js';
import { AppError } from '../errors.js';
import type { Store } from '../store/index.js';
import { idempotencyKey } from './names.js';
import { fromJson, toJson } from './record.js';

/** Idempotency keys are honoured this long. */
const IDEMPOTENCY_HOURS = 24;

/** A request that may be a repeat. */
export interface Keyed {
  /** Who is asking, and for what: keys of one principal never meet another's. */
  principal: string;
  /** `Idempotency-Key`, null without. */
  key: string | null;
  /** sha256 of the request's canonical body. */
  bodySha256: string;
}

const isHonoured = (first: IdempotencyRecord, now: Date): boolean => now.getTime() - Date.parse(first.created_at) <= IDEMPOTENCY_HOURS * 3_600_000;

/** @throws AppError idempotency_key_reused */
export function assertSameBody(first: Pick<IdempotencyRecord, 'body_sha256'>, { bodySha256 }: Pick<Keyed, 'bodySha256'>): void {
  if (first.body_sha256 !== bodySha256) throw new AppError('idempotency_key_reused', 'this Idempotency-Key was used with another body', { param: 'Idempotency-Key' });
}

/**
 * The id that a key already stands for; null without one.
 * @throws AppError idempotency_key_reused (another body), store_unavailable
 */
export async function findFirst(store: Pick<Store, 'get'>, request: Keyed, now: Date): Promise<string | null> {
  if (request.key === null) return null;
  const stored = await store.get(idempotencyKey(request.principal, request.key));
  if (!stored) return null;
  const first = fromJson<IdempotencyRecord>(stored.body);
  if (!isHonoured(first, now)) return null;
  assertSameBody(first, request);
  return first.id;
}

/**
 * The request that the key stands for: this one, with what it would make, or an earlier one, whatever its body.
 * @throws AppError idempotency_in_progress, store_unavailable
 */
export async function settleKey(store: Pick<Store, 'get' | 'put' | 'putIfAbsent'>, { principal, key: given, bodySha256 }: Keyed, fresh: Pick<IdempotencyRecord, 'id' | 'created_at'>, now: Date): Promise<IdempotencyRecord> {
  const first: IdempotencyRecord = { id: fresh.id, body_sha256: bodySha256, created_at: fresh.created_at };
  if (given === null) return first;
  const key = idempotencyKey(principal, given);
  const outcome = await store.putIfAbsent(key, toJson(first)).catch(async (error: unknown) => {
    const stored = await store.get(key).catch(() => null);
    if (stored && fromJson<IdempotencyRecord>(stored.body).id === first.id) return { created: true as const };
    throw error;
  });
  if (outcome.created) return first;
  const stored = await store.get(key);
  if (!stored) throw new AppError('idempotency_in_progress', 'the key is being settled; try again', { retryAfterSeconds: 1 });
  const owner = fromJson<IdempotencyRecord>(stored.body);
  if (isHonoured(owner, now)) return owner;
  await store.put(key, toJson(first));
  return first;
}
