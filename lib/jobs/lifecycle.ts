// The life of a job as pure functions: how each write changes HEAD, and what status HEAD and the live facts add up to.
// No store, no clock: head.ts does the writing. Verbs are in verbs.ts, the status in status.ts.
//
//                          ┌────────── resume ──────────┐
//   submit                 │                            │
//     │       claim        │    pause + commit          │          HEAD.state   open      scheduled queued starting
//     ▼   ┌───────────► starting ──► running ──► pausing ──► paused                         running preempting recovering
//   queued┤                │           │                                                    pausing cancelling
//     ▲   └─ release ◄─ preempting ◄───┤ notice                     paused    paused
//     │                                │                            succeeded succeeded
//     ├── recovering ◄── owner dead ◄──┤                            failed    failed
//     │                                ├──► succeeded               cancelled cancelled
//     │                                ├──► failed ── retry (gen+1) ─┐  expired   expired
//     │                                └──► cancelled ── retry ─────┤
//     └─────────────────────────────────────────────────────────────┘
//
// `status` is stored nowhere: statusOf() (status.ts) computes it from HEAD, the ticket and the owner's heartbeat.
import type { Counters, Head, HeadState, Inputs, JobFailure, JobResult, RetainedCommit, Rung, StatusReason } from '../contract/records.js';
import { TERMINAL_STATES } from '../contract/records.js';
import type { EventType, JobEvent } from '../contract/rows.js';
import type { KeepBestSpec } from '../contract/spec.js';
import { chooseRetained } from '../checkpoints/retention.js';

/** Claims without a commit in between, after which a job is given up. */
export const CRASH_LOOP_LIMIT = 5;
/** Each claim starts its event ids at the next multiple, so that ids a dead attempt used live are never used again. */
export const EVENT_ID_STRIDE = 1_000_000;
/** Events kept in HEAD itself between commits; older ones are dropped when a job is claimed again and again without a commit. */
const HEAD_EVENTS_MAX = 64;

const NO_COUNTERS: Counters = {
  kills_since_commit: 0, failures: 0, preemptions: 0, restarts: 0, attempts: 0, losses: 0, events: 0, attempt_seconds: 0, executed_micro_batches: 0, executed_seconds: 0, wasted_micro_batches: 0, wasted_seconds: 0, commits: 0, save_seconds: 0,
};

/** What a job without a HEAD object has: fence 0, open, wanted. */
export function emptyHead(): Head {
  return {
    version: 0, gen: 0, fence: 0, seq: 0, state: 'open', want: { verb: 'run', seq: 0, cause: 'user' }, attempt: null, write: null, owner: null, pause_at: null, rungs: [],
    reason: null, message: null, manifest: null, manifest_sha256: null, retained: [], pins: [], quarantined: [], inputs: null,
    counters: { ...NO_COUNTERS }, events: [], started_at: null, finished_at: null, result: null, error: null,
  };
}

export function isTerminal(state: HeadState): boolean {
  return (TERMINAL_STATES as readonly HeadState[]).includes(state);
}

// ── claiming ───────────────────────────────────────────────────────────────────────────────────────────────────────

export interface Ticket {
  job: string;
  gen: number;
  fence: number;
}

/** Of the spec, what decides about claiming and ending. */
export interface RunLimits {
  maxFailures: number;
  maxPreemptions: number | null;
  /** ISO time; a job that never started does not before it. */
  startAfter: string | null;
  /** ISO time; a job that never started by then expires. Who retries it wants it nevertheless. */
  startBefore: string | null;
}

export type ClaimDecision =
  | { kind: 'claim' }
  | { kind: 'terminal' }
  | { kind: 'stale' }
  | { kind: 'held' }
  /** Its time has not come. */
  | { kind: 'early'; startsAt: Date }
  /** Nobody carries out what is wanted: the claimant writes this state in the same swap. */
  | { kind: 'finish'; state: HeadState; reason: StatusReason; message: string; error: JobFailure | null };

/** Whether the time decides what a claimant may do with this HEAD: then it has to be everybody's. */
export const goesByTime = ({ state, want, started_at }: Head, { startAfter, startBefore }: RunLimits): boolean => !isTerminal(state) && want.verb === 'run' && started_at === null && (startAfter !== null || startBefore !== null);

