// A worker process' own story: takes tickets, runs one attempt a slot, listens for preemptions, nudges and drains, says that
// it lives, and on a signal lets every attempt commit before it goes. Never computes.
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Clock, pause } from '../../lib/clock.js';
import type { JobSpec } from '../../lib/contract/spec.js';
import { isAppError } from '../../lib/errors.js';
import { freshUlid } from '../../lib/fresh-id.js';
import { makeLiveness } from '../../lib/jobs/liveness.js';
import type { Log } from '../../lib/log.js';
import { hasNeighbour, type JobQueue, type TakenTicket, type TicketOutcome } from '../../lib/queue/index.js';
import { processCores } from '../../lib/process-cores.js';
import { processMemoryBytes } from '../../lib/process-memory.js';
import { makeClockWatch } from '../../lib/store/clock-watch.js';
import type { Store } from '../../lib/store/index.js';
import type { EngineChoice, TrainerSetup } from '../trainer-environment.js';
import { runAttempt } from './attempt.js';
import type { DataMeans } from './inputs.js';
import { makeRedisFeed } from './live-feed.js';
import { readMachine } from './machine.js';
import { countMemoryKills } from './memory-kills.js';
import { makeNotice, type Notice, type NoticeFacts } from './notice.js';
import { makeObjectCache } from './object-cache.js';
import { makePace } from './pace.js';
import { makeSpool } from './spools.js';
import { watchStore } from './store-watch.js';
import { makeTrainerPool } from './trainer-process.js';
import { chooseTrainerSetup } from './trainer-setup.js';
import { makeUnsuited } from './unsuited.js';
import { makeYielding } from './yielding.js';

export interface SupervisorOptions {
  store: Store;
  queue: JobQueue;
  clock: Clock;
  log: Log;
  data: DataMeans;
  /** Folder for spools; a worker of its own makes one in it. */
  spoolRoot: string;
  /** Compiled entry of the trainer. */
  trainerEntry: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Jobs at a time. */
  slots: number;
  /** A GPU for each slot; empty: trainers see what the worker sees. */
  gpus: readonly string[];
  engine: EngineChoice;
  version: string;
}

export interface Supervisor {
  readonly id: string;
  start(): void;
  /** Milliseconds without a ticket in hand, as long as one could have come; 0 while there is one, and while Redis is away. */
  idleMs(): number;
  /** It was told to drain, and nothing is left. */
  drained(): boolean;
  /** Every attempt commits soon, and goes on. */
  hint(): void;
  /**
   * No more tickets; every attempt gets a notice and commits, at once or, where it may train on, late enough; resolves when all have
   * ended or the grace is over. Said again, it only tightens.
   */
  shutdown(notice: Pick<NoticeFacts, 'reason' | 'message' | 'trainOn'> & { graceMs: number }): Promise<void>;
  /** Ends the trainers where they stand and takes no more tickets: what is not committed is lost, and the process has to go. */
  abandon(): Promise<void>;
  /** After a shutdown: every attempt has ended, and no other worker is known to live on this machine. @throws AppError queue_unavailable */
  wasLastHere(): Promise<boolean>;
}

interface Active {
  notice: Notice;
  /** Which attempt it is, once that is decided; null: it came to none. */
  attempt: Promise<string | null>;
  nudged: Set<() => void>;
  hinted: Set<() => void>;
  beganMs: number;
  /** Until when all that it trained is committed; null: it does not train yet. */
  safeMs: number | null;
}

const BEAT_EVERY_MS = 2_000;
/** Between two tries of a slot to claim a job while the store is away. */
const STORE_AWAY_MS = 2_000;
const LOOK_EVERY_MS = 5_000;
/** Between two looks of a slot at a job that is due by this machine's clock alone. */
const AHEAD_MS = 2_000;

