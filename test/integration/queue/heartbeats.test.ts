// Signs of life: who may beat, who counts as dead, and that only Redis' clock and Redis' presence matter.
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Beat, JobQueue } from '../../../lib/queue/index.js';
import { startRedis } from '../../support/redis.js';
import { jobId, QUICK, redisOfFile, testQueue, until } from './setup.js';

const redis = redisOfFile();

const DEAD_AFTER_MS = QUICK.deadAfterMs ?? 0;
const beatOf = (job: string, more: Partial<Beat> = {}): Beat => ({ job, attempt: 'a1', number: 1, worker: 'wrk_1', gen: 0, fence: 1, phase: 'running', progress: null, ...more });

interface Kept {
  /** All that were ever called dead. */
  dead: Set<string>;
  /** How often somebody looked and got an answer. */
  looks(): number;
  /** Nobody beats for a while. */
  mute(now: boolean): void;
  stop(job: string): number;
}

/** Beats and looks for the dead as a worker and a controller do, until the test is over. */
function keep(queue: JobQueue, beats: readonly Beat[]): Kept {
  const alive = new Map(beats.map((beat) => [beat.job, beat]));
  const dead = new Set<string>();
  let muted = false;
  let looks = 0;
  const timer = setInterval(() => {
    if (!muted) for (const beat of alive.values()) void queue.heartbeats.beat(beat).catch(() => undefined);
    const looked = queue.heartbeats.dead(100).then((all) => {
      looks += 1;
      for (const { job } of all) dead.add(job);
    });
    void looked.catch(() => undefined);
  }, QUICK.beatEveryMs);
  onTestFinished(() => clearInterval(timer));
  return {
    dead,
    looks: () => looks,
    mute: (now) => (muted = now),
    stop(job) {
      alive.delete(job);
      return performance.now();
    },
  };
}

describe('a heartbeat', () => {
  it('is read back with its phase and progress', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    const progress = {
      epoch: 1, position: 2, micro_batches: 3, window_position: 0, updates: 3, total_updates: null, samples: 64, loss: 0.1 + 0.2,
      metrics: { accuracy: 0.5 }, samples_per_second: null, eta_seconds: null, percent: 12.5,
    };
    expect(await queue.heartbeats.read(job)).toBeNull();
    expect(await queue.heartbeats.beat(beatOf(job, { phase: 'preempting', progress }))).toBe(true);
    expect(await queue.heartbeats.read(job)).toMatchObject({ ...beatOf(job, { phase: 'preempting', progress }), alive: true });
    const other = jobId();
    await queue.heartbeats.beat(beatOf(other));
    expect((await queue.heartbeats.readMany([other, jobId(), job])).map((beat) => beat?.job)).toEqual([other, undefined, job]);
  });

  it('of an older fence or gen never replaces a newer one, whatever the digits', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    const beat = (gen: number, fence: number, attempt: string) => queue.heartbeats.beat(beatOf(job, { gen, fence, attempt }));
    expect(await beat(0, 9, 'a9')).toBe(true);
    expect(await beat(0, 10, 'a10')).toBe(true);
    expect(await beat(0, 9, 'a9')).toBe(false);
    expect(await beat(1, 11, 'a11')).toBe(true);
    expect(await beat(0, 12, 'a12')).toBe(false);
    expect(await queue.heartbeats.read(job)).toMatchObject({ gen: 1, fence: 11, attempt: 'a11' });
  });

  it('of another attempt with the same fence is refused: one of them did not win the claim', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    expect(await queue.heartbeats.beat(beatOf(job))).toBe(true);
    expect(await queue.heartbeats.beat(beatOf(job, { attempt: 'a2' }))).toBe(false);
    expect(await queue.heartbeats.beat(beatOf(job, { phase: 'preempting' }))).toBe(true);
    expect(await queue.heartbeats.read(job)).toMatchObject({ attempt: 'a1', phase: 'preempting' });
  });

  it('ends with its attempt only, and a frozen owner that wakes up does not bring it back', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    await queue.heartbeats.beat(beatOf(job));
    expect(await queue.heartbeats.end(job, 'another')).toBe(false);
    expect(await queue.heartbeats.read(job)).not.toBeNull();
    expect(await queue.heartbeats.signs(job, 'a1')).toBe('running');
    expect(await queue.heartbeats.end(job, 'a1')).toBe(true);
    expect(await queue.heartbeats.read(job)).toBeNull();
    expect(await queue.heartbeats.signs(job, 'a1')).toBe('silent');
    expect(await queue.heartbeats.beat(beatOf(job))).toBe(false);
    expect(await queue.heartbeats.beat(beatOf(job, { fence: 0, attempt: 'a0' }))).toBe(false);
    expect(await queue.heartbeats.read(job)).toBeNull();
    expect(await queue.heartbeats.beat(beatOf(job, { fence: 2, attempt: 'a2' }))).toBe(true);
  });
});

