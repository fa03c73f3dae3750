// One attempt inside a trainer, from `start` to its ending: prepare, wait for `run`, train, write the last snapshot.
// serve.ts hands it its messages; what it answers is in ../protocol.ts.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expectedState } from '../../lib/model/slots.js';
import { holdsWindow, stoppedBy, unusedMicroBatches } from '../../lib/training/cursor.js';
import { keepsBest } from '../../lib/training/monitor.js';
import { STATE_ROLES, type StateCounters } from '../../lib/training/state.js';
import type { FromTrainer, ToTrainer, TrainingOutcome } from '../protocol.js';
import type { Engine } from './engines/index.js';
import { failureOf, peakMemoryMib } from './failures.js';
import { train, type Ending, type Training, type Watch } from './loop.js';
import { prepare, type Prepared } from './prepare.js';
import { makeProgress, type Progress } from './progress.js';
import { untilDue } from './snapshot-policy.js';
import { figuresOf } from './rows.js';
import { makeSnapshots, type Snapshots } from './snapshots.js';
import { makeUnsaved, untilSaved } from './unsaved.js';

type Start = Extract<ToTrainer, { type: 'start' }>;

/** Where a test may look in, or die, at an exact micro-batch. */
export interface Hooks {
  /** `microBatches` of the job are executed; these samples were in the last one. */
  afterMicroBatch?(microBatches: number, epoch: number, sampleIds: Int32Array): void;
  /** How many micro-batches may run until a boundary that is to be seen; by default as many as the engine likes. */
  room?(microBatches: number): number;
  /** Training stands at a boundary, its snapshot taken if one was due, and goes on when this has settled. */
  atBoundary?(microBatches: number): Promise<void>;
}

export interface Attempt {
  /** A message of this attempt, other than `start` and `release`. */
  receive(message: Exclude<ToTrainer, { type: 'start' | 'release' }>): void;
  /** Settles when the attempt has said its last word; true unless it failed. */
  readonly ended: Promise<boolean>;
  /** Ends it without another word. */
  abandon(): void;
}

export interface AttemptOptions {
  start: Start;
  engine: Promise<Engine>;
  send(message: FromTrainer): void;
  hooks: Hooks;
  /** How long training goes on while nothing can be committed. */
  unsavedMs: number;
}

/** Messages are read between one turn's immediates and the next one's, so that a single turn may end without them. */
async function messagesHeard(): Promise<void> {
  await nextTurn();
  await nextTurn();
}

/** Milliseconds since 1970, never running backwards. */
const nowMs = (): number => performance.timeOrigin + performance.now();

