// Test-only: an attempt of a real job in a real store, whose trainer is played by the test.
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { systemClock, type Clock } from '../../../lib/clock.js';
import type { JobSpecInput } from '../../../lib/contract/spec.js';
import type { DataObjects } from '../../../lib/data/objects.js';
import { readHead } from '../../../lib/jobs/head.js';
import { NOTHING_DONE } from '../../../lib/jobs/lifecycle.js';
import { BY_A_USER, submitJob } from '../../../lib/jobs/submit.js';
import { silentLog } from '../../../lib/log.js';
import { makeFileStore } from '../../../lib/store/file.js';
import type { Store } from '../../../lib/store/index.js';
import type { FromTrainer, ToTrainer } from '../../../worker/protocol.js';
import { runAttempt } from '../../../worker/supervisor/attempt.js';
import { makeSilentFeed } from '../../../worker/supervisor/live-feed.js';
import { makeNotice, type Notice } from '../../../worker/supervisor/notice.js';
import { makeObjectCache, type ObjectCache } from '../../../worker/supervisor/object-cache.js';
import { makePace } from '../../../worker/supervisor/pace.js';
import type { AttemptControls, AttemptDeps, AttemptOutcome } from '../../../worker/supervisor/session.js';
import type { TrainerListener } from '../../../worker/supervisor/trainer-process.js';
import { resolved } from '../../resume/support/run-training.js';
import { makeTempDir } from '../../support/temp.js';

export const JOB = `job_${'0'.repeat(26)}`;

export interface ByHand {
  store: Store;
  /** The worker's folder; copies of objects lie in `objects`. */
  spoolRoot: string;
  copies: ObjectCache | null;
  /** Of the attempt that was begun last. */
  readonly notice: Notice;
  /** HEAD may want something new. */
  nudge(): void;
  /** What a controller or an API acts with. */
  control: { store: Store; clock: Clock; tickets: AttemptDeps['tickets']; log: typeof silentLog };
  begin(): Promise<AttemptOutcome>;
  /** Of the attempt's trainer. The first is its start; it is waited for. */
  trainer: {
    /** The next message of this type; none of another type may come before it but those that are named. */
    next<Type extends ToTrainer['type']>(type: Type, passing?: readonly ToTrainer['type'][]): Promise<Extract<ToTrainer, { type: Type }>>;
    say(message: FromTrainer): void;
    /** Nobody asked for one. */
    expectUnused(): void;
  };
}

export interface ByHandOptions {
  spec: JobSpecInput;
  /** Of the bucket `data`; null: no bucket may be read. */
  objects?: DataObjects | null;
  roots?: readonly string[];
  /** What a job may take of memory. */
  memoryMib?: number;
  /** What its data may take of that. */
  dataMemoryBytes?: number;
  clock?: Clock;
  /** What becomes of the store that the worker has. */
  store?: (store: Store) => Store;
}

export async function makeAttemptByHand({ spec, objects = null, roots = [], memoryMib = Infinity, dataMemoryBytes = 2 ** 20, clock = systemClock, store: changed = (store) => store }: ByHandOptions): Promise<ByHand> {
  const dir = await makeTempDir('by-hand');
  onTestFinished(dir.remove);
  const store = changed(await makeFileStore({ root: join(dir.path, 'store') }));
  const spoolRoot = join(dir.path, 'spool');
  const control = { store, clock, tickets: { issue: () => Promise.resolve(), withdraw: () => Promise.resolve() }, log: silentLog };
  await submitJob(control, { id: JOB, spec: resolved(spec), origin: BY_A_USER, beginning: null, principal: 'test', key: null, bodySha256: '' });

  const sent: ToTrainer[] = [];
  let acquired = 0;
  let wake = (): void => undefined;
  let listener: TrainerListener | null = null;
  const trainer = {
    pid: -1,
    send(message: ToTrainer) {
      sent.push(message);
      wake();
    },
    listen(next: TrainerListener | null) {
      listener = next;
    },
    kill: () => listener?.exit({ code: null, signal: 'SIGKILL' }),
  };
  let notice = makeNotice();
  let nudge = (): void => undefined;
  const copies = objects && makeObjectCache(join(spoolRoot, 'objects'), objects, silentLog);
  const deps: AttemptDeps = {
    ...control, beginnings: store, feed: makeSilentFeed(), liveness: { isLive: () => Promise.resolve(false), account: () => Promise.resolve(NOTHING_DONE) }, sharedNow: () => Promise.resolve(new Date()), trainers: { acquire: () => (acquired++, trainer), release: () => Promise.resolve(), close: () => Promise.resolve() }, pace: makePace(), memoryMib, memoryKills: () => null,
    trainerSetup: () => ({ engine: 'wasm', intraOpThreads: 1, interOpThreads: 1, gpu: null }), worker: 'wrk_test', data: { places: { roots, buckets: objects && { names: ['data'], store: null, objects } }, memoryBytes: dataMemoryBytes }, copies, spoolRoot, beatEveryMs: 1_000, isHeld: () => true, lookEveryMs: 3_600_000,
  };
  const controls: Omit<AttemptControls, 'notice'> = {
    onClaimed: () => undefined,
    onHint: () => () => undefined,
    onNudge: (call) => {
      nudge = call;
      return () => undefined;
    },
    onFacts: () => undefined,
    onSafe: () => undefined,
  };
  return {
    store, spoolRoot, copies, control,
    get notice() {
      return notice;
    },
    nudge: () => nudge(),
    async begin() {
      const { head } = await readHead({ store }, JOB);
      if (head.fence > 0) notice = makeNotice();
      return runAttempt(deps, { job: JOB, gen: head.gen, fence: head.fence, sinceMs: 0 }, { ...controls, notice });
    },
    trainer: {
      async next(type, passing = []) {
        for (;;) {
          const message = sent.shift();
          if (message === undefined) await new Promise<void>((resolve) => (wake = resolve));
          else if (message.type === type) return message as never;
          else if (!passing.includes(message.type)) expect.fail(`the trainer was sent ${message.type} before ${type}`);
        }
      },
      say: (message) => listener?.message(message),
      expectUnused: () => expect([acquired, sent]).toEqual([0, []]),
    },
  };
}