/** What a claimant may do with this HEAD. `ownerLive` is the heartbeat's answer; without an owner it is ignored. */
export function decideClaim(head: Head, ticket: Ticket | null, ownerLive: boolean, limits: RunLimits, now: Date): ClaimDecision {
  if (isTerminal(head.state)) return { kind: 'terminal' };
  if (ticket && (ticket.gen !== head.gen || ticket.fence < head.fence)) return { kind: 'stale' };
  if (head.owner && ownerLive) return { kind: 'held' };
  switch (head.want.verb) {
    case 'cancel':
    case 'kill':
      return { kind: 'finish', state: 'cancelled', reason: head.want.cause, message: 'cancelled while no worker had it', error: null };
    case 'pause':
      return head.state === 'paused' && !head.owner ? { kind: 'held' } : { kind: 'finish', state: 'paused', reason: head.want.cause, message: 'paused while no worker had it', error: null };
    case 'run':
      break;
  }
  if (head.gen === 0 && head.started_at === null && limits.startBefore !== null && now.getTime() > Date.parse(limits.startBefore))
    return { kind: 'finish', state: 'expired', reason: 'start_expired', message: `not started before ${limits.startBefore}`, error: { code: 'start_expired', message: `the job did not start before ${limits.startBefore}`, param: 'run.start_before' } };
  if (head.started_at === null && limits.startAfter !== null && now.getTime() < Date.parse(limits.startAfter)) return { kind: 'early', startsAt: new Date(limits.startAfter) };
  if (head.counters.kills_since_commit >= CRASH_LOOP_LIMIT) {
    const message = `${CRASH_LOOP_LIMIT} attempts in a row died without a commit`;
    return { kind: 'finish', state: 'failed', reason: 'crash_loop', message, error: { code: 'crash_loop', message, param: null } };
  }
  return { kind: 'claim' };
}

export interface Claimant {
  attempt: string;
  worker: string;
  now: Date;
  /** What is known of a dead owner whom this claim displaces. */
  displaced: AttemptAccount;
}

/** What an attempt adds to the counters when it ends. */
export interface AttemptAccount {
  executedMicroBatches: number;
  /** Of training: without waiting, loading and saving. */
  executedSeconds: number;
  wastedMicroBatches: number;
  wastedSeconds: number;
  attemptSeconds: number;
  /** Of an owner that vanished, since its last sign of life; null of one that ended by itself, or of which nothing is known. */
  silentMs: number | null;
}
export const NOTHING_DONE: AttemptAccount = { executedMicroBatches: 0, executedSeconds: 0, wastedMicroBatches: 0, wastedSeconds: 0, attemptSeconds: 0, silentMs: null };

function withAccount(counters: Counters, account: AttemptAccount): Counters {
  return {
    ...counters,
    attempt_seconds: counters.attempt_seconds + account.attemptSeconds,
    executed_micro_batches: counters.executed_micro_batches + account.executedMicroBatches,
    executed_seconds: counters.executed_seconds + account.executedSeconds,
    wasted_micro_batches: counters.wasted_micro_batches + account.wastedMicroBatches,
    wasted_seconds: counters.wasted_seconds + account.wastedSeconds,
  };
}

/** Time in attempts, the present one's too. */
export function attemptSecondsAt({ counters, owner }: Pick<Head, 'counters' | 'owner'>, now: Date): number {
  return counters.attempt_seconds + (owner ? Math.max(0, now.getTime() - Date.parse(owner.started_at)) / 1_000 : 0);
}

/** Appends events with the next ids and moves the counter on. */
export function withEvents(head: Head, now: Date, ...events: { type: EventType; attempt: number | null; message: string; data?: Record<string, unknown> }[]): Head {
  let id = head.counters.events;
  const added: JobEvent[] = events.map((event) => ({ id: ++id, type: event.type, at: now.toISOString(), attempt: event.attempt, message: event.message, data: event.data ?? {} }));
  return { ...head, events: [...head.events, ...added].slice(-HEAD_EVENTS_MAX), counters: { ...head.counters, events: id } };
}