/** Runs at once; never throws: whatever goes wrong is told as `failed`. */
export function startAttempt({ start, engine, send, hooks, unsavedMs }: AttemptOptions): Attempt {
  const attempt = start.attempt;
  let stop: 'snapshot' | 'discard' | 'silent' | null = null;
  let progress: Progress | null = null;
  let snapshots: Snapshots | null = null;
  const unsaved = makeUnsaved(unsavedMs, nowMs);
  /** Where training stands. */
  let counters: StateCounters | null = null;
  let go = (): void => undefined;
  const running = new Promise<void>((resolve) => (go = resolve));

  async function run(): Promise<boolean> {
    let prepared: Prepared | null = null;
    try {
      prepared = await prepare(start, await engine);
      const { training, facts, hashed, warmupMs, totalUpdates } = prepared;
      // compiling keeps messages waiting: a stop that came meanwhile is heard first
      await messagesHeard();
      if (stop === null) send({ type: 'ready', attempt, facts, hashed, warmupMs, totalUpdates });
      await running;
      counters = training.start;
      progress = makeProgress({ attempt, send, nowMs, start: counters });
      snapshots = snapshotsOf(prepared);
      const ending = await train(training, watchOf(progress, snapshots));
      await finish(ending, training, snapshots);
      return true;
    } catch (error) {
      if (stop === 'silent') return false;
      flush();
      send({ type: 'failed', attempt, ...failureOf(error), peakMemoryMib: peakMemoryMib() });
      return false;
    } finally {
      await snapshots?.close();
      prepared?.training.program.close();
      await prepared?.training.batches.close();
    }
  }

  function flush(): void {
    if (counters !== null) progress?.flush(counters);
  }

  function watchOf(progress: Progress, snapshots: Snapshots): Watch {
    return {
      nowMs,
      stopAsked() {
        progress.listening();
        return stop !== null;
      },
      boundary(standing) {
        counters = standing;
        progress.tick(standing);
        snapshots.boundary(standing);
        if (unsaved.isSpent()) return standStill(standing, snapshots);
        return hooks.atBoundary?.(standing.cursor.micro_batches);
      },
      room(cursor) {
        const due = untilDue(start.spec.checkpoint, cursor);
        return { ...due, microBatches: Math.min(due.microBatches, hooks.room?.(cursor.micro_batches) ?? Infinity) };
      },
      microBatch(batch, cursor) {
        progress.executed(batch.samples);
        hooks.afterMicroBatch?.(cursor.micro_batches, batch.epoch, batch.sampleIds);
      },
      updateRow: progress.updateRow,
      epochRow: progress.epochRow,
      bestEpoch: snapshots.best,
    };
  }

  /** Until something is committed. */
  async function standStill(standing: StateCounters, snapshots: Snapshots): Promise<void> {
    flush();
    send({ type: 'waiting', attempt, unsavedMs });
    await untilSaved(unsaved, { take: () => snapshots.standing(standing), isOver: () => stop !== null });
  }

  function snapshotsOf({ training, plan }: Prepared): Snapshots {
    const { spec, program } = training;
    return makeSnapshots({
      policy: spec.checkpoint,
      lifetimeMs: start.lifetimeMs,
      dir: start.spoolDir,
      tensors: (counters) => expectedState(plan, spec.training, holdsWindow(counters.cursor), keepsBest(spec, counters)),
      finalTensors: expectedState(plan, spec.training, false),
      view: (counters) => training.best.beside(program.snapshot(holdsWindow(counters.cursor))),
      start: training.start,
      committedRoles: start.resume?.committed ? STATE_ROLES.filter((role) => start.resume?.files[role] !== undefined) : [],
      nowMs,
      onReady(snapshot) {
        unsaved.reported();
        flush();
        send({ type: 'snapshot', attempt, snapshot });
      },
      onFailed(number, error) {
        unsaved.reported();
        const { code, message } = failureOf(error);
        send({ type: 'snapshot_failed', attempt, number, code, message });
      },
    });
  }

  async function finish(ending: Ending, training: Training, snapshots: Snapshots): Promise<void> {
    counters = ending.counters;
    if (stop === 'silent') return;
    flush();
    if (ending.kind === 'completed') {
      const snapshot = await snapshots.last(counters, true);
      send({ type: 'done', attempt, snapshot, stateFile: await snapshots.stateFile(counters), outcome: outcomeOf(counters, training) });
      return;
    }
    const nothingNew = JSON.stringify(counters) === JSON.stringify(training.start);
    send({ type: 'stopped', attempt, snapshot: stop === 'discard' || nothingNew ? null : await snapshots.last(counters, false), rung: ending.rung });
  }

  return {
    ended: run(),
    receive(message) {
      switch (message.type) {
        case 'run':
          go();
          break;
        case 'snapshot':
          snapshots?.request();
          unsaved.wake();
          break;
        case 'snapshot_settled':
          snapshots?.settled(message.number, message.committed);
          unsaved.settled(message.committed);
          break;
        case 'stop':
          if (stop !== 'silent') stop = message.discard ? 'discard' : (stop ?? 'snapshot');
          go();
          unsaved.wake();
          break;
      }
    },
    abandon() {
      stop = 'silent';
      go();
      unsaved.wake();
      // the last one may wait for room
      void snapshots?.close();
    },
  };
}

function outcomeOf({ cursor, last_epoch: epoch }: StateCounters, { course }: Training): TrainingOutcome {
  return {
    stoppedBy: stoppedBy(cursor, course),
    updates: cursor.updates,
    unusedMicroBatches: unusedMicroBatches(cursor, course),
    skippedWindows: cursor.skipped.windows,
    metrics: epoch === null ? { loss: null } : figuresOf(epoch, ['loss', 'accuracy', 'top_k_accuracy']),
    validation: epoch?.val_loss === undefined ? null : figuresOf(epoch, ['val_loss', 'val_accuracy', 'val_top_k_accuracy']),
  };
}