describe('a silent owner', () => {
  it('is dead after deadAfterMs and not before, while the others live', async () => {
    const queue = testQueue(redis.url);
    const [dying, living] = [jobId(), jobId()];
    const kept = keep(queue, [beatOf(dying), beatOf(living, { attempt: 'b1' })]);
    await until('someone has listened long enough', async () => (await queue.heartbeats.read(living)) !== null && kept.dead.size === 0);
    // Long enough for the watch: the first silence could not count otherwise.
    const begun = performance.now();
    await until('the watch is old enough', () => performance.now() - begun > DEAD_AFTER_MS);
    const stopped = kept.stop(dying);
    await until('it is dead', () => kept.dead.has(dying), DEAD_AFTER_MS * 3);
    const tookMs = performance.now() - stopped;
    console.log(`dead ${Math.round(tookMs)} ms after its last beat, with ${DEAD_AFTER_MS} ms of silence allowed`);
    expect(tookMs).toBeGreaterThanOrEqual(DEAD_AFTER_MS - (QUICK.beatEveryMs ?? 0) - 50);
    expect(tookMs).toBeLessThan(DEAD_AFTER_MS * 1.5);
    expect(await queue.heartbeats.read(dying)).toMatchObject({ alive: false, attempt: 'a1' });
    expect(await queue.heartbeats.signs(dying, 'a1')).toBe('silent');
    expect(await queue.heartbeats.signs(living, 'b1')).toBe('running');
    expect([...kept.dead]).toEqual([dying]);
    // The next owner takes over, and so does its heartbeat.
    expect(await queue.heartbeats.beat(beatOf(dying, { fence: 2, attempt: 'a2' }))).toBe(true);
    expect((await queue.heartbeats.dead(10)).map(({ job }) => job)).toEqual([]);
  });

  it('is judged without any local clock: years ahead or behind change nothing', async () => {
    const queue = testQueue(redis.url);
    const [dying, living] = [jobId(), jobId()];
    const real = Date.now.bind(Date);
    const skewed = vi.spyOn(Date, 'now').mockImplementation(() => real() + 10 * 365 * 86_400_000);
    onTestFinished(() => skewed.mockRestore());
    const kept = keep(queue, [beatOf(dying), beatOf(living)]);
    await until('both are heard', async () => (await queue.heartbeats.readMany([dying, living])).every((beat) => beat?.alive));
    kept.stop(dying);
    await until('it is dead', () => kept.dead.has(dying), DEAD_AFTER_MS * 3);
    expect([...kept.dead]).toEqual([dying]);
    skewed.mockImplementation(() => real() - 10 * 365 * 86_400_000);
    expect(await queue.heartbeats.read(living)).toMatchObject({ alive: true });
    expect(await queue.heartbeats.signs(dying, 'a1')).toBe('silent');
  });

  it('is not made of the living by an outage, a hang or a restart of Redis', async () => {
    const own = await startRedis();
    onTestFinished(own.stop);
    const queue = testQueue(own.url);
    const jobs = Array.from({ length: 5 }, jobId);
    const kept = keep(queue, jobs.map((job) => beatOf(job)));
    const settled = async () => (await queue.heartbeats.readMany(jobs).catch(() => [null])).every((beat) => beat?.alive);
    await until('all are heard', settled);
    for (const away of ['hang', 'restart'] as const) {
      const begun = performance.now();
      if (away === 'hang') own.freeze();
      else await own.kill();
      await until('longer than an owner may be silent', () => performance.now() - begun > DEAD_AFTER_MS * 1.5);
      // The first looks come before the first beats: the worst order.
      kept.mute(true);
      const looked = kept.looks();
      if (away === 'hang') own.thaw();
      else await own.restart();
      await until('someone has looked again', () => kept.looks() > looked + 2);
      expect((await queue.heartbeats.readMany(jobs)).map((beat) => beat?.alive)).toEqual(jobs.map(() => true));
      kept.mute(false);
      await until('all are heard again', settled);
      const back = performance.now();
      await until('someone has listened long enough', () => performance.now() - back > DEAD_AFTER_MS * 1.5);
      expect([away, [...kept.dead]]).toEqual([away, []]);
    }
    // And after all that a death is still seen.
    const [dying = ''] = jobs;
    kept.stop(dying);
    await until('it is dead', () => kept.dead.has(dying), DEAD_AFTER_MS * 3);
    expect([...kept.dead]).toEqual([dying]);
  });

  it('that Redis never heard is unknown at first, and silent when it was asked for long enough', async () => {
    const queue = testQueue(redis.url);
    const job = jobId();
    const begun = performance.now();
    expect(await queue.heartbeats.signs(job, 'a1')).toBe('unknown');
    await until('it is silent', async () => (await queue.heartbeats.signs(job, 'a1')) === 'silent', DEAD_AFTER_MS * 3);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(DEAD_AFTER_MS - 50);
    expect(await queue.heartbeats.signs(job, 'a2')).toBe('unknown');
    await queue.heartbeats.beat(beatOf(job, { phase: 'starting' }));
    expect(await queue.heartbeats.signs(job, 'a1')).toBe('starting');
  });
});