/** The end of an owner that vanished, as far as it is known. */
function closeDeadOwner(head: Head, claimant: Claimant): Head {
  if (!head.owner) return head;
  const { displaced } = claimant;
  const attemptSeconds = Math.max(0, claimant.now.getTime() - Date.parse(head.owner.started_at) - (displaced.silentMs ?? 0)) / 1_000;
  const ended = { ...head, counters: withAccount({ ...head.counters, restarts: head.counters.restarts + 1, losses: head.counters.losses + 1 }, { ...displaced, attemptSeconds }) };
  return withEvents(ended, claimant.now, { type: 'attempt.ended', attempt: head.owner.number, message: `attempt ${head.owner.number} vanished`, data: { end_reason: 'lease_lost' } });
}

export const jumpEvents = (head: Head): Head => ({ ...head, counters: { ...head.counters, events: (Math.floor(head.counters.events / EVENT_ID_STRIDE) + 1) * EVENT_ID_STRIDE } });

/** HEAD after a claim: a higher fence, a new attempt, a new owner. */
export function claimed(head: Head, claimant: Claimant): Head {
  const closed = closeDeadOwner(jumpEvents(head), claimant);
  const number = closed.counters.attempts + 1;
  const at = claimant.now.toISOString();
  return withEvents(
    {
      ...closed,
      fence: head.fence + 1,
      attempt: claimant.attempt,
      owner: { attempt: claimant.attempt, number, worker: claimant.worker, started_at: at, resumed_from: head.retained.at(-1)?.id ?? null, resumed_at: head.retained.at(-1)?.micro_batches ?? 0, train_seconds: 0 },
      state: 'open',
      reason: head.owner ? 'lease_lost' : head.reason,
      message: head.owner ? `attempt ${head.owner.number} vanished` : head.message,
      counters: { ...closed.counters, attempts: number, kills_since_commit: closed.counters.kills_since_commit + 1 },
      started_at: head.started_at ?? at,
      finished_at: null,
    },
    claimant.now,
    ...(head.state === 'paused' ? [{ type: 'job.resumed' as const, attempt: number, message: 'resumed' }] : []),
    { type: 'attempt.started', attempt: number, message: `attempt ${number} on ${claimant.worker}`, data: { worker: claimant.worker } },
  );
}

/** HEAD after a claim that only carries out what is wanted: state and fence in one swap, no owner. */
export function finishedUnowned(head: Head, decision: Extract<ClaimDecision, { kind: 'finish' }>, claimant: Claimant): Head {
  const closed = closeDeadOwner(jumpEvents(head), claimant);
  return ended({ ...closed, fence: head.fence + 1, attempt: claimant.attempt }, decision.state, decision.reason, decision.message, decision.error, null, claimant.now, null);
}

// ── working ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Fixes what every attempt must find the same, before the first micro-batch. */
export function pinned(head: Head, inputs: Inputs, resumed: { from: string | null; at: number }): Head {
  return { ...head, inputs, owner: head.owner && { ...head.owner, resumed_from: resumed.from, resumed_at: resumed.at } };
}

export interface CommitFacts {
  commit: RetainedCommit;
  keepLast: number;
  keepBest: KeepBestSpec | null;
  /** The last event id in the commit's segment. */
  lastEvent: number;
  /** What the attempt trained until then. */
  trainSeconds: number;
  /** From the snapshot to this swap. */
  saveSeconds: number;
}

/** HEAD after a commit: manifest, retention and counters in one swap. Dropped commits leave `retained` before a blob is deleted. */
export function committed(head: Head, facts: CommitFacts): Head {
  const holds = lasting(head, facts.commit.committed_at);
  return {
    ...head,
    ...(head.holds ? { holds } : {}),
    seq: facts.commit.seq,
    manifest: facts.commit.manifest,
    manifest_sha256: facts.commit.manifest_sha256,
    retained: chooseRetained([...head.retained.filter((commit) => commit.seq < facts.commit.seq), facts.commit], facts.keepLast, [...head.pins, ...holds.map(({ checkpoint }) => checkpoint)], facts.keepBest),
    events: head.events.filter((event) => event.id > facts.lastEvent),
    owner: head.owner && { ...head.owner, train_seconds: facts.trainSeconds },
    counters: { ...head.counters, kills_since_commit: 0, events: Math.max(head.counters.events, facts.lastEvent), commits: head.counters.commits + 1, save_seconds: head.counters.save_seconds + facts.saveSeconds },
  };
}

