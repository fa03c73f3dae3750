// Idempotency keys in the store: which request created what, so that a repeat creates nothing. Keys of one principal never meet
// another's; what creates two kinds of things has a principal for each.
//
// A key that is used again after its time has a successor, under a name made from what it stood for until then: of several requests
// at once one creates it. The key's own record is then written anew, so that the next request need not go by the old one.
import { createHash } from 'node:crypto';
import type { IdempotencyRecord } from '../contract/records.js';
import { AppError } from '../errors.js';
import type { Store } from '../store/index.js';
import { idempotencyKey } from './names.js';
import { fromJson, toJson } from './record.js';

/** Idempotency keys are honoured this long. */
const IDEMPOTENCY_HOURS = 24;

/** What a request creates by. */
export interface Sent {
  /** Who is asking, and for what kind of thing. */
  principal: string;
  /** `Idempotency-Key`, null without. */
  key: string | null;
  /** sha256 of the request's canonical body. */
  bodySha256: string;
}

const isOld = (record: IdempotencyRecord, now: Date): boolean => now.getTime() - Date.parse(record.created_at) > IDEMPOTENCY_HOURS * 3_600_000;

/** @throws AppError idempotency_key_reused */
export function assertSameBody(first: IdempotencyRecord, { bodySha256: sent }: Pick<Sent, 'bodySha256'>): void {
  if (first.body_sha256 !== sent) throw new AppError('idempotency_key_reused', 'this Idempotency-Key was used with another body', { param: 'Idempotency-Key' });
}

/** What a key stands for already; null: nothing, or no key. @throws AppError idempotency_key_reused (another body), store_unavailable */
export async function findFirst(store: Pick<Store, 'get'>, sent: Sent, now: Date): Promise<IdempotencyRecord | null> {
  if (sent.key === null) return null;
  for (let old: IdempotencyRecord | null = null; ; ) {
    const stored = await store.get(idempotencyKey(sent.principal, sent.key, old));
    if (!stored) return null;
    const first = fromJson<IdempotencyRecord>(stored.body);
    if (!isOld(first, now)) {
      assertSameBody(first, sent);
      return first;
    }
    old = first;
  }
}

/**
 * The request that the key stands for: this one, which would create `fresh`, or an earlier one, perhaps with another body.
 * @throws AppError idempotency_in_progress, store_unavailable
 */
export async function settleKey(store: Pick<Store, 'get' | 'put' | 'putIfAbsent' | 'confirm'>, { key: given, principal, bodySha256: sent }: Sent, fresh: { id: string; created_at: string }, now: Date): Promise<IdempotencyRecord> {
  const first: IdempotencyRecord = { id: fresh.id, body_sha256: sent, created_at: fresh.created_at };
  if (given === null) return first;
  for (let old: IdempotencyRecord | null = null; ; ) {
    const owner = await createOrRead(store, idempotencyKey(principal, given, old), first);
    if (owner === first && old !== null) await store.put(idempotencyKey(principal, given), toJson(first));
    if (owner === first || !isOld(owner, now)) return owner;
    old = owner;
  }
}

/** What is written there: `first`, if it was free. */
async function createOrRead(store: Pick<Store, 'get' | 'putIfAbsent' | 'confirm'>, key: string, first: IdempotencyRecord): Promise<IdempotencyRecord> {
  const outcome = await store.putIfAbsent(key, toJson(first)).catch(async (error: unknown) => {
    const stored = await store.get(key).catch(() => null);
    const there = stored && fromJson<IdempotencyRecord>(stored.body);
    if (there?.id !== first.id || there.created_at !== first.created_at) throw error;
    await store.confirm(key);
    return { created: true as const };
  });
  if (outcome.created) return first;
  const stored = await store.get(key);
  if (!stored) throw new AppError('idempotency_in_progress', 'the key is being settled; try again', { retryAfterSeconds: 1 });
  return fromJson<IdempotencyRecord>(stored.body);
}

/** The sha256 of a JSON body whatever its key order. */
export function bodySha256(body: unknown): string {
  return createHash('sha256').update(JSON.stringify(body, (_key, value: unknown) => (value && typeof value === 'object' && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value))).digest('hex');
}
