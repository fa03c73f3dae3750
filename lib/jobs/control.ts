// The verbs of the API: each is a swap of `want` (or of gen, for retry) in HEAD before its acknowledgement. What follows
// (nudging the owner, the ticket, finishing what nobody owns) is best effort; the controller sees to the rest.
import type { Head, JobRecord, StatusReason } from '../contract/records.js';
import { closeJob } from './closing.js';
import { type HandoverDeps, issueTicket, withdrawTicket } from './handover.js';
import { editHead, type HeadDeps, readHead } from './head.js';
import { isTerminal, NOTHING_DONE } from './lifecycle.js';
import { afterVerb, goesOnUntil, retried } from './verbs.js';
import { openKey } from './names.js';
import { reconcileJob } from './reconcile.js';
import { requireRecord, toJson } from './record.js';
import { openMarker } from './submit.js';

export interface ControlDeps extends HandoverDeps {
  clock: HeadDeps['clock'];
}

export type Verb = 'pause' | 'resume' | 'cancel' | 'kill';

/**
 * Says what is wanted of a job; repeating a verb is a no-op. HEAD holds it when this returns.
 * @throws AppError not_found, invalid_state, store_unavailable
 */
export async function sayVerb(deps: ControlDeps, job: string, verb: Verb, cause: StatusReason): Promise<Head> {
  const record = await requireRecord(deps.store, job);
  const head = await editHead(deps, job, (current) => afterVerb(current, verb, cause));
  if (verb === 'resume') await issueTicket(deps, record, head, { reissue: head.started_at !== null });
  else if (head.owner === null) await withdraw(deps, record, head);
  return head;
}

/**
 * Lets a job go on that has paused by itself, up to another update (null: to its end). HEAD holds it when this returns.
 * @throws AppError not_found, invalid_state, store_unavailable
 */
export async function goOnUntil(deps: ControlDeps, job: string, update: number | null): Promise<Head> {
  const record = await requireRecord(deps.store, job);
  const head = await editHead(deps, job, (current) => goesOnUntil(current, update));
  await issueTicket(deps, record, head, { reissue: head.started_at !== null });
  return head;
}

/** Nobody need come for a job that no longer wants a worker; unless it was told to go on meanwhile, and found this ticket there. */
async function withdraw(deps: ControlDeps, record: JobRecord, head: Head): Promise<void> {
  await withdrawTicket(deps, record.id, head);
  const now = await readHead(deps, record.id).catch(() => null);
  if (now) await issueTicket(deps, record, now.head, { reissue: now.head.started_at !== null });
}

/**
 * Starts a failed, cancelled or expired job again from its last checkpoint, under the same id.
 * @param assertRoom asked once nothing else keeps it from starting; nothing is written if it throws
 * @throws AppError not_found, invalid_state, store_unavailable, and what `assertRoom` does
 */
export async function retryJob(deps: ControlDeps, job: string, assertRoom: () => Promise<void> = () => Promise.resolve()): Promise<Head> {
  const record = await requireRecord(deps.store, job);
  let { head: seen } = await readHead(deps, job);
  if (!seen.owner && !isTerminal(seen.state) && (seen.want.verb === 'cancel' || seen.want.verb === 'kill')) {
    // It reads as cancelled already; nobody has carried it out yet. What is cancelled goes by no time.
    await reconcileJob({ ...deps, name: 'api', isLive: () => Promise.resolve(true), account: () => Promise.resolve(NOTHING_DONE), sharedNow: () => Promise.resolve(deps.clock.now()) }, job, seen.gen);
    seen = (await readHead(deps, job)).head;
  }
  const fromGen = seen.gen;
  // Nobody will come to close this gen once the next one has begun. Its marker goes last.
  if (isTerminal(seen.state) && (await deps.store.head(openKey(job, fromGen))) !== null) await closeJob(deps.store, record, seen, deps.clock.now());
  // Checked before the marker is written, so that a refused retry leaves nothing behind.
  retried(seen, fromGen, deps.clock.now());
  await assertRoom();
  await deps.store.put(openKey(job, fromGen + 1), toJson(openMarker(record)));
  const head = await editHead(deps, job, (current) => retried(current, fromGen, deps.clock.now()));
  await issueTicket(deps, record, head, { reissue: false });
  return head;
}
