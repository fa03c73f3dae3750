// One attempt's story, from a ticket to the next: claim, find the state to continue from, train, hand the job over.
// Read this file first, then running.ts (the trainer's life within the attempt) and ending.ts. It never sees a tensor, and
// decides nothing that HEAD has not decided: what it knows otherwise is a hint.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobRecord } from '../../lib/contract/records.js';
import { isAppError, isDiskFull, messageOf } from '../../lib/errors.js';
import { handOver } from '../../lib/jobs/handover.js';
import { type Claim, claimJob, type Vanished } from '../../lib/jobs/head.js';
import { type Ending, isTerminal } from '../../lib/jobs/lifecycle.js';
import { runLimits } from '../../lib/jobs/reconcile.js';
import { closeVanished, loadRecord, openAttempt } from '../../lib/jobs/record.js';
import { type RestoreOutcome, restoreState, type StateExpectation } from '../../lib/jobs/restore.js';
import type { TakenTicket } from '../../lib/queue/index.js';
import { untilAnswered } from '../../lib/store/patience.js';
import { makeAttemptLog } from './attempt-log.js';
import { makeRoomForSnapshot, makeRoomToBegin, withRoom } from './disk-room.js';
import { endWithout, failure, isUnsuited, unsuited } from './ending.js';
import { type AttemptInputs, beginWith, causeOf, checkStateFiles, differenceOf, gatherInputs } from './inputs.js';
import { watchForInterruption } from './interruption.js';
import type { ObjectHold } from './object-cache.js';
import { runTrainer } from './running.js';
import { type AttemptControls, type AttemptDeps, type AttemptOutcome, keepBeating, type Session, type Waited } from './session.js';

/** Carries a ticket's job as far as this worker can. Leaves HEAD released or terminal, unless another attempt took over. */
export async function runAttempt(deps: AttemptDeps, ticket: TakenTicket, controls: AttemptControls): Promise<AttemptOutcome> {
  const record = await loadRecord(deps.store, ticket.job);
  if (!record) return { kind: 'passed', why: 'no such job' };
  const outcome = await claimJob(deps, {
    job: record.id,
    worker: deps.worker,
    ticket,
    limits: runLimits(record),
    isLive: (owner) => deps.liveness.isLive(record.id, owner),
    account: (owner, head) => deps.liveness.account(record.id, owner, head),
    sharedNow: deps.sharedNow,
  });
  switch (outcome.kind) {
    case 'finished':
      if (outcome.displaced) await closeVanished(deps.store, record.id, outcome.displaced, deps.clock.now(), deps.worker);
      await handOver(deps, record, outcome.head);
      return { kind: 'passed', why: outcome.kind };
    case 'terminal':
      await handOver(deps, record, outcome.head);
      return { kind: 'passed', why: outcome.kind };
    case 'held':
    case 'stale':
    case 'wanted':
      return { kind: 'passed', why: outcome.kind };
    case 'early':
      return { kind: 'early', startsAt: outcome.startsAt };
    case 'claimed':
      controls.onClaimed(outcome.claim.attempt);
      return runClaimed(deps, record, outcome.claim, outcome.displaced, waitedOf(ticket, outcome.displaced, deps.clock.now()), controls);
  }
}

async function runClaimed(deps: AttemptDeps, record: JobRecord, claim: Claim, displaced: Vanished | null, waited: Waited, controls: AttemptControls): Promise<AttemptOutcome> {
  const { clock, store, feed, worker } = deps;
  const stamp = { job: record.id, attempt: claim.attempt, number: claim.number, worker, gen: claim.gen, fence: claim.fence };
  const log = makeAttemptLog(deps.log.child({ job: record.id, attempt: claim.number, fence: claim.fence }), deps, stamp);
  const beating = keepBeating(deps, stamp);
  const session: Session = {
    deps, record, claim, controls, log, stamp, beating, limits: runLimits(record), spoolDir: join(deps.spoolRoot, claim.attempt), startedMs: clock.monotonicMs(), waited, facts: null, resumedFrom: null,
  };
  const hold = deps.copies?.hold() ?? null;
  let abandoned = false;
  try {
    log.info({ attempt: claim.number, worker, displaced: displaced?.owner.number ?? null }, 'claimed');
    await patiently(deps, null, () => openAttempt(store, record.id, { number: claim.number, attempt: claim.attempt, worker, fence: claim.fence, started_at: clock.now().toISOString(), detect_ms: waited.detectMs, queue_ms: waited.queueMs }));
    if (displaced) {
      feed.tally({ executed_micro_batches: displaced.account.wastedMicroBatches, executed_seconds: displaced.account.wastedSeconds, wasted_micro_batches: displaced.account.wastedMicroBatches, wasted_seconds: displaced.account.wastedSeconds, 'attempts_ended:lease_lost': 1 });
      await patiently(deps, null, () => closeVanished(store, record.id, displaced, clock.now(), worker));
    }
    const prepared = await prepare(session, hold);
    if (prepared.kind === 'ready') return await runTrainer(session, prepared.inputs, prepared.restore);
    const outcome = await endWithout(session, null, null, prepared.ending);
    return isUnsuited(prepared.ending) ? { kind: 'unsuited', message: prepared.ending.message } : outcome;
  } catch (error) {
    if (isAppError(error, 'fenced')) {
      log.warn({}, 'displaced by another attempt: stopped, nothing more is written');
      return { kind: 'fenced' };
    }
    log.error({ err: error }, 'the attempt could not be ended in order; the next claimant goes on');
    abandoned = true;
    return { kind: 'abandoned', message: messageOf(error) };
  } finally {
    beating.stop();
    hold?.release();
    await log.keep();
    await feed.end(stamp, isTerminal(claim.head().state));
    // HEAD still names this attempt, which beats no more: whoever takes this ticket displaces it.
    if (abandoned) await deps.tickets.issue({ job: record.id, gen: claim.gen, fence: claim.fence, priority: record.spec.run.priority, reissue: true }).catch((error: unknown) => log.debug({ err: error }, 'no ticket; the controller issues one'));
    await rm(session.spoolDir, { recursive: true, force: true });
  }
}