describe('as many jobs as may be open', () => {
  it('are asked for without taking Redis for away', async () => {
    const queue = testQueue(redis.url);
    const jobs = Array.from({ length: 100_000 }, (_, index) => `job_${index}`);
    const away: string[] = [];
    const unlisten = queue.onState(({ status }) => void away.push(status));
    onTestFinished(unlisten);
    await queue.heartbeats.beat(beatOf(jobs[700]!));
    const heard = await queue.heartbeats.readMany(jobs);
    expect([heard.length, heard.findIndex((beat) => beat !== null), heard.filter((beat) => beat !== null).length]).toEqual([100_000, 700, 1]);
    expect(away.filter((status) => status === 'away')).toEqual([]);
  }, 60_000);
});

describe('many silent owners', () => {
  it('are all named in time, also if nothing is done about the first', async () => {
    const queue = testQueue(redis.url, { timing: { deadAfterMs: 300 } });
    const jobs = Array.from({ length: 30 }, jobId);
    for (const job of jobs) await queue.heartbeats.beat(beatOf(job));
    const named = new Set<string>();
    await until('all are named', async () => {
      const some = await queue.heartbeats.dead(4);
      expect(some.length).toBeLessThanOrEqual(4);
      expect(new Set(some.map(({ job }) => job)).size).toBe(some.length);
      for (const { job } of some) named.add(job);
      return named.size === jobs.length;
    });
    expect((await queue.heartbeats.dead(100)).map(({ job }) => job)).toEqual(jobs);
  });
});

describe('the registry of workers', () => {
  it('lists who beats, and forgets who signs off or falls silent', async () => {
    const queue = testQueue(redis.url, { timing: { workerTtlMs: 400 } });
    const info = (id: string) => ({ id, engine: 'cpu', device: null, slots: 2, jobs: [], draining: false, uncommitted_seconds: 0, youngest_seconds: null, started_at: '2026-01-31T12:00:00Z', host: 'h', machine: 'h', pid: 1, version: '0' });
    await queue.workers.beat(info('wrk_b'));
    await queue.workers.beat(info('wrk_a'));
    await queue.workers.beat({ ...info('wrk_b'), jobs: ['job_1'], draining: true });
    expect(await queue.workers.list()).toMatchObject([{ id: 'wrk_a' }, { id: 'wrk_b', jobs: ['job_1'], draining: true, slots: 2 }]);
    await queue.workers.end('wrk_a');
    expect((await queue.workers.list()).map(({ id }) => id)).toEqual(['wrk_b']);
    await until('the other is forgotten', async () => (await queue.workers.list()).length === 0);
  });
});