export async function makeSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const { queue, clock, log, slots } = options;
  const { store, isHeld } = watchStore(options.store, clock);
  const id = `wrk_${freshUlid()}`;
  const machine = await readMachine();
  const startedAt = clock.now().toISOString();
  const spool = await makeSpool({ root: options.spoolRoot, id, clock, log });
  // A trainer that is killed leaves what it was writing: here it goes with the worker, or with its spool.
  const temporary = join(spool.folder, 'tmp');
  await mkdir(temporary, { recursive: true });
  const trainers = makeTrainerPool({ entry: options.trainerEntry, log, env: { ...options.env, TMPDIR: temporary } });
  const { buckets } = options.data.places;
  const copies = buckets && makeObjectCache(join(spool.folder, 'objects'), buckets.objects, log, spool.sweep);
  const cores = Math.max(1, Math.floor(processCores() / slots));
  if (options.gpus.length > 0 && options.gpus.length !== slots) throw new Error(`${options.gpus.length} GPUs for ${slots} slots`);
  const freeGpus = [...options.gpus];
  const memoryMib = Math.floor(processMemoryBytes() / slots / 2 ** 20);
  const feed = makeRedisFeed(queue, log);
  const liveness = makeLiveness(queue, log);
  const { sharedNow } = makeClockWatch({ store, clock, log });
  const pace = makePace();
  const active = new Map<string, Active>();
  let facts: { engine: string; device: string } | null = null;
  /** Or since when there may be tickets. */
  let lastBusyMs = clock.monotonicMs();
  let draining = false;

  const yielding = makeYielding({ worker: id, list: queue.workers.list, clock });
  const unsuited = makeUnsuited(clock);
  const consumer = queue.makeConsumer({ slots, handler: handle });

  async function handle(ticket: TakenTicket, signal: AbortSignal): Promise<TicketOutcome> {
    // Two tickets of one job can meet here after a retry; the second finds a live owner at the latest in HEAD.
    if (active.has(ticket.job)) return { postponeMs: 1_000 };
    const leftToOthersMs = unsuited.putOffMs(ticket);
    if (leftToOthersMs > 0) return { postponeMs: leftToOthersMs };
    let decide = (_attempt: string | null): void => undefined;
    const attempt = new Promise<string | null>((resolve) => (decide = resolve));
    const mine: Active = { notice: makeNotice(), attempt, nudged: new Set(), hinted: new Set(), beganMs: clock.monotonicMs(), safeMs: null };
    active.set(ticket.job, mine);
    let gpu: string | null = null;
    const trainerSetup = (spec: JobSpec, numericsClass: string | null): TrainerSetup => chooseTrainerSetup(spec, numericsClass, { cores, engine: options.engine, gpu });
    try {
      const putOffMs = await yielding.putOffMs(ticket);
      if (putOffMs > 0) return { postponeMs: putOffMs };
      gpu = freeGpus.shift() ?? null;
      beat();
      await spool.sweep();
      const outcome = await runAttempt(
        { store, beginnings: store, clock, log, tickets: queue.tickets, feed, liveness, sharedNow, trainers, pace, trainerSetup, memoryKills: () => countMemoryKills(), memoryMib, worker: id, data: options.data, copies, spoolRoot: spool.folder, beatEveryMs: BEAT_EVERY_MS, isHeld, lookEveryMs: LOOK_EVERY_MS },
        ticket,
        {
          notice: mine.notice,
          onClaimed: decide,
          onNudge: (listener) => {
            mine.nudged.add(listener);
            return () => mine.nudged.delete(listener);
          },
          onHint: (listener) => {
            mine.hinted.add(listener);
            return () => mine.hinted.delete(listener);
          },
          onFacts: (engine, device) => (facts = { engine, device }),
          onSafe: (agoMs) => (mine.safeMs = clock.monotonicMs() - agoMs),
        },
      );
      yielding.ended(ticket.job, outcome, mine.notice.facts() !== null);
      unsuited.ended(ticket, outcome);
      log.debug({ job: ticket.job, outcome: outcome.kind }, 'ticket done');
      if (outcome.kind === 'early') return { postponeMs: await untilStartMs(outcome.startsAt, signal), behind: true };
      // Its schedule would find out by looking, somewhat later.
      if (outcome.kind === 'ended' && outcome.scheduled) void queue.control.nudge(ticket.job).catch(() => undefined);
    } catch (error) {
      if (!isAppError(error, 'store_unavailable')) throw error;
      // Nothing was claimed, so nobody would issue this ticket again. Held for a while, so that not all of the line passes through here meanwhile.
      log.warn({ job: ticket.job, error: error.message }, 'the store is away: the ticket goes back');
      await pause(STORE_AWAY_MS, signal);
      return { postponeMs: 0 };
    } finally {
      active.delete(ticket.job);
      decide(null);
      // first in line again: its trainer may be warm
      if (gpu !== null) freeGpus.unshift(gpu);
      lastBusyMs = clock.monotonicMs();
      beat();
    }
  }

  /** How long a ticket waits that came too soon, by somebody's clock that is ahead. If it is this one, others can tell better. */
  async function untilStartMs(startsAt: Date, signal: AbortSignal): Promise<number> {
    const leftMs = startsAt.getTime() - clock.now().getTime();
    if (leftMs <= 0) await pause(AHEAD_MS, signal);
    return Math.max(0, leftMs);
  }

  function beat(): void {
    const nowMs = clock.monotonicMs();
    const attempts = [...active.values()];
    const uncommittedMs = attempts.reduce((sum, { safeMs }) => sum + nowMs - (safeMs ?? nowMs), 0);
    const youngestMs = Math.min(...attempts.map(({ beganMs }) => nowMs - beganMs));
    queue.workers
      .beat({ id, engine: facts?.engine ?? null, device: facts?.device ?? null, slots, jobs: [...active.keys()], draining, uncommitted_seconds: uncommittedMs / 1_000, youngest_seconds: attempts.length === 0 ? null : youngestMs / 1_000, started_at: startedAt, host: hostname(), machine, pid: process.pid, version: options.version })
      .catch(() => undefined);
    spool.touch();
  }
  const nudge = (job: string): void => {
    for (const listener of active.get(job)?.nudged ?? []) listener();
  };
  const drain = (): void => {
    draining = true;
    consumer.pause();
    for (const { notice } of active.values()) notice.give({ reason: 'server_shutdown', message: 'the worker is being drained', deadlineMs: null, immediate: false, trainOn: false });
    beat();
  };
  const unlisten = queue.control.listen(id, {
    preempt: async ({ job, attempt, graceSeconds }) => {
      const mine = active.get(job);
      if (!mine) return false;
      // It may have been meant for the one before, whose end its sender had not seen.
      if (attempt !== null && (await mine.attempt) !== attempt) return false;
      mine.notice.give({ reason: 'preempted_notice', message: `preempted with ${graceSeconds} s of grace`, deadlineMs: clock.monotonicMs() + graceSeconds * 1_000, immediate: graceSeconds === 0, trainOn: true });
      return true;
    },
    drain,
    nudge,
    resync: () => {
      for (const job of active.keys()) nudge(job);
    },
  });
  let beating: NodeJS.Timeout | undefined;
  let closing: Promise<void> | null = null;

  async function close(graceMs: number): Promise<void> {
    await consumer.close({ waitMs: graceMs + 5_000 });
    clearInterval(beating);
    unlisten();
    await trainers.close();
    await queue.workers.end(id).catch(() => undefined);
    await spool.remove();
  }

  return {
    id,
    start: () => {
      lastBusyMs = clock.monotonicMs();
      beat();
      beating = setInterval(beat, BEAT_EVERY_MS);
      consumer.start();
    },
    idleMs: () => {
      const { status, since } = queue.state();
      return active.size > 0 || status !== 'connected' ? 0 : Math.min(clock.monotonicMs() - lastBusyMs, clock.now().getTime() - since.getTime());
    },
    drained: () => draining && active.size === 0,
    hint: () => {
      for (const { hinted } of active.values()) for (const listener of hinted) listener();
    },
    shutdown: ({ reason, message, graceMs, trainOn }) => {
      draining = true;
      consumer.pause();
      for (const { notice } of active.values()) notice.give({ reason, message, deadlineMs: clock.monotonicMs() + graceMs, immediate: false, trainOn });
      beat();
      return (closing ??= close(graceMs));
    },
    abandon: async () => {
      consumer.pause();
      clearInterval(beating);
      await trainers.close();
    },
    wasLastHere: async () => active.size === 0 && !hasNeighbour(await queue.workers.list(), { id, machine }),
  };
}