/** How long a beginning waits for the store before it counts as a failure. */
const STORE_PATIENCE_MS = 600_000;

/** A store that is away is no failure of the attempt: as with a commit, it is asked until it answers, or until the attempt is not to go on. */
async function patiently<T>({ clock }: Pick<AttemptDeps, 'clock'>, signal: AbortSignal | null, what: () => Promise<T>): Promise<T> {
  const until = clock.monotonicMs() + STORE_PATIENCE_MS;
  return untilAnswered(clock, what, { ...(signal ? { signal } : {}), isOver: () => clock.monotonicMs() > until });
}

function waitedOf({ sinceMs }: TakenTicket, displaced: Vanished | null, now: Date): Waited {
  const silentMs = displaced?.account.silentMs ?? null;
  const queueMs = Math.max(0, Math.min(now.getTime() - sinceMs, silentMs ?? Infinity));
  return { queueMs: Math.round(queueMs), detectMs: Math.round(Math.max(0, (silentMs ?? 0) - queueMs)) };
}

type Prepared = { kind: 'ready'; inputs: AttemptInputs; restore: RestoreOutcome } | { kind: 'over'; ending: Ending };

/** Data, first weights and the state to continue from; or the attempt's end where one of them cannot be had. */
async function prepare(session: Session, hold: ObjectHold | null): Promise<Prepared> {
  const { deps, record, claim, spoolDir } = session;
  const interruption = watchForInterruption(session);
  try {
    const { min_memory_mib: wantedMib } = record.spec.resources;
    if (wantedMib !== null && wantedMib > deps.memoryMib) return { kind: 'over', ending: unsuited(`the job needs ${wantedMib} MiB of memory (resources.min_memory_mib), this worker has ${deps.memoryMib} MiB for a job`) };
    await withRoom(() => makeRoomForSnapshot(deps.copies, 0), () => mkdir(spoolDir, { recursive: true }));
    const fromStart = claim.head().seq === 0;
    const gathered = await gatherInputs(record.spec, deps.data, { hold, signal: interruption.signal }, fromStart);
    const makeRoom = (): Promise<boolean> => makeRoomToBegin(deps.copies, { ...gathered.disk, resumedBytes: resumedBytesOf(session, gathered) });
    await makeRoom();
    const inputs = fromStart ? await patiently(deps, interruption.signal, () => withRoom(makeRoom, () => beginWith(gathered, record.spec, deps.beginnings, join(spoolDir, 'begin')))) : gathered;
    const pins = claim.head().inputs;
    // what is not known yet will be once a trainer has read it: running.ts
    const known = inputs.hashes([]);
    const difference = known && differenceOf(known, pins, !fromStart);
    if (difference) throw difference;
    const expected: StateExpectation = {
      job: record.id,
      specSha256: inputs.specSha256,
      dataSha256: pins?.data_sha256 ?? null,
      accumIters: record.spec.training.accum_iters,
      check: (files, windowOpen) => checkStateFiles(record.spec, inputs.plan, files, windowOpen),
    };
    const restore = await patiently(deps, interruption.signal, () => withRoom(makeRoom, () => restoreState(deps.store, claim.head(), expected, join(spoolDir, 'resume')))).catch(async (error: unknown) => {
      throw isAppError(error) ? await causeOf(error, inputs, pins, !fromStart) : error;
    });
    const final = restore.restored?.manifest.final;
    // It was complete, and paused before it could be said.
    return final ? { kind: 'over', ending: { kind: 'completed', result: final } } : { kind: 'ready', inputs, restore };
  } catch (error) {
    const interrupted = interruption.ending();
    if (interrupted) return { kind: 'over', ending: interrupted };
    if (isDiskFull(error)) return { kind: 'over', ending: failure('store_full', `no space for the spool in ${deps.spoolRoot}: ${messageOf(error)}`, null) };
    if (!isAppError(error) || error.code === 'fenced') throw error;
    return { kind: 'over', ending: failure(error.code, error.message, error.param) };
  } finally {
    interruption.stop();
  }
}

/** Of the files of the state that it goes on from: its own, or at most so many of another job's. */
function resumedBytesOf({ record, claim }: Session, { disk }: AttemptInputs): number {
  const own = claim.head().retained.at(-1);
  if (own) return own.bytes;
  const { init } = record.spec.model;
  return init !== null && 'job' in init ? disk.snapshotBytes : 0;
}
