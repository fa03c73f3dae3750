// The trainer's life within an attempt: start, pin the inputs, run, commit its snapshots as they come, stop it for a notice
// or a verb. One loop takes what happens, one thing at a time, and says how the attempt ends.
import type { Head, Inputs, Segment } from '../../lib/contract/records.js';
import { type ErrorCode, isAppError, messageOf } from '../../lib/errors.js';
import { collectGarbage } from '../../lib/jobs/closing.js';
import { makeCommitter } from '../../lib/jobs/commit.js';
import { lookForDamage } from '../../lib/jobs/history.js';
import { type Ending, pinned, quarantined } from '../../lib/jobs/lifecycle.js';
import type { RestoreOutcome } from '../../lib/jobs/restore.js';
import { pauseAtOf } from '../../lib/jobs/verbs.js';
import type { Tallies } from '../../lib/queue/index.js';
import { expectedLifetimeMs } from '../../lib/training/checkpoint-interval.js';
import { epochsTold } from '../../lib/training/cursor.js';
import type { FromTrainer, Snapshot } from '../protocol.js';
import { makeRoomForSnapshot } from './disk-room.js';
import { endWith, endWithout, failure, unsuited } from './ending.js';
import { type Figures, makeFigures } from './figures.js';
import { type Happening, watchHappenings } from './happenings.js';
import { type Inbox, makeInbox } from './inbox.js';
import { type AttemptInputs, causeOf } from './inputs.js';
import { planStop } from './pace.js';
import { judgeReadiness } from './readiness.js';
import { bytesOf, makeSaver, removeFiles, resultOf } from './saver.js';
import type { AttemptOutcome, Session } from './session.js';
import { timeIsOver } from './time-limit.js';
import type { TrainerExit } from './trainer-process.js';
import { partsOf } from './trainer-setup.js';

type Stopped = Extract<Ending, { kind: 'stopped' }>;

/** How long a trainer that has stopped may take to clear away its tensors. */
const RELEASE_PATIENCE_MS = 5_000;
/** Of no account when the moment to stop is looked for. */
const WAKE_STEP_MS = 100;
/** After a checkpoint that failed, say for want of space, the next one is not tried at once. */
const FAILED_PAUSE_MS = 1_000;

