// How an attempt ends: with a last commit or without one, always by one swap of HEAD, then its record, then the next ticket.
import type { AttemptEnd, Head, StatusReason } from '../../lib/contract/records.js';
import { type ErrorCode, isAppError } from '../../lib/errors.js';
import { handOver } from '../../lib/jobs/handover.js';
import { type AttemptAccount, attemptEnded, chargeOf, type Ending, isTerminal, NOTHING_DONE } from '../../lib/jobs/lifecycle.js';
import { closeAttempt } from '../../lib/jobs/record.js';
import type { Snapshot } from '../protocol.js';
import { makeRoomForSnapshot } from './disk-room.js';
import type { Figures } from './figures.js';
import { bytesOf, type Saver } from './saver.js';
import type { AttemptOutcome, Session } from './session.js';

/** How long a last commit may wait for space before the attempt ends as a failure that can be retried. */
const FULL_STORE_PATIENCE_MS = 30_000;
const UNSUITED_DELAY_MS = 10_000;

/** Ends the attempt with its last commit, in one swap, however long the store takes: who else could have the job then takes it over (store-watch.ts). */
export async function endWith(session: Session, saver: Saver, figures: Figures, snapshot: Snapshot, ending: Ending): Promise<AttemptOutcome> {
  const { deps, limits } = session;
  const from = deps.clock.monotonicMs();
  const account = figures.account(snapshot.counters.cursor.micro_batches);
  for (;;) {
    try {
      const head = await saver.save(snapshot, {
        ending: (current) => attemptEnded(current, ending, account, limits, deps.clock.now()),
        ...(ending.kind === 'completed' ? { final: ending.result } : {}),
      });
      return await conclude(session, figures, account, ending, head);
    } catch (error) {
      if (!isAppError(error, 'store_full') && !isAppError(error, 'store_unavailable')) throw error;
      if (error.code === 'store_full' && deps.clock.monotonicMs() - from > FULL_STORE_PATIENCE_MS) return endWithout(session, saver, figures, failure('store_full', error.message, null));
      if (error.code === 'store_full' && (await makeRoomForSnapshot(deps.copies, bytesOf(snapshot)))) continue;
      await deps.clock.sleep(500);
    }
  }
}

/** Ends the attempt without a commit: the one before stands. */
export async function endWithout(session: Session, saver: Saver | null, figures: Figures | null, ending: Ending): Promise<AttemptOutcome> {
  const { deps, claim, limits } = session;
  const account = figures?.account() ?? { ...NOTHING_DONE, attemptSeconds: (deps.clock.monotonicMs() - session.startedMs) / 1_000 };
  const head = await claim.write((current) => attemptEnded(saver ? saver.carry(current) : current, ending, account, limits, deps.clock.now()));
  saver?.publish(head);
  return conclude(session, figures, account, ending, head);
}

/** What follows the swap: the attempt's record, then the next ticket or the closing. None of it can be lost: the controller repeats it. */
async function conclude(session: Session, figures: Figures | null, account: AttemptAccount, ending: Ending, head: Head): Promise<AttemptOutcome> {
  const { deps, record, claim, log, facts } = session;
  const reason = ending.kind === 'completed' ? 'completed' : ending.reason;
  log.info({ end_reason: reason, state: head.state, executed: account.executedMicroBatches, wasted: account.wastedMicroBatches }, 'attempt ended');
  const end: AttemptEnd = {
    number: claim.number,
    attempt: claim.attempt,
    closed_by: deps.worker,
    ended_at: deps.clock.now().toISOString(),
    end_reason: reason,
    engine: facts?.engine ?? null,
    device: facts?.device ?? null,
    resumed_from: session.resumedFrom,
    executed_micro_batches: account.executedMicroBatches,
    executed_seconds: account.executedSeconds,
    wasted_micro_batches: account.wastedMicroBatches,
    wasted_seconds: account.wastedSeconds,
    peak_memory_mib: figures?.peakMemoryMib ?? null,
    numerics_class: facts?.numericsClass ?? null,
    timings: figures?.timings ?? { detect_ms: session.waited.detectMs, queue_ms: session.waited.queueMs, load_ms: 0, warmup_ms: 0, train_ms: 0, save_ms: 0 },
  };
  deps.feed.tally({ ...figures?.untold(account), [`attempts_ended:${reason}`]: 1 });
  await closeAttempt(deps.store, record.id, end).catch((error: unknown) => log.warn({ err: error }, 'the attempt’s record was not closed'));
  await deps.feed.end(session.stamp, isTerminal(head.state));
  // Another worker should take it; this one would only find out the same again.
  await handOver(deps, record, head, { afterFailure: chargeOf(ending) === 'failures', ...(isUnsuited(ending) ? { delayMs: UNSUITED_DELAY_MS } : {}) }).catch((error: unknown) => log.warn({ err: error }, 'not handed over; the controller will'));
  return { kind: 'ended', head, executed: account.executedMicroBatches, wasted: account.wastedMicroBatches, scheduled: record.schedule !== null };
}

/** Another kind of worker has to take the job. */
export const unsuited = (message: string): Extract<Ending, { kind: 'stopped' }> => ({ kind: 'stopped', reason: 'engine_unavailable', message });
export const isUnsuited = (ending: Ending): ending is Extract<Ending, { kind: 'stopped' }> => ending.kind === 'stopped' && ending.reason === 'engine_unavailable';

/** A failure as an ending. What cannot get better by trying again is not tried again. */
export function failure(code: ErrorCode, message: string, param: string | null): Extract<Ending, { kind: 'failed' }> {
  const reason = REASONS[code] ?? 'internal_error';
  const hopeless: readonly StatusReason[] = ['nonfinite_loss', 'invalid_data', 'data_changed', 'checkpoint_corrupt'];
  return { kind: 'failed', reason, error: { code, message, param }, retryable: !hopeless.includes(reason) };
}

/** Codes that are reasons of their own, or lead to another. */
const REASONS: Partial<Record<ErrorCode, StatusReason>> = {
  invalid_data: 'invalid_data',
  data_missing: 'data_missing',
  invalid_location: 'data_missing',
  data_changed: 'data_changed',
  checkpoint_corrupt: 'checkpoint_corrupt',
  nonfinite_loss: 'nonfinite_loss',
  oom: 'oom',
  engine_unavailable: 'engine_unavailable',
  trainer_crashed: 'trainer_crashed',
};
