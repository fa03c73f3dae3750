// One job run to its end without a queue, in a store of its own: what `verify` compares a finished job with. The attempt is
// the real one; only nobody else can want the job.
import { join } from 'node:path';
import { systemClock } from '../../lib/clock.js';
import type { Head, JobRecord } from '../../lib/contract/records.js';
import type { JobSpec } from '../../lib/contract/spec.js';
import { AppError } from '../../lib/errors.js';
import { readHead } from '../../lib/jobs/head.js';
import { isTerminal, NOTHING_DONE } from '../../lib/jobs/lifecycle.js';
import { jobKey } from '../../lib/jobs/names.js';
import { toJson } from '../../lib/jobs/record.js';
import type { Log } from '../../lib/log.js';
import { processCores } from '../../lib/process-cores.js';
import { makeFileStore } from '../../lib/store/file.js';
import type { Store } from '../../lib/store/index.js';
import type { EngineChoice } from '../trainer-environment.js';
import { runAttempt } from './attempt.js';
import type { DataMeans } from './inputs.js';
import { makeSilentFeed } from './live-feed.js';
import { countMemoryKills } from './memory-kills.js';
import { makeNotice } from './notice.js';
import { makeObjectCache } from './object-cache.js';
import { makePace } from './pace.js';
import { makeTrainerPool } from './trainer-process.js';
import { chooseTrainerSetup } from './trainer-setup.js';

export interface DetachedOptions {
  record: JobRecord;
  /** Of the run that this one is to be compared with; null for none. */
  numericsClass: string | null;
  /** An empty folder, for the scratch store and the spool. */
  folder: string;
  data: DataMeans;
  /** Where another job is that this one begins with; only read. Null: it begins with none. */
  beginnings: Store | null;
  trainerEntry: string;
  engine: EngineChoice;
  env: Readonly<Record<string, string | undefined>>;
  log: Log;
  onProgress?: (percent: number) => void;
}

/** @returns HEAD when the job is terminal. @throws AppError internal_error if an attempt ends without one */
export async function runDetached(options: DetachedOptions): Promise<Head> {
  const store = await makeFileStore({ root: join(options.folder, 'store') });
  const trainers = makeTrainerPool({ entry: options.trainerEntry, log: options.log, env: options.env });
  try {
    await store.put(jobKey(options.record.id), toJson(options.record));
    const feed = makeSilentFeed();
    const { buckets } = options.data.places;
    const deps = {
      store, beginnings: options.beginnings ?? store, clock: systemClock, log: options.log, trainers, pace: makePace(), trainerSetup: (spec: JobSpec) => chooseTrainerSetup(spec, options.numericsClass, { cores: processCores(), engine: options.engine, gpu: null }), memoryKills: () => countMemoryKills(), memoryMib: Infinity, sharedNow: () => Promise.resolve(systemClock.now()), worker: 'detached', data: options.data, copies: buckets && makeObjectCache(join(options.folder, 'objects'), buckets.objects, options.log), spoolRoot: join(options.folder, 'spool'), beatEveryMs: 500, isHeld: () => true, lookEveryMs: 3_600_000,
      liveness: { isLive: () => Promise.resolve(false), account: () => Promise.resolve(NOTHING_DONE) },
      tickets: { issue: () => Promise.resolve(), withdraw: () => Promise.resolve() },
      feed: { ...feed, beat: (_stamp: unknown, _phase: unknown, progress: { percent: number } | null) => progress && options.onProgress?.(progress.percent) },
    };
    const outcome = await runAttempt(deps, { job: options.record.id, gen: 0, fence: 0, sinceMs: Date.now() }, { notice: makeNotice(), onClaimed: () => undefined, onNudge: () => () => undefined, onHint: () => () => undefined, onFacts: () => undefined, onSafe: () => undefined });
    const { head } = await readHead({ store }, options.record.id);
    if (!isTerminal(head.state)) throw new AppError('internal_error', `the run ended as ${outcome.kind}: ${head.message ?? head.reason ?? 'unfinished'}`);
    return head;
  } finally {
    await trainers.close();
    await store.close();
  }
}
