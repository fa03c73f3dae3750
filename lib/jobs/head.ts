// A job's HEAD is its one linearisation point; this file is the only one that writes it.
//
// THE COMMIT PROTOCOL
//   Every write is a compare-and-swap of the whole object, so whatever two writers believe, one order exists.
//   · A worker CLAIMS by swapping in `fence + 1` and a fresh random `attempt`. From then on nobody with an older fence can
//     swap: its expected tag is gone. A live owner (heartbeat) is never displaced, but that is courtesy; only HEAD decides.
//   · A COMMIT puts blobs under data/<own fence>/, then its manifest (create-if-absent, a name of its own), then swaps HEAD.
//     Only the swap makes it real; manifest, state, counters and release change in one swap. What retention drops leaves
//     HEAD.retained in a swap first, and only then are blobs deleted: a reader of HEAD never sees a hole.
//   · A write whose answer is missing or unclear (timeout, reset, 5xx, 409, 412) is READ BACK. `attempt` is mine: if `write`
//     is the id of this very write it took effect (and is confirmed before anyone acts on it), otherwise what stands there (say a new `want`) is adopted and the edit
//     applied again. `attempt` is another's: fenced; stop, write nothing more. One write is in flight at a time, and a late
//     one cannot hurt: it expects a tag that is gone, or carries the same edit.
//   · A VERB is a swap of `want` before its 202. The owner meets it at its next write at the latest, because that write fails.
//   · RETRY swaps in gen + 1. Terminal states of a gen never change.
//   HEAD.version grows with every write, so no two HEADs are equal bytes and no tag ever returns.
//
// The edits themselves are pure functions in lifecycle.ts.
import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.js';
import type { Head, Owner } from '../contract/records.js';
import { AppError, isAppError } from '../errors.js';
import type { Store } from '../store/index.js';
import { claimed, type AttemptAccount, type ClaimDecision, decideClaim, emptyHead, finishedUnowned, goesByTime, NOTHING_DONE, type RunLimits, type Ticket } from './lifecycle.js';
import { headKey } from './names.js';
import { parseHead, rebuildHead } from './rebuild.js';

/** Tries of one swap before the store counts as away; each waits a little longer, in all about 8 s for API calls. */
const SWAP_TRIES = 12;
const RETRY_BASE_MS = 20;
const RETRY_CAP_MS = 2_000;

export interface HeadDeps {
  store: Pick<Store, 'get' | 'putIfAbsent' | 'compareAndSwap' | 'confirm' | 'list'>;
  clock: Pick<Clock, 'now' | 'sleep'>;
}

/** HEAD as it stands; `etag` is null where there is no object. */
export interface HeadView {
  head: Head;
  etag: string | null;
}

const serialise = (head: Head): Buffer => Buffer.from(`${JSON.stringify(head)}\n`);
export const randomId = (): string => randomBytes(12).toString('hex');

/**
 * Reads HEAD. A job without one is at fence 0, open; one that has commits but no HEAD is rebuilt from them.
 * @throws AppError store_unavailable; checkpoint_corrupt if HEAD is unreadable
 */
export async function readHead(deps: Pick<HeadDeps, 'store'>, job: string, signal?: AbortSignal): Promise<HeadView> {
  const stored = await deps.store.get(headKey(job), signal ? { signal } : {});
  if (stored) return { head: parseHead(job, stored.body), etag: stored.etag };
  return { head: (await rebuildHead(deps.store, job)) ?? emptyHead(), etag: null };
}

/**
 * HEAD as far as its object says; where there is none, what a job has that was never claimed. For tickets, which are hints: whether
 * it had commits is found out by whoever claims it.
 * @throws AppError store_unavailable; checkpoint_corrupt if HEAD is unreadable
 */
export async function glanceAtHead(deps: Pick<HeadDeps, 'store'>, job: string): Promise<Head> {
  const stored = await deps.store.get(headKey(job));
  return stored ? parseHead(job, stored.body) : emptyHead();
}

type Swapped = { kind: 'done'; view: HeadView } | { kind: 'conflict' } | { kind: 'unclear'; error: AppError };

