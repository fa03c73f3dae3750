// A rehearsal on a live job: notices, kills and freezes at random moments, each waited for until the job goes on, and what every
// one of them cost. It asks of the API what any user may ask; freezing alone needs a worker of this machine.
import { pause } from '../../lib/clock.js';
import type { Job } from '../../lib/contract/job.js';
import { CRASH_LOOP_LIMIT } from '../../lib/jobs/lifecycle.js';
import { keyOf, uniformAt } from '../../lib/training/random.js';
import { ApiError, type Client } from '../client.js';
import { freezeWorker } from './frozen-worker.js';

export const STRIKE_KINDS = ['notice', 'kill', 'freeze'] as const;
export type StrikeKind = (typeof STRIKE_KINDS)[number];

export interface Strike {
  kind: StrikeKind;
  at: string;
  /** Where the job was, as last heard. */
  micro_batches: number;
  attempt: number;
  /** Whether it struck; if not, why. */
  struck: boolean;
  message: string | null;
  /** Until the job went on computing, or was over; null: it did not within the patience. */
  recovered_ms: number | null;
  /** The attempt that went on, and where it began. */
  next_attempt: number | null;
  resumed_from: string | null;
}

export interface Rehearsal {
  job: string;
  seed: number;
  status: Job['status'];
  strikes: Strike[];
  attempts: number;
  executed_micro_batches: number;
  wasted_micro_batches: number;
  weights_sha256: string | null;
}

export interface RehearsalOptions {
  kinds: readonly StrikeKind[];
  everyMs: number;
  forMs: number;
  /** The same seed chooses the same kinds and pauses. */
  seed: number;
  signal: AbortSignal;
  onStrike(strike: Strike): void;
}

/** A notice's: it must be one that can be kept, and training goes on for most of it. */
const GRACE_SECONDS = 10;
/** Longer than an owner may be silent and its ticket take to come back. */
const FREEZE_MS = 12_000;
const PATIENCE_MS = 120_000;
/** Strikes in a row after which a commit is waited for: a job that dies too often without one is given up. */
const BARREN_MAX = CRASH_LOOP_LIMIT - 2;
const LOOK_MS = 100;

/** @throws ApiError where the job or the API cannot be reached */
export async function rehearse(client: Client, id: string, { kinds, everyMs, forMs, seed, signal, onStrike }: RehearsalOptions): Promise<Rehearsal> {
  const key = keyOf(seed, 'rehearsal');
  const until = performance.now() + forMs;
  const strikes: Strike[] = [];
  let job = await client.job(id);
  let [committed, barren] = [job.checkpoint?.id, 0];
  for (let draw = 0; !job.is_terminal && !signal.aborted && performance.now() < until; draw += 2) {
    // Between half and one and a half of the interval, so that strikes fall anywhere in a window.
    await pause(Math.min(everyMs * (0.5 + uniformAt(key, draw)), until - performance.now()), signal);
    if (signal.aborted || performance.now() >= until) break;
    const mayBeStruck = (seen: Job): boolean => seen.status === 'running' && (barren < BARREN_MAX || seen.checkpoint?.id !== committed);
    job = await lookUntil(client, id, signal, (seen) => seen.is_terminal || mayBeStruck(seen) || performance.now() >= until);
    if (job.is_terminal || !mayBeStruck(job)) break;
    barren = job.checkpoint?.id === committed ? barren + 1 : 1;
    committed = job.checkpoint?.id;
    const strike = await strikeOnce(client, job, kinds[Math.floor(uniformAt(key, draw + 1) * kinds.length)]!, signal);
    strikes.push(strike);
    onStrike(strike);
  }
  job = await client.job(id);
  return {
    job: id,
    seed,
    status: job.status,
    strikes,
    attempts: job.attempts.length,
    executed_micro_batches: job.attempts.reduce((total, attempt) => total + (attempt.executed_micro_batches ?? 0), 0),
    wasted_micro_batches: job.waste.micro_batches,
    weights_sha256: job.result?.weights_sha256 ?? null,
  };
}

async function strikeOnce(client: Client, before: Job, kind: StrikeKind, signal: AbortSignal): Promise<Strike> {
  const attempt = before.attempts.at(-1)?.number ?? 0;
  const strike: Strike = { kind, at: new Date().toISOString(), micro_batches: before.progress.micro_batches, attempt, struck: true, message: null, recovered_ms: null, next_attempt: null, resumed_from: null };
  const beganMs = performance.now();
  try {
    if (kind === 'freeze') {
      const worker = (await client.workers()).data.find((each) => each.id === before.attempts.at(-1)?.worker);
      const frozen = worker ? await freezeWorker(worker) : 'its worker is gone';
      if (typeof frozen === 'string') return { ...strike, struck: false, message: frozen };
      // Until another worker has taken over, or as long as it takes to be given up.
      await lookUntil(client, before.id, signal, (job) => hasMoved(job, attempt), FREEZE_MS).finally(frozen);
    } else await client.preempt(before.id, kind === 'kill' ? 0 : GRACE_SECONDS);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 409) throw error;
    return { ...strike, struck: false, message: error.message };
  }
  const goesOn = (job: Job): boolean => job.is_terminal || (job.status === 'running' && (kind === 'freeze' || hasMoved(job, attempt)) && job.progress.micro_batches > before.progress.micro_batches);
  const after = await lookUntil(client, before.id, signal, goesOn);
  const last = after.attempts.at(-1);
  return { ...strike, recovered_ms: goesOn(after) ? Math.round(performance.now() - beganMs) : null, next_attempt: last && last.number > attempt ? last.number : null, resumed_from: last && last.number > attempt ? last.resumed_from : null };
}

const hasMoved = (job: Job, attempt: number): boolean => (job.attempts.at(-1)?.number ?? 0) > attempt;

/** The job as it is when `enough`, or when patience ends. An API that is away meanwhile is waited for. */
async function lookUntil(client: Client, id: string, signal: AbortSignal, enough: (job: Job) => boolean, patienceMs = PATIENCE_MS): Promise<Job> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const job = await client.job(id);
    if (enough(job) || signal.aborted || performance.now() > deadline) return job;
    await pause(LOOK_MS, signal);
  }
}