/** So that a hold does not lapse before whoever left it to another reader asks again. */
const HOLD_SLACK_MS = 30_000;

const lasting = ({ holds = [] }: Head, at: string): { checkpoint: string; until: string }[] => holds.filter(({ until }) => until > at);

/** HEAD after somebody wants a checkpoint to stay until then; null where nothing drops it before. The caller has seen that it is retained. */
export function held(head: Head, checkpoint: string, until: Date, now: Date): Head | null {
  const holds = lasting(head, now.toISOString());
  const end = until.toISOString();
  // Of many readers at once one writes it.
  const longEnough = new Date((now.getTime() + until.getTime()) / 2 + HOLD_SLACK_MS).toISOString();
  if (isTerminal(head.state) || head.pins.includes(checkpoint) || holds.some((hold) => hold.checkpoint === checkpoint && hold.until >= longEnough)) return null;
  return { ...head, holds: [...holds.filter((hold) => hold.checkpoint !== checkpoint), { checkpoint, until: end }] };
}

/** Commits that failed verification: passed over from now on, their blobs left for inspection; what only they held was in vain. */
export function quarantined(head: Head, manifests: readonly string[], lostMicroBatches: number): Head {
  return {
    ...head,
    counters: { ...head.counters, wasted_micro_batches: head.counters.wasted_micro_batches + lostMicroBatches },
    retained: head.retained.filter((commit) => !manifests.includes(commit.manifest)),
    quarantined: [...new Set([...head.quarantined, ...manifests])],
    reason: 'checkpoint_corrupt',
    message: `${manifests.length} checkpoint(s) failed verification`,
  };
}

// ── ending ─────────────────────────────────────────────────────────────────────────────────────────────────────────

export type Ending =
  /** In order, at a micro-batch: by notice, verb or shutdown. */
  | { kind: 'stopped'; reason: StatusReason; message: string; rung?: Rung }
  /** The trainer died; the supervisor is there to say so. */
  | { kind: 'killed'; reason: StatusReason; message: string }
  | { kind: 'completed'; result: JobResult }
  | { kind: 'failed'; reason: StatusReason; error: JobFailure; retryable: boolean };

/** It ended without a last commit, and unasked: what a shorter interval between commits would have saved. */
const isLoss = (ending: Ending): boolean => ending.kind === 'killed' || (ending.kind === 'failed' && ending.retryable);

/** Which of three counts an attempt's end adds to; only the first two can use a job up. */
export type Charge = 'failures' | 'preemptions' | 'restarts';

/**
 * What the job did by itself is a failure (`run.max_failures`), what was taken from it by a notice or a kill a preemption
 * (`run.max_preemptions`). That its worker was shut down or drained is a restart, as is an owner that vanished (`claimed`): the
 * job can do nothing about it, and only the crash loop bounds it. Null: it went as it should, or as somebody wanted.
 */
export function chargeOf(ending: Ending): Charge | null {
  switch (ending.kind) {
    case 'completed':
      return null;
    case 'failed':
      return 'failures';
    case 'killed':
      if (ending.reason === 'server_shutdown') return 'restarts';
      return ending.reason === 'trainer_crashed' ? 'failures' : 'preemptions';
    case 'stopped':
      if (ending.reason === 'server_shutdown') return 'restarts';
      return ending.reason === 'preempted_notice' ? 'preemptions' : null;
  }
}

