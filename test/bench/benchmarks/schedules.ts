// Schedules on time: ten thousand of them before one controller, of which a thousand are due in the same second while others come
// one by one. From a nominal time to its job having a ticket, which is issued when the job's record has been acknowledged; and what
// the writes of such a second take the same disk when nothing else is done.
import { Redis } from 'ioredis';
import { ulid } from 'ulid';
import { systemClock } from '../../../lib/clock.js';
import type { JobRecord } from '../../../lib/contract/records.js';
import type { ScheduleHead } from '../../../lib/contract/schedule.js';
import { jobKey } from '../../../lib/jobs/names.js';
import { inParallel } from '../../../lib/jobs/recent.js';
import { fromJson } from '../../../lib/jobs/record.js';
import { ticketId } from '../../../lib/queue/ticket.js';
import { createSchedule } from '../../../lib/schedules/control.js';
import { scheduleKey } from '../../../lib/schedules/names.js';
import { resolveSchedule } from '../../../lib/schedules/resolve.js';
import type { Store } from '../../../lib/store/index.js';
import { openStore } from '../../../lib/store/open.js';
import { type Bench, type Benchmark, QUICK } from '../benchmark.js';
import { poll, sleep } from '../jobs.js';
import { digitsNetwork, specOf } from '../networks.js';
import { quantile } from '../statistics.js';
import { startBenchSystem } from '../system.js';

const SCHEDULES = 10_000;
/** Of a round: due in the same second. */
const BURST = 1_000;
/** Of a round: so many in each second around it. */
const SPREAD_A_SECOND = 10;
const SPREAD_SECONDS = 20;
/** From a round's schedules being there to the first fire. The controller lists them all every ten seconds. */
const NOTICE_MS = 25_000;
/** After a round's last fire, before anybody looks. */
const SETTLE_MS = 8_000;
const WIDTH = 64;
/** As many bytes as a schedule's HEAD has, and more than a job's record. */
const BODY_BYTES = 1_500;

/** A job whose time has not come: no worker takes it. No two are alike, as those of a thousand users. */
const job = (seed: number): Record<string, unknown> => ({ ...specOf(digitsNetwork(5), { training: { seed } })(1_000), run: { start_after: new Date(Date.now() + 30 * 86_400_000).toISOString() } });

interface Planned {
  id: string;
  nominalMs: number;
}

/** Once a day, at the time of day of a moment. */
async function create(store: Store, moments: readonly number[]): Promise<Planned[]> {
  return inParallel([...moments.entries()], WIDTH, async ([index, nominalMs]) => {
    const at = new Date(nominalMs);
    const id = `sch_${ulid().toLowerCase()}`;
    const resolved = resolveSchedule({ name: `bench ${index}`, cron: `${at.getUTCSeconds()} ${at.getUTCMinutes()} ${at.getUTCHours()} * * *`, job: job(index) }, new Date());
    if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
    await createSchedule({ store, clock: systemClock }, id, resolved);
    return { id, nominalMs };
  });
}

/** How long after its nominal time each fire's job had a ticket, in milliseconds. @throws Error unless each fired once, on its time */
async function latenesses(store: Store, redis: Redis, planned: readonly Planned[]): Promise<number[]> {
  const heads = (): Promise<ScheduleHead[]> => inParallel(planned, WIDTH, async ({ id }) => fromJson<ScheduleHead>((await store.get(scheduleKey(id)))!.body));
  const all = await poll('every fire is carried out', 2_000, async () => {
    const seen = await heads();
    return seen.every(({ counts, runs }) => counts.started > 0 && runs.every(({ state }) => state === 'running')) ? seen : null;
  }, 60_000);
  return inParallel([...planned.entries()], WIDTH, async ([index, { id, nominalMs }]) => {
    const { counts, runs } = all[index]!;
    const run = runs[0]?.run.id ?? '';
    const { schedule } = fromJson<JobRecord>((await store.get(jobKey(run)))!.body);
    if (counts.started !== 1 || runs.length !== 1 || schedule?.id !== id || Date.parse(schedule.nominal_time) !== nominalMs) throw new Error(`${id} fired ${counts.started} times, for ${schedule?.nominal_time}`);
    const issued = await redis.hget(`pawl:tickets:${ticketId({ job: run, gen: 0, fence: 0 })}`, 'timestamp');
    if (issued === null) throw new Error(`the job ${run} has no ticket`);
    return Number(issued) - nominalMs;
  });
}

/** What a burst's fires write until their jobs are acknowledged, and then until nothing is left to be done, by itself; in milliseconds. */
async function bareWrites(store: Store, fires: number, round: number): Promise<{ untilAcknowledged: number; all: number }> {
  const body = (version: number): Buffer => Buffer.from(`${version}`.padEnd(BODY_BYTES, 'x'));
  const registers = await inParallel(Array.from({ length: fires }, (_, index) => `${round}-${index}`), WIDTH, async (name) => {
    const created = await store.putIfAbsent(`bench/${name}/HEAD`, body(0));
    return { name, etag: created.created ? created.etag : '' };
  });
  const swap = async (register: (typeof registers)[number], version: number): Promise<void> => {
    const outcome = await store.compareAndSwap(`bench/${register.name}/HEAD`, body(version), register.etag);
    if (!outcome.swapped) throw new Error(`somebody else has bench/${register.name}/HEAD`);
    register.etag = outcome.etag;
  };
  const from = performance.now();
  await inParallel(registers, WIDTH, async (register) => {
    await swap(register, 1);
    await store.put(`bench-open/${register.name}`, body(0));
    await store.putIfAbsent(`bench-jobs/${register.name}/job.json`, body(0));
  });
  const untilAcknowledged = performance.now() - from;
  await inParallel(registers, WIDTH, async (register) => {
    await Promise.all([store.putIfAbsent(`bench-fires/${register.name}/fire.json`, body(0)), store.putIfAbsent(`bench-scheduled/${register.name}/job`, body(0))]);
    await swap(register, 2);
  });
  return { untilAcknowledged, all: performance.now() - from };
}

