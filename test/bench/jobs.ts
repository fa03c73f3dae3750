// Jobs as a user has them: submitted over REST, awaited, their committed rows read. Asks as seldom as it can, because the
// API shares the machine with the training that is measured.
import type { Client } from '../../api/client.js';
import type { Job } from '../../lib/contract/job.js';
import type { UpdateRow } from '../../lib/contract/rows.js';
import type { Durations } from './benchmark.js';
import { throughputOf, updateRate } from './throughput.js';

/** A spec as JSON: also with what this version's contract does not take yet, so that the API can say so. */
export type Spec = Record<string, unknown>;
/** A spec with so many updates to make. */
export type MakeSpec = (updates: number) => Spec;

const ROWS_PAGE = 10_000;
const LOOK_MS = 250;
const PATIENCE_MS = 300_000;
const ENDLESS = 1_000_000_000;

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function poll<T>(what: string, everyMs: number, look: () => Promise<T | null>, patienceMs = PATIENCE_MS): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (performance.now() > deadline) throw new Error(`not within ${patienceMs / 1_000} s: ${what}`);
    await sleep(everyMs);
  }
}

/** When it is over and its attempts' records are closed. @throws Error unless it ended as wanted */
export async function ended(client: Client, id: string, wanted: 'succeeded' | 'cancelled' = 'succeeded'): Promise<Job> {
  const job = await poll(`the job ${id} is over`, LOOK_MS, async () => {
    const seen = await client.job(id);
    return seen.is_terminal && seen.attempts.every((attempt) => attempt.ended_at !== null) ? seen : null;
  });
  if (job.status !== wanted) throw new Error(`the job ${job.name ?? id} ${job.status}: ${job.error?.message ?? job.status_message ?? ''}`);
  return job;
}

export async function allRows(client: Client, id: string): Promise<UpdateRow[]> {
  const rows: UpdateRow[] = [];
  for (;;) {
    const page = await client.updateRows(id, { limit: ROWS_PAGE, ...(cursorOf(rows) ?? {}) });
    rows.push(...page.data);
    if (!page.has_more) return rows;
  }
}

const cursorOf = (rows: readonly UpdateRow[]): { after: number } | null => (rows.length === 0 ? null : { after: rows.at(-1)!.update });

/** How many updates take so many seconds here: a job that is cancelled as soon as it has shown its speed. */
async function updatesIn(client: Client, makeSpec: MakeSpec, seconds: number, durations: Durations): Promise<number> {
  const { job } = await client.submit(makeSpec(ENDLESS));
  const rows: UpdateRow[] = [];
  await poll(`the job ${job.id} shows its speed`, LOOK_MS, async () => {
    const { data, has_more: hasMore } = await client.updateRows(job.id, { limit: ROWS_PAGE, ...(cursorOf(rows) ?? {}) });
    rows.push(...data);
    const span = rows.length < 4 || hasMore ? 0 : rows.at(-1)!.wall_time - rows[0]!.wall_time;
    if (span === 0 && (await client.job(job.id)).is_terminal) await ended(client, job.id, 'cancelled');
    return span >= durations.warmup + durations.trial ? true : null;
  });
  await client.verb(job.id, 'cancel');
  await ended(client, job.id, 'cancelled');
  return Math.ceil(updateRate(rows) * seconds);
}

/** Runs it to its end. */
export async function runJob(client: Client, spec: Spec): Promise<Job> {
  const { job } = await client.submit(spec);
  return ended(client, job.id);
}

/** A job that was so much faster than foreseen that its window is shorter than this share is run again, longer. */
const WINDOW_MIN = 0.7;
/** Fewer counted updates would make the clock's grain and the last block's size matter. */
const UPDATES_MIN = 5;
const LENGTHENINGS = 4;

/**
 * A measurement that can be repeated, of samples a second: each time a whole job with as many updates as take warm-up and
 * window here.
 * @param window seconds, if not that of the durations
 */
export async function makeJobMeasurement(client: Client, makeSpec: MakeSpec, { warmup, ...durations }: Durations, window = durations.window): Promise<() => Promise<number>> {
  let updates = await updatesIn(client, makeSpec, warmup + window, { warmup, ...durations });
  return async () => {
    for (let lengthenings = 0; ; lengthenings++) {
      const { job } = await client.submit(makeSpec(updates));
      // Nobody needs to look before it can be over.
      await sleep((warmup + window) * 500);
      await ended(client, job.id);
      const rows = await allRows(client, job.id);
      const measured = throughputOf(rows, warmup);
      if (measured.seconds >= window * WINDOW_MIN && measured.updates >= UPDATES_MIN) return measured.samplesPerSecond;
      if (lengthenings === LENGTHENINGS) throw new Error(`${updates} updates take ${measured.seconds.toFixed(1)} s after warm-up instead of ${window} s`);
      updates = Math.ceil(updates * (measured.updates === 0 ? 2 : Math.max(1.2, (1.1 * window) / measured.seconds)));
    }
  };
}