async function swap(deps: HeadDeps, job: string, next: Head, etag: string | null): Promise<Swapped> {
  try {
    const body = serialise(next);
    const key = headKey(job);
    if (etag === null) {
      const outcome = await deps.store.putIfAbsent(key, body);
      return outcome.created ? { kind: 'done', view: { head: next, etag: outcome.etag } } : { kind: 'conflict' };
    }
    const outcome = await deps.store.compareAndSwap(key, body, etag);
    return outcome.swapped ? { kind: 'done', view: { head: next, etag: outcome.etag } } : { kind: 'conflict' };
  } catch (error) {
    if (isAppError(error) && error.retryable) return { kind: 'unclear', error };
    throw error;
  }
}

/** What was read and needs no change, as if it had just been written. */
async function settled(deps: Pick<HeadDeps, 'store'>, job: string, view: HeadView): Promise<Swapped> {
  try {
    if (view.etag !== null) await deps.store.confirm(headKey(job));
    return { kind: 'done', view };
  } catch (error) {
    if (isAppError(error) && error.retryable) return { kind: 'unclear', error };
    throw error;
  }
}

const backoffMs = (tries: number): number => Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** tries);

/**
 * An edit by someone who is not the owner: a verb, a retry, a pin. `edit` gets the HEAD of the moment and returns the next
 * one, or null where what it wants already holds; it may run several times, so it must recognise its own effect.
 * @returns HEAD after the edit
 * @throws AppError store_unavailable if the store does not answer in time (the edit may or may not hold), or what `edit` throws
 */
export async function editHead(deps: HeadDeps, job: string, edit: (head: Head) => Head | null): Promise<Head> {
  let last: AppError | null = null;
  for (let tries = 0; tries < SWAP_TRIES; tries++) {
    if (tries > 0) await deps.clock.sleep(backoffMs(tries));
    let view: HeadView;
    try {
      view = await readHead(deps, job);
    } catch (error) {
      if (!isAppError(error) || !error.retryable) throw error;
      last = error;
      continue;
    }
    const edited = edit(view.head);
    const outcome = edited === null ? await settled(deps, job, view) : await swap(deps, job, { ...edited, version: view.head.version + 1 }, view.etag);
    if (outcome.kind === 'done') return outcome.view.head;
    if (outcome.kind === 'unclear') last = outcome.error;
  }
  throw last ?? new AppError('store_unavailable', 'HEAD kept changing', { retryAfterSeconds: 1 });
}

// ── claims ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The right to write a job's HEAD, until fenced or ended. */
export interface Claim {
  readonly job: string;
  readonly attempt: string;
  readonly fence: number;
  readonly gen: number;
  readonly number: number;
  /** HEAD as this claim last saw or wrote it. */
  head(): Head;
  /**
   * Applies an edit by swap, however long the store takes; one write at a time, in call order.
   * @throws AppError fenced (write nothing more), or the signal's reason
   */
  write(edit: (head: Head) => Head, signal?: AbortSignal): Promise<Head>;
  /** Reads HEAD to learn what is wanted now. @throws AppError fenced; store_unavailable */
  refresh(signal?: AbortSignal): Promise<Head>;
}

export interface ClaimRequest {
  job: string;
  worker: string;
  ticket: Ticket | null;
  limits: RunLimits;
  /** Whether this owner is alive as far as its heartbeat says. */
  isLive: (owner: Owner) => Promise<boolean>;
  /** What is known of an owner that vanished. */
  account: (owner: Owner, head: Head) => Promise<AttemptAccount>;
  /** By the clock that all processes share, for jobs that start within a time. */
  sharedNow: () => Promise<Date>;
  /** Only finish what nobody carries out; a job that wants to run is left alone (`wanted`). For the controller. */
  finishOnly?: boolean;
}

/** An owner that vanished, and what is known of its work. */
export interface Vanished {
  owner: Owner;
  account: AttemptAccount;
}

export type ClaimOutcome =
  | { kind: 'claimed'; claim: Claim; displaced: Vanished | null }
  | { kind: 'finished'; head: Head; displaced: Vanished | null }
  | { kind: 'early'; head: Head; startsAt: Date }
  | { kind: 'terminal' | 'held' | 'stale' | 'wanted'; head: Head };

/**
 * Tries to become the owner.
 * @throws AppError whatever `sharedNow` does; store_unavailable if the store does not answer in time: the claim may hold, but its fence then belongs
 *   to nobody and the next claimant displaces it; checkpoint_corrupt if HEAD is unreadable
 */
