// One open job looked at by a controller: what HEAD calls for and nobody does, it does. Any number of controllers may
// run it at once; claiming decides, and tickets are idempotent.
import type { Head, JobRecord, Owner } from '../contract/records.js';
import type { Store } from '../store/index.js';
import { claimJob, glanceAtHead, type HeadDeps, readHead } from './head.js';
import { type HandoverDeps, handOver, issueTicket, withdrawTicket } from './handover.js';
import { closeJob } from './closing.js';
import { type AttemptAccount, decideClaim, goesByTime, type RunLimits } from './lifecycle.js';
import { openKey } from './names.js';
import { closeVanished, loadRecord } from './record.js';

export interface ReconcileDeps extends HandoverDeps {
  store: Store;
  clock: HeadDeps['clock'];
  /** For `owner.worker` of a claim that only finishes. */
  name: string;
  isLive: (job: string, owner: Owner) => Promise<boolean>;
  account: (job: string, owner: Owner, head: Head) => Promise<AttemptAccount>;
  /** By the clock that all processes share. @throws AppError store_unavailable, store_full */
  sharedNow: () => Promise<Date>;
}

export type ReconcileOutcome = 'unacknowledged' | 'closed' | 'ticketed' | 'owned' | 'finished' | 'paused' | 'superseded';

export function runLimits(record: JobRecord): RunLimits {
  const { run } = record.spec;
  return { maxFailures: run.max_failures, maxPreemptions: run.max_preemptions, startAfter: run.start_after, startBefore: run.start_before };
}

/**
 * @param gen of the open marker it was found by
 * @throws AppError store_unavailable
 */
export async function reconcileJob(deps: ReconcileDeps, job: string, gen: number): Promise<ReconcileOutcome> {
  // Without a HEAD nothing says which gen it is, unless there was no other.
  const [record, head] = await Promise.all([loadRecord(deps.store, job), gen === 0 ? glanceAtHead(deps, job) : readHead(deps, job).then((view) => view.head)]);
  if (!record) return 'unacknowledged';
  if (gen < head.gen) {
    // A retry closed this gen first; only its marker was left behind.
    await deps.store.delete(openKey(job, gen));
    return 'superseded';
  }
  // A marker ahead of HEAD belongs to a retry that is still under way, or died before its swap: not acknowledged.
  if (gen > head.gen) return 'unacknowledged';
  const live = head.owner !== null && (await deps.isLive(job, head.owner));
  const limits = runLimits(record);
  const decision = decideClaim(head, null, live, limits, goesByTime(head, limits) ? await deps.sharedNow() : deps.clock.now());
  switch (decision.kind) {
    case 'terminal':
      await closeJob(deps.store, record, head, deps.clock.now());
      return 'closed';
    case 'held':
    case 'stale':
      return head.owner ? 'owned' : 'paused';
    case 'finish':
      await withdrawTicket(deps, job, head);
      return finish(deps, record);
    case 'early':
    case 'claim':
      await ticketFor(deps, record, head);
      return 'ticketed';
  }
}

/** A dead owner's job gets the ticket that its end would have issued: HEAD's fence is the dead owner's own. */
async function ticketFor(deps: ReconcileDeps, record: JobRecord, head: Head): Promise<void> {
  await issueTicket(deps, record, { ...head, owner: null }, { reissue: head.started_at !== null });
}

async function finish(deps: ReconcileDeps, record: JobRecord): Promise<ReconcileOutcome> {
  const outcome = await claimJob(deps, {
    job: record.id,
    worker: deps.name,
    ticket: null,
    limits: runLimits(record),
    isLive: (owner) => deps.isLive(record.id, owner),
    account: (owner, head) => deps.account(record.id, owner, head),
    sharedNow: deps.sharedNow,
    finishOnly: true,
  });
  switch (outcome.kind) {
    case 'finished':
      if (outcome.displaced) await closeVanished(deps.store, record.id, outcome.displaced, deps.clock.now(), deps.name);
      await handOver(deps, record, outcome.head);
      return 'finished';
    case 'terminal':
      await handOver(deps, record, outcome.head);
      return 'finished';
    case 'held':
      return 'owned';
    case 'early':
    case 'wanted':
      await ticketFor(deps, record, outcome.head);
      return 'ticketed';
    case 'stale':
    case 'claimed':
      return 'owned';
  }
}