export async function runTrainer(session: Session, inputs: AttemptInputs, restore: RestoreOutcome): Promise<AttemptOutcome> {
  const { deps, record, claim, controls, log, stamp, beating } = session;
  const { restored } = restore;
  const resume = restored ? { counters: restored.manifest.state, committed: true, files: restored.files } : inputs.initState;
  const start = resume?.counters.cursor ?? null;
  session.resumedFrom = restored?.commit.id ?? null;

  let pins: Inputs | null = claim.head().inputs;
  const figures = makeFigures(inputs.course, start?.micro_batches ?? 0, session.startedMs, () => deps.clock.monotonicMs(), session.waited);
  const committer = makeCommitter({ store: deps.store, clock: deps.clock, log, onDamaged: tellOfDamage }, claim, restored?.manifest ?? null);
  const saver = makeSaver({
    claim, committer, stamp, feed: deps.feed, now: () => deps.clock.now(), inputs: () => pins!, specSha256: inputs.specSha256, keepLast: record.spec.checkpoint.keep_last, keepBest: record.spec.checkpoint.keep_best,
    nowMs: () => deps.clock.monotonicMs(),
    epochsTold: (cursor) => epochsTold(cursor, inputs.course),
    trainSeconds: figures.trainSeconds,
    onSaved: (snapshot, tookMs, bytes) => {
      figures.timings.save_ms += Math.round(tookMs);
      deps.feed.tally({ commits: 1, commit_bytes: bytes, commit_seconds: (snapshot.writeMs + tookMs) / 1_000 });
      deps.pace.saved(inputs.programKey, snapshot.writeMs + tookMs);
      controls.onSafe(snapshot.writeMs + tookMs);
    },
  });
  deps.feed.rewind(stamp, { update: start?.updates ?? 0, epoch: start ? epochsTold(start, inputs.course) : 0 });
  saver.publish(claim.head());
  for (const bad of restore.corrupt) {
    log.error({ checkpoint: bad.id, micro_batches: bad.microBatches }, `checkpoint_corrupt: ${bad.message}`);
    saver.addEvent('checkpoint.fallback', `checkpoint_corrupt: ${bad.message}`, { reason: 'checkpoint_corrupt', checkpoint: bad.id, micro_batches: bad.microBatches, using: restored?.commit.id ?? null, resumed_at: start?.micro_batches ?? 0 });
  }

  /** From here on nothing but the ending is written. */
  let isEnding = false;
  /** Keys of what was told of. */
  const damaged = new Set<string>();
  function tellOfDamage({ key, first, last, count }: Segment, what: string): void {
    if (damaged.has(key)) return;
    damaged.add(key);
    log.error({ segment: key, first, last }, `${count} rows or events of earlier commits are lost, training goes on: ${what}`);
    // The last commit says what it began with, and the attempt's end comes next.
    if (isEnding) return;
    saver.addEvent('history.damaged', `${count} rows or events are lost: ${what}`, { reason: 'checkpoint_corrupt', segment: key, first, last, count });
  }

  const memoryKillsBefore = deps.memoryKills();
  const inbox: Inbox<Happening> = makeInbox();
  const trainer = deps.trainers.acquire(inputs.programKey, deps.trainerSetup(record.spec, pins?.numerics_class ?? null));
  trainer.listen({ attempt: claim.attempt, message: (message) => inbox.put({ type: 'trainer', message }), exit: (exit) => inbox.put({ type: 'exit', exit }), said: (line, remark) => log.trainerSaid(line, remark) });
  const unwatch = watchHappenings(session, inbox);
  let clean = false;
  /** Timers of this attempt: none may outlive it and meet the trainer's next job. */
  const over = new AbortController();
  const after = (ms: number, act: () => void): void => void deps.clock.sleep(ms, over.signal).then(act, () => undefined);
  try {
    trainer.send({
      type: 'start',
      attempt: claim.attempt,
      spec: record.spec,
      data: inputs.data,
      initFile: restored ? null : inputs.initFile,
      resume,
      parts: partsOf(pins?.numerics_class ?? ''),
      memoryBytes: Number.isFinite(deps.memoryMib) ? deps.memoryMib * 2 ** 20 : null,
      lifetimeMs: expectedLifetimeMs(claim.head().counters),
      pauseAt: pauseAtOf(record, claim.head()),
      spoolDir: session.spoolDir,
    });
    return await takeHappenings();
  } finally {
    over.abort(new Error('the attempt is over'));
    unwatch();
    await deps.trainers.release(trainer, clean);
  }

  async function takeHappenings(): Promise<AttemptOutcome> {
    /** The first `run` was sent. */
    let running = false;
    let stopping: Stopped | null = null;
    /** The snapshot that is being committed in the background. */
    let saving: Snapshot | null = null;
    /** HEAD is being read. */
    let looking = false;
    /** A notice was heard and told. */
    let noticed = false;
    /** When the notice is looked at again. */
    let wakeAtMs = Infinity;
    /** The trainer has nothing more to say: idle or gone. */
    let silent = false;
    /** How the attempt ends, once the trainer is silent and the background commit has settled. */
    let ending: (() => Promise<AttemptOutcome>) | null = null;

    function stop(why: Stopped, deadlineMs: number | null, discard: boolean): void {
      if (!stopping) {
        stopping = why;
        beating.phase('preempting');
        log.info({ reason: why.reason, deadline_ms: deadlineMs === null ? null : Math.round(deadlineMs) }, 'stopping');
      }
      if (deadlineMs !== null) after(deadlineMs, () => inbox.put({ type: 'deadline' }));
      // Before the first micro-batch there is nothing to save, and a trainer that is still loading does not listen.
      if (!running) trainer.kill();
      else trainer.send({ type: 'stop', attempt: claim.attempt, deadlineMs, discard });
    }
    function lookAtWant(): void {
      const { verb, cause } = claim.head().want;
      if (verb === 'run' || stopping || ending) return;
      const doing = verb === 'pause' ? 'pausing' : 'cancelling';
      saver.addEvent(`job.${doing}`, doing);
      stop({ kind: 'stopped', reason: cause, message: doing }, null, verb === 'kill');
    }
    function lookAtNotice(): void {
      const given = controls.notice.facts();
      if (!given || ending) return;
      if (given.immediate) {
        trainer.kill();
        return;
      }
      const plan = planStop(given, deps.pace.of(inputs.programKey), deps.clock.monotonicMs());
      if (!noticed && !stopping) {
        noticed = true;
        beating.phase('preempting');
        saver.addEvent('job.preempting', given.message, { reason: given.reason, deadline_ms: plan.leftMs, train_on_ms: plan.trainOnMs, save_ms: plan.saveMs, shortfall_ms: plan.shortfallMs });
        if (plan.shortfallMs > 0) log.warn({ save_ms: plan.saveMs, shortfall_ms: plan.shortfallMs }, 'the notice may be too short for a last save: what is not committed by then is computed again');
        else if (plan.trainOnMs > 0) log.info({ train_on_ms: plan.trainOnMs }, 'training goes on as long as a last save fits');
        // Whatever comes before its time then costs little.
        if (running && plan.trainOnMs > 0) trainer.send({ type: 'snapshot', attempt: claim.attempt });
      }
      // Looked at again with whatever was measured meanwhile.
      if (plan.trainOnMs > 0 && !stopping) wakeIn(plan.trainOnMs);
      else stop({ kind: 'stopped', reason: given.reason, message: given.message }, plan.leftMs, false);
    }
    function wakeIn(ms: number): void {
      const atMs = deps.clock.monotonicMs() + ms;
      if (atMs > wakeAtMs - WAKE_STEP_MS) return;
      wakeAtMs = atMs;
      after(ms, () => {
        wakeAtMs = Infinity;
        inbox.put({ type: 'notice' });
      });
    }
    function endBy(how: () => Promise<AttemptOutcome>): void {
      if (ending) return;
      ending = how;
      isEnding = true;
      trainer.send({ type: 'release', attempt: claim.attempt });
      after(RELEASE_PATIENCE_MS, () => trainer.kill());
    }
    function died({ code, signal }: TrainerExit): Ending {
      if (stopping && !running) return stopping;
      const how = signal ?? `exit code ${code}`;
      const given = controls.notice.facts();
      if (signal === 'SIGKILL' && (deps.memoryKills() ?? 0) > (memoryKillsBefore ?? 0)) return failure('oom', 'the trainer was ended by the kernel for want of memory: a smaller batch_size, or fewer lanes, would need less', null);
      return { kind: 'killed', reason: given?.reason === 'server_shutdown' ? 'server_shutdown' : given || signal === 'SIGKILL' ? 'preempted_kill' : 'trainer_crashed', message: `the trainer died (${how})` };
    }
    function withoutCorrupt(head: Head): Head {
      const [newest] = restore.corrupt;
      return newest ? quarantined(head, restore.corrupt.map((bad) => bad.manifest), newest.microBatches - (start?.micro_batches ?? 0)) : head;
    }
    /** The next background snapshot may be taken. */
    function settle(number: number, committed: boolean): void {
      trainer.send({ type: 'snapshot_settled', attempt: claim.attempt, number, committed });
    }
    /** The same of one that failed, in a while; where copies of data that nobody holds made room for it, at once, and then it is taken. */
    function settleFailed(number: number, code: ErrorCode, bytes: number): void {
      const room = code === 'store_full' ? makeRoomForSnapshot(deps.copies, bytes) : Promise.resolve(false);
      void room.then((made) => {
        if (over.signal.aborted) return;
        if (!made) return after(FAILED_PAUSE_MS, () => settle(number, false));
        settle(number, false);
        trainer.send({ type: 'snapshot', attempt: claim.attempt });
      });
    }
    function save(snapshot: Snapshot): void {
      saving = snapshot;
      saver.save(snapshot, {}).then(
        () => inbox.put({ type: 'committed', snapshot, error: null }),
        async (error: unknown) => {
          // Refused for long enough, they would fill this disk too.
          await removeFiles(snapshot).catch((failed: unknown) => log.warn({ err: failed }, 'the files of a snapshot that is given up were not removed'));
          inbox.put({ type: 'committed', snapshot, error });
        },
      );
    }

    function begin(): void {
      running = true;
      controls.onSafe(0);
      if (claim.number > 1) deps.feed.tally(recoveryOf(figures.timings));
      trainer.send({ type: 'run', attempt: claim.attempt });
      if (noticed) trainer.send({ type: 'snapshot', attempt: claim.attempt });
      else beating.phase('running');
      log.info({ micro_batch: start?.micro_batches ?? 0, checkpoint: session.resumedFrom }, start ? 'resumed' : 'training from the start');
      saver.addEvent('attempt.training', start ? `resumed at micro-batch ${start.micro_batches}` : 'training from the start', { checkpoint: session.resumedFrom, micro_batches: start?.micro_batches ?? 0, window_position: start?.window_position ?? 0, device: session.facts?.device ?? null, lanes: session.facts?.lanes ?? null });
      // Nothing waits for it: no state stands on rows and events.
      if (restored) lookForDamage(deps.store, restored.manifest, tellOfDamage, over.signal).catch((error: unknown) => log.debug({ err: error }, 'rows and events were not looked at'));
      collectGarbage(deps.store, record.id, claim.head()).catch((error: unknown) => log.debug({ err: error }, 'garbage was not collected'));
    }

    function hear(message: FromTrainer): void {
      switch (message.type) {
        case 'ready': {
          // What the trainer loads, and what it took to get there: inputs, checkpoint, perhaps a process.
          figures.timings.warmup_ms = Math.round(message.warmupMs);
          figures.timings.load_ms = Math.max(0, Math.round(deps.clock.monotonicMs() - session.startedMs) - figures.timings.warmup_ms);
          session.facts = message.facts;
          log.info({ pid: trainer.pid, engine: message.facts.engine, device: message.facts.device, lanes: message.facts.lanes, load_ms: figures.timings.load_ms, warmup_ms: figures.timings.warmup_ms }, 'the trainer is ready');
          controls.onFacts(message.facts.engine, message.facts.device);
          const hashes = inputs.hashes(message.hashed);
          if (hashes === null) throw new Error('the trainer did not hash what it read');
          const judged = judgeReadiness(record, inputs, pins, restored !== null, hashes, message.facts);
          if (judged.kind === 'different') {
            endBy(() => endWithout(session, saver, figures, judged.ending));
            return;
          }
          if (judged.kind === 'unsuited') {
            endBy(async () => {
              await endWithout(session, saver, figures, unsuited(judged.message));
              return judged;
            });
            return;
          }
          pins = judged.inputs;
          claim.write((head) => pinned(withoutCorrupt(head), judged.inputs, { from: session.resumedFrom, at: start?.micro_batches ?? 0 }), over.signal).then(
            () => inbox.put({ type: 'pinned', error: null }),
            (error: unknown) => inbox.put({ type: 'pinned', error }),
          );
          return;
        }
        case 'progress':
          figures.executed(message.from, message.to, message.trainMs);
          deps.pace.heard(inputs.programKey, message.hearMs);
          if (noticed && !stopping) lookAtNotice();
          saver.addRows(message.updateRows, message.epochRows);
          beating.progress(figures.progress(message.counters.cursor, message.updateRows, message.samplesPerSecond));
          for (const row of message.epochRows) saver.addEvent('epoch.completed', `epoch ${row.epoch}: loss ${row.loss?.toFixed(4) ?? 'not finite'}`, { ...row });
          return;
        case 'snapshot':
          save(message.snapshot);
          return;
        case 'snapshot_failed':
          log.error({ code: message.code }, `a snapshot could not be spooled, another is tried: ${message.message}`);
          saver.addEvent('checkpoint.failed', message.message, { code: message.code });
          settleFailed(message.number, message.code, inputs.disk.snapshotBytes);
          return;
        case 'waiting':
          log.warn({}, waitingFor(message.unsavedMs));
          saver.addEvent('checkpoint.failed', waitingFor(message.unsavedMs), { code: 'store_unavailable' });
          return;
        case 'stopped': {
          const { snapshot } = message;
          const why: Stopped = message.rung ? { kind: 'stopped', reason: 'sweep_paused', message: `update ${message.rung.update} is reached`, rung: message.rung } : stopping ?? { kind: 'stopped', reason: 'internal_error', message: 'the trainer stopped unasked' };
          endBy(() => (snapshot && claim.head().want.verb !== 'kill' ? endWith(session, saver, figures, snapshot, why) : endWithout(session, saver, figures, why)));
          return;
        }
        case 'done':
          endBy(async () => endWith(session, saver, figures, message.snapshot, { kind: 'completed', result: await resultOf(message.snapshot, message.stateFile, message.outcome, pins!) }));
          return;
        case 'failed':
          figures.peakMemoryMib = message.peakMemoryMib;
          endBy(async () => {
            const { code, message: what, param } = session.facts === null ? await causeOf(message, inputs, pins, restored !== null) : message;
            return endWithout(session, saver, figures, failure(code, what, param));
          });
          return;
        case 'idle':
          figures.peakMemoryMib = message.peakMemoryMib;
          clean = message.clean;
          silent = true;
          return;
      }
    }

    lookAtNotice();
    lookAtWant();
    for (;;) {
      if (ending && silent && !saving) return (ending)();
      const happening = await inbox.next();
      switch (happening.type) {
        case 'trainer':
          hear(happening.message);
          break;
        case 'exit': {
          silent = true;
          clean = false;
          const { exit } = happening;
          if (!ending) log.warn({ code: exit.code, signal: exit.signal }, 'the trainer has gone');
          if (!ending) ending = () => endWithout(session, saver, figures, died(exit));
          break;
        }
        case 'committed':
          saving = null;
          if (isAppError(happening.error, 'fenced')) throw happening.error;
          if (happening.error === null) {
            settle(happening.snapshot.number, true);
            figures.kept(happening.snapshot.counters.cursor.micro_batches);
            deps.feed.tally(figures.untold());
            void log.keep();
          } else {
            const code = isAppError(happening.error) ? happening.error.code : 'internal_error';
            log.error({ err: happening.error }, 'a checkpoint was not committed, training goes on');
            saver.addEvent('checkpoint.failed', messageOf(happening.error), { code });
            // the next one is spooled, and then in the store
            settleFailed(happening.snapshot.number, code, 2 * bytesOf(happening.snapshot));
          }
          lookAtWant();
          break;
        case 'notice':
          lookAtNotice();
          break;
        case 'hint':
          log.info({}, 'a checkpoint ahead of time: the machine may go');
          if (running && !ending) trainer.send({ type: 'snapshot', attempt: claim.attempt });
          break;
        case 'look':
          // Beside everything else: a store that does not answer must not keep a notice waiting.
          if (looking) break;
          looking = true;
          claim.refresh(over.signal).then(
            () => inbox.put({ type: 'looked', error: null }),
            (error: unknown) => inbox.put({ type: 'looked', error }),
          );
          break;
        case 'pinned':
          if (happening.error !== null) throw happening.error as Error;
          lookAtWant();
          if (!stopping && !ending) begin();
          break;
        case 'looked':
          looking = false;
          if (happening.error !== null && !(isAppError(happening.error) && happening.error.retryable)) throw happening.error as Error;
          lookAtWant();
          break;
        case 'too_long':
          stop(timeIsOver(session), null, false);
          break;
        case 'deadline':
          if (!ending) trainer.kill();
          break;
      }
    }
  }
}

const recoveryOf = ({ detect_ms, queue_ms, load_ms, warmup_ms }: Figures['timings']): Tallies => ({ recoveries: 1, detect_seconds: detect_ms / 1_000, queue_seconds: queue_ms / 1_000, load_seconds: load_ms / 1_000, warmup_seconds: warmup_ms / 1_000 });

const waitingFor = (unsavedMs: number): string => `no checkpoint could be committed for ${unsavedMs / 1_000} s (PAWL_UNSAVED_SECONDS): training waits until one is`;