const show = (values: readonly number[]): string => `p50 ${quantile(values, 0.5).toFixed(0)}, p99 ${quantile(values, 0.99).toFixed(0)}, max ${Math.max(...values).toFixed(0)} ms`;

const claim = (id: string, text: string, goalMs: number | null): Benchmark['claims'][number] => ({ id, text, unit: 'ms', goal: goalMs === null ? null : { below: goalMs } });
const count = (value: number): string => value.toLocaleString('en');

export const schedules: Benchmark = {
  name: 'schedules',
  title: `${count(SCHEDULES)} schedules on one controller, ${count(BURST)} of them due in the same second`,
  claims: [
    claim('burst-p50', `p50 of ${count(BURST)} fires of the same second, until their job is acknowledged`, null),
    claim('burst-p99', 'p99 of them', 1_000),
    claim('burst-max', 'the last of them', null),
    claim('spread-p50', `p50 of ${count(SPREAD_A_SECOND * SPREAD_SECONDS)} fires in the seconds around it, ${SPREAD_A_SECOND} in each`, null),
    claim('spread-p99', 'p99 of them', 1_000),
    claim('spread-max', 'the last of them', null),
    claim('writes', `the ${count(3 * BURST)} writes of such a second that come before an acknowledgement, by themselves`, null),
    claim('all-writes', `all its ${count(6 * BURST)} writes, by themselves`, null),
  ],
  run: async (bench: Bench) => {
    const share = bench.durations === QUICK ? 0.1 : 1;
    const system = await startBenchSystem(bench.undo);
    const store = await openStore(system.store);
    const redis = new Redis(system.redisUrl);
    const disconnect = bench.undo.add(async () => redis.disconnect());
    const burst = BURST * share;
    const others = SCHEDULES * share - burst - SPREAD_A_SECOND * SPREAD_SECONDS * share;
    bench.say(`  creating ${count(others)} schedules`);
    // Theirs is the other half of the day.
    await create(store, Array.from({ length: others }, (_, index) => Math.floor(Date.now() / 1_000) * 1_000 + 43_200_000 + (index % 36_000) * 1_000 - 18_000_000));
    const seen = { 'burst-p50': [] as number[], 'burst-p99': [] as number[], 'burst-max': [] as number[], 'spread-p50': [] as number[], 'spread-p99': [] as number[], 'spread-max': [] as number[], writes: [] as number[], 'all-writes': [] as number[] };
    for (let round = 1; round <= bench.pairs; round++) {
      // A burst's schedules take some seconds to be written, so their time is far enough from now for both.
      const firstMs = Math.ceil(Date.now() / 1_000) * 1_000 + NOTICE_MS + 15_000;
      const burstMs = firstMs + (SPREAD_SECONDS / 2) * 1_000;
      const together = await create(store, Array.from({ length: burst }, () => burstMs));
      const apart = await create(store, Array.from({ length: SPREAD_A_SECOND * SPREAD_SECONDS * share }, (_, index) => firstMs + (index % SPREAD_SECONDS) * 1_000));
      if (Date.now() > firstMs - NOTICE_MS) throw new Error('writing the schedules of a round took so long that their time came');
      await sleep(firstMs + SPREAD_SECONDS * 1_000 + SETTLE_MS - Date.now());
      const late = { burst: await latenesses(store, redis, together), spread: await latenesses(store, redis, apart) };
      const writes = await bareWrites(store, burst, round);
      for (const side of ['burst', 'spread'] as const) {
        seen[`${side}-p50`].push(quantile(late[side], 0.5));
        seen[`${side}-p99`].push(quantile(late[side], 0.99));
        seen[`${side}-max`].push(Math.max(...late[side]));
      }
      seen.writes.push(writes.untilAcknowledged);
      seen['all-writes'].push(writes.all);
      bench.say(`  ${round} of ${bench.pairs}: together ${show(late.burst)}; apart ${show(late.spread)}; writes alone ${writes.untilAcknowledged.toFixed(0)} ms, all of them ${writes.all.toFixed(0)} ms`);
    }
    const notes: Partial<Record<keyof typeof seen, string>> = { 'burst-p50': 'by the time that a ticket has, which is issued right after; store: a folder, every write synced', writes: `${WIDTH} side by side: a swap, a marker and a record each` };
    for (const [id, values] of Object.entries(seen)) bench.measured(id, values, notes[id as keyof typeof seen]);
    await disconnect();
    await store.close();
    await system.close();
  },
};
