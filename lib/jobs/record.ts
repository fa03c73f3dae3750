// The acknowledged spec of a job and the records of its attempts, as the store holds them.
import type { AttemptEnd, AttemptStart, JobRecord } from '../contract/records.js';
import { AppError, messageOf } from '../errors.js';
import type { Store } from '../store/index.js';
import type { Vanished } from './head.js';
import { attemptEndKey, attemptKey, attemptsPrefix, jobKey } from './names.js';

export const toJson = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value)}\n`);

/** An object that `toJson` wrote. @throws AppError checkpoint_corrupt if it is none: disks and people damage files */
export function fromJson<T>(body: Buffer): T {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new AppError('checkpoint_corrupt', `a record in the store is not JSON: ${messageOf(error)}`, { cause: error });
  }
  if (typeof value !== 'object' || value === null) throw new AppError('checkpoint_corrupt', 'a record in the store is no object');
  return value as T;
}

/** Null where no such job was acknowledged. @throws AppError store_unavailable; checkpoint_corrupt if it is not that job's record */
export async function loadRecord(store: Pick<Store, 'get'>, job: string): Promise<JobRecord | null> {
  const stored = await store.get(jobKey(job));
  if (!stored) return null;
  const record = fromJson<JobRecord>(stored.body);
  if (record.id !== job) throw new AppError('checkpoint_corrupt', `${jobKey(job)} is not the record of this job`);
  return record;
}

/** A job that was read, once it can be said to be taken in. @throws AppError store_unavailable */
export async function acknowledged(store: Pick<Store, 'confirm'>, record: JobRecord): Promise<JobRecord> {
  await store.confirm(jobKey(record.id));
  return record;
}

/** @throws AppError not_found, and as loadRecord */
export async function requireRecord(store: Pick<Store, 'get'>, job: string): Promise<JobRecord> {
  const record = await loadRecord(store, job);
  if (!record) throw new AppError('not_found', `no job ${job}`, { param: 'id' });
  return record;
}

/** Opens an attempt: its claimant says that it is there. */
export async function openAttempt(store: Store, job: string, start: AttemptStart): Promise<void> {
  await store.putIfAbsent(attemptKey(job, start.number), toJson(start));
}

/** Closes an attempt; the first to do so wins, so a thawed zombie cannot rewrite what its successor wrote. */
export async function closeAttempt(store: Store, job: string, end: AttemptEnd): Promise<void> {
  await store.putIfAbsent(attemptEndKey(job, end.number), toJson(end));
}

/** Closes an attempt whose worker vanished, as whoever takes its place knows of it. */
export async function closeVanished(store: Store, job: string, { owner, account }: Vanished, now: Date, closedBy: string): Promise<void> {
  await closeAttempt(store, job, {
    number: owner.number,
    attempt: owner.attempt,
    closed_by: closedBy,
    ended_at: now.toISOString(),
    end_reason: 'lease_lost',
    engine: null,
    device: null,
    resumed_from: owner.resumed_from,
    executed_micro_batches: account.executedMicroBatches,
    executed_seconds: account.executedSeconds,
    wasted_micro_batches: account.wastedMicroBatches,
    wasted_seconds: account.wastedSeconds,
    peak_memory_mib: null,
    numerics_class: null,
    timings: { detect_ms: 0, queue_ms: 0, load_ms: 0, warmup_ms: 0, train_ms: Math.round(account.executedSeconds * 1_000), save_ms: 0 },
  });
}

/** All attempts of a job, oldest first; `end` is null while one runs (or until its successor closes it). */
export async function loadAttempts(store: Pick<Store, 'get' | 'list'>, job: string): Promise<{ start: AttemptStart; end: AttemptEnd | null }[]> {
  const starts = new Map<string, AttemptStart>();
  const ends = new Map<number, AttemptEnd>();
  for await (const info of store.list(attemptsPrefix(job))) {
    const stored = await store.get(info.key);
    if (!stored) continue;
    if (info.key.endsWith('.end.json')) {
      const end = fromJson<AttemptEnd>(stored.body);
      ends.set(end.number, end);
    } else starts.set(info.key, fromJson<AttemptStart>(stored.body));
  }
  return [...starts.values()].sort((a, b) => a.number - b.number).map((start) => ({ start, end: ends.get(start.number) ?? null }));
}