export async function claimJob(deps: HeadDeps, request: ClaimRequest): Promise<ClaimOutcome> {
  const attempt = randomId();
  let last: AppError | null = null;
  let displaced: Vanished | null = null;
  for (let tries = 0; tries < SWAP_TRIES; tries++) {
    if (tries > 0) await deps.clock.sleep(backoffMs(tries));
    let view: HeadView;
    try {
      view = await readHead(deps, request.job);
    } catch (error) {
      if (!isAppError(error) || !error.retryable) throw error;
      last = error;
      continue;
    }
    const { head } = view;
    // An unanswered swap of mine took effect.
    if (head.attempt === attempt) return head.owner ? { kind: 'claimed', claim: makeClaim(deps, request.job, attempt, view), displaced } : { kind: 'finished', head, displaced };
    const live = head.owner !== null && (await request.isLive(head.owner));
    const now = deps.clock.now();
    // A HEAD that is made anew from its commits is younger than any ticket can know.
    const ticket = view.etag === null ? null : request.ticket;
    const decision: ClaimDecision = decideClaim(head, ticket, live, request.limits, goesByTime(head, request.limits) ? await request.sharedNow() : now);
    if (decision.kind === 'early') return { ...decision, head };
    if (decision.kind === 'terminal' || decision.kind === 'stale' || decision.kind === 'held') return { kind: decision.kind, head };
    if (decision.kind === 'claim' && request.finishOnly) return { kind: 'wanted', head };
    displaced = head.owner && { owner: head.owner, account: await request.account(head.owner, head) };
    const claimant = { attempt, worker: request.worker, now, displaced: displaced?.account ?? NOTHING_DONE };
    const edited = decision.kind === 'claim' ? claimed(head, claimant) : finishedUnowned(head, decision, claimant);
    const outcome = await swap(deps, request.job, { ...edited, version: head.version + 1, write: randomId() }, view.etag);
    if (outcome.kind === 'done') {
      return decision.kind === 'claim'
        ? { kind: 'claimed', claim: makeClaim(deps, request.job, attempt, outcome.view), displaced }
        : { kind: 'finished', head: outcome.view.head, displaced };
    }
    if (outcome.kind === 'unclear') last = outcome.error;
  }
  throw last ?? new AppError('store_unavailable', 'HEAD kept changing while it was claimed');
}

function makeClaim(deps: HeadDeps, job: string, attempt: string, start: HeadView): Claim {
  let view = start;
  let queue: Promise<unknown> = Promise.resolve();
  let fenced = false;

  function adopt(seen: HeadView): void {
    if (seen.head.attempt !== attempt) {
      fenced = true;
      throw new AppError('fenced', `attempt ${attempt} of ${job} was displaced (fence ${start.head.fence} → ${seen.head.fence})`);
    }
    view = seen;
  }

  async function write(edit: (head: Head) => Head, signal?: AbortSignal): Promise<Head> {
    const id = randomId();
    for (let tries = 0; ; tries++) {
      signal?.throwIfAborted();
      if (fenced) throw new AppError('fenced', `attempt ${attempt} of ${job} was displaced`);
      const outcome = await swap(deps, job, { ...edit(view.head), version: view.head.version + 1, write: id }, view.etag);
      if (outcome.kind === 'done') {
        view = outcome.view;
        return view.head;
      }
      // Unclear or lost: read back until the store answers, then either it took effect, or adopt what stands there and try again.
      for (let reads = 0; ; reads++) {
        signal?.throwIfAborted();
        try {
          adopt(await readHead(deps, job, signal));
          if (view.head.write !== id) break;
          await deps.store.confirm(headKey(job), signal ? { signal } : {});
          return view.head;
        } catch (error) {
          if (!isAppError(error) || !error.retryable) throw error;
          await deps.clock.sleep(backoffMs(Math.min(reads, 7)), signal);
        }
      }
      await deps.clock.sleep(backoffMs(Math.min(tries, 7)), signal);
    }
  }

  return {
    job,
    attempt,
    fence: start.head.fence,
    gen: start.head.gen,
    number: start.head.owner?.number ?? start.head.counters.attempts,
    head: () => view.head,
    write: (edit, signal) => {
      const turn = queue.then(() => write(edit, signal));
      queue = turn.catch(() => undefined);
      return turn;
    },
    refresh: (signal) => {
      const turn = queue.then(async () => {
        adopt(await readHead(deps, job, signal));
        return view.head;
      });
      queue = turn.catch(() => undefined);
      return turn;
    },
  };
}
