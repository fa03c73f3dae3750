// Whether an owner lives, as a claimant may judge it: by its heartbeat, and not at all while Redis cannot be heard.
// Unknown is not dead: a live owner is never displaced on a guess.
import type { Head, Owner } from '../contract/records.js';
import { isAppError } from '../errors.js';
import { type AttemptAccount, NOTHING_DONE } from './lifecycle.js';
import type { Log } from '../log.js';
import type { JobQueue } from '../queue/index.js';

export interface Liveness {
  isLive(job: string, owner: Owner): Promise<boolean>;
  /** The most that is known of a vanished owner's work: what it did beyond the last commit is lost. A lower bound. */
  account(job: string, owner: Owner, head: Head): Promise<AttemptAccount>;
  /** Its owner was heard of late. */
  isHeard(job: string): Promise<boolean>;
  /** Those of these jobs whose owners were heard of late; none while Redis is away. */
  heard(jobs: readonly string[]): Promise<Set<string>>;
}

export function makeLiveness(queue: JobQueue, log: Log): Liveness {
  const orAway = async <T>(what: () => Promise<T>, away: T): Promise<T> => {
    try {
      return await what();
    } catch (error) {
      if (isAppError(error, 'queue_unavailable')) return away;
      log.warn({ err: error }, 'heartbeats');
      throw error;
    }
  };
  return {
    isLive: (job, owner) => orAway(async () => (await queue.heartbeats.signs(job, owner.attempt)) !== 'silent', true),
    account: async (job, owner, head) => {
      const kept = Math.max(0, (head.retained.at(-1)?.micro_batches ?? 0) - owner.resumed_at);
      const beat = await orAway(() => queue.heartbeats.read(job), null);
      const keptSeconds = owner.train_seconds;
      const silentMs = beat?.attempt === owner.attempt ? beat.silentMs : null;
      if (beat?.attempt !== owner.attempt || !beat.progress) return { ...NOTHING_DONE, executedMicroBatches: kept, executedSeconds: keptSeconds, silentMs };
      const { micro_batches, samples, samples_per_second: rate } = beat.progress;
      const wasted = Math.max(0, micro_batches - owner.resumed_at - kept);
      const wastedSeconds = rate && micro_batches > 0 ? (wasted * samples) / micro_batches / rate : 0;
      return { executedMicroBatches: kept + wasted, executedSeconds: keptSeconds + wastedSeconds, wastedMicroBatches: wasted, wastedSeconds, attemptSeconds: 0, silentMs };
    },
    isHeard: (job) => orAway(async () => (await queue.heartbeats.read(job))?.alive === true, false),
    heard: (jobs) =>
      orAway(async () => {
        const beats = await queue.heartbeats.readMany(jobs);
        return new Set(jobs.filter((_, index) => beats[index]?.alive === true));
      }, new Set<string>()),
  };
}