function ended(head: Head, state: HeadState, reason: StatusReason | null, message: string | null, error: JobFailure | null, result: JobResult | null, now: Date, attempt: number | null): Head {
  const terminal = isTerminal(state);
  const next: Head = { ...head, owner: null, state, reason, message, error, result, finished_at: terminal ? now.toISOString() : null };
  switch (state) {
    case 'open':
      return withEvents(next, now, { type: 'job.queued', attempt, message: message ?? 'queued' });
    case 'paused':
      return withEvents(next, now, { type: 'job.paused', attempt, message: 'paused' });
    case 'succeeded':
      return withEvents(next, now, { type: 'job.succeeded', attempt, message: 'succeeded', data: { result } });
    case 'failed':
      return withEvents(next, now, { type: 'job.failed', attempt, message: message ?? 'failed', data: { error } });
    case 'cancelled':
      return withEvents(next, now, { type: 'job.cancelled', attempt, message: 'cancelled' });
    case 'expired':
      return withEvents(next, now, { type: 'job.expired', attempt, message: message ?? 'expired' });
  }
}

/** Whose pause it was that an attempt stopped for. */
const PAUSE_REASONS: ReadonlySet<StatusReason> = new Set(['user', 'schedule', 'sweep_paused']);

/** HEAD after an attempt's end, in the same swap as its last commit if it has one. What is wanted decides the state. */
export function attemptEnded(head: Head, ending: Ending, account: AttemptAccount, limits: RunLimits, now: Date): Head {
  const number = head.owner?.number ?? head.counters.attempts;
  let counters = withAccount(head.counters, account);
  if (isLoss(ending)) counters = { ...counters, losses: counters.losses + 1 };
  if (ending.kind !== 'killed') counters = { ...counters, kills_since_commit: Math.max(0, counters.kills_since_commit - 1) };
  const charge = chargeOf(ending);
  if (charge !== null) counters = { ...counters, [charge]: counters[charge] + 1 };
  const exhausted = charge === 'failures' && counters.failures > limits.maxFailures;
  const endReason = ending.kind === 'completed' ? 'completed' : ending.reason;
  const rung = ending.kind === 'stopped' ? ending.rung : undefined;
  const rungs = rung ? [...head.rungs.filter(({ update }) => update !== rung.update), rung] : head.rungs;
  const base = withEvents({ ...head, counters, rungs }, now, { type: 'attempt.ended', attempt: number, message: `attempt ${number} ended: ${endReason}`, data: { end_reason: endReason } });

  switch (head.want.verb) {
    case 'cancel':
    case 'kill':
      return ended(base, 'cancelled', head.want.cause, 'cancelled', null, null, now, number);
    case 'pause':
      if (ending.kind === 'failed' && !ending.retryable) break;
      return ended(base, 'paused', head.want.cause, 'paused', null, null, now, number);
    case 'run':
      break;
  }
  switch (ending.kind) {
    case 'completed':
      return ended(base, 'succeeded', null, null, null, ending.result, now, number);
    case 'failed':
      if (ending.retryable && !exhausted) return ended(base, 'open', ending.reason, ending.error.message, null, null, now, number);
      return ended(base, 'failed', ending.retryable ? 'max_failures' : ending.reason, ending.error.message, ending.error, null, now, number);
    case 'killed':
    case 'stopped': {
      // It has done what it was to do; whoever wants more of it says so.
      if (rung) return ended({ ...base, want: { verb: 'pause', seq: head.want.seq + 1, cause: ending.reason } }, 'paused', ending.reason, ending.message, null, null, now, number);
      if (exhausted) return ended(base, 'failed', 'max_failures', ending.message, { code: ending.reason, message: ending.message, param: null }, null, now, number);
      if (ending.reason === 'max_duration') return ended(base, 'failed', 'max_duration', ending.message, { code: 'max_duration', message: ending.message, param: 'run.max_duration_seconds' }, null, now, number);
      if (charge === 'preemptions' && limits.maxPreemptions !== null && counters.preemptions > limits.maxPreemptions) {
        const message = `preempted ${counters.preemptions} times, more than run.max_preemptions allows (${limits.maxPreemptions})`;
        return ended(base, 'failed', 'max_preemptions', message, { code: 'max_preemptions', message, param: 'run.max_preemptions' }, null, now, number);
      }
      // It stopped for a pause that nobody wants any more.
      if (PAUSE_REASONS.has(ending.reason)) return ended(base, 'open', null, null, null, null, now, number);
      return ended(base, 'open', ending.reason, ending.message, null, null, now, number);
    }
  }
}
