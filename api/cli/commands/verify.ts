// `pawl verify`: runs a finished job again from its stored spec, undisturbed, in a scratch store on this machine, and compares
// hashes and rows. Needs the job's data here, a machine of the job's numerics class, and for a job that began with another's
// checkpoint the store that this is in.
import type { Job } from '../../../lib/contract/job.js';
import type { JobRecord } from '../../../lib/contract/records.js';
import type { UpdateRow } from '../../../lib/contract/rows.js';
import type { Client } from '../../client.js';
import { type AddCommands, type CliContext, command, EXIT, usageError, withExamples } from '../context.js';
import { plural } from '../render.js';
import { runInScratch, type ScratchRun } from '../scratch-run.js';

interface Comparison {
  what: string;
  job: string;
  again: string;
  same: boolean;
}

export const addVerify: AddCommands = (program, context) => {
  withExamples(
    command(program, 'verify <id>', 'run a finished job again, undisturbed, and compare it bit for bit'),
    ['pawl verify JOB'],
    'The data has to be within reach of this machine (PAWL_DATA_ROOTS, PAWL_DATA_BUCKETS), and if the job began with\nanother\'s checkpoint, the store that holds it (PAWL_STORE, or PAWL_DATA_DIR of `pawl up`). Exit code 1 if anything differs.',
  )
    .action(async (id: string, { json }: { json?: boolean }) => {
      const client = context.client();
      const job = await client.job(id);
      if (!job.result) throw usageError('id', `${id} has no result to compare with (it is ${job.status})`);
      const comparisons = await runAgain(context, job, (run) => compare(job, run, rowsOf(client, id)));
      const same = comparisons.every((comparison) => comparison.same);
      if (json) context.out(JSON.stringify({ id, same, attempts: job.attempts.length, comparisons }));
      else {
        for (const { what, job: was, again, same: equal } of comparisons) context.out(equal ? `same       ${what.padEnd(14)} ${was}` : `DIFFERENT  ${what.padEnd(14)} ${was}\n${' '.repeat(26)}${again}`);
        context.out(same ? `${id} (${plural(job.attempts.length, 'attempt')}) is what an undisturbed run gives, bit for bit.` : `${id} is NOT what an undisturbed run gives.`);
      }
      if (!same) context.exit(EXIT.failed);
    });
};

/** Its commits do not matter, so it makes few; each has as many rows in memory as there are between two. */
const COMMIT_SECONDS = 600;

async function runAgain<T>(context: CliContext, job: Job, look: (run: ScratchRun) => Promise<T>): Promise<T> {
  const record: JobRecord = { id: job.id, created_at: job.created_at, pause_at_update: null, sweep: null, schedule: null, spec: { ...job.spec, checkpoint: { ...job.spec.checkpoint, every_seconds: COMMIT_SECONDS, every_updates: null, every_micro_batches: null }, run: { ...job.spec.run, start_after: null, start_before: null } } };
  try {
    return await runInScratch(record, { env: context.env, numericsClass: job.result?.numerics_class ?? '', onProgress: (percent) => context.terminal?.write(`\r\x1b[2Krunning it again: ${percent.toFixed(0)} %`) }, look);
  } finally {
    context.terminal?.write('\r\x1b[2K');
  }
}

async function compare(job: Job, { head, rows: again }: ScratchRun, rows: AsyncIterable<UpdateRow>): Promise<Comparison[]> {
  const one = (what: string, was: string, is: string): Comparison => ({ what, job: was, again: is, same: was === is });
  const before = job.result!;
  const after = head.result!;
  return [
    one('numerics class', before.numerics_class, after.numerics_class),
    one('weights', before.weights_sha256, after.weights_sha256),
    one('state', before.state_sha256, after.state_sha256),
    one('updates', String(before.updates), String(after.updates)),
    await compareRows(rows, again),
  ];
}

/** Side by side by their updates, however many there are. Rows that the job does not have any more are told apart from those that differ. */
export async function compareRows(rows: AsyncIterable<UpdateRow>, again: AsyncIterable<UpdateRow>): Promise<Comparison> {
  const line = ({ wall_time: _wallTime, ...row }: UpdateRow): string => JSON.stringify(Object.entries(row).sort());
  const other = again[Symbol.asyncIterator]();
  let [count, countAgain, missing] = [0, 0, 0];
  let [difference, firstMissing]: (number | null)[] = [null, null];
  const take = async (): Promise<UpdateRow | null> => {
    const next = await other.next();
    if (next.done === true) return null;
    countAgain++;
    return next.value;
  };
  const miss = ({ update }: UpdateRow): void => {
    missing++;
    firstMissing ??= update;
  };
  let theirs = await take();
  for await (const row of rows) {
    count++;
    for (; theirs !== null && theirs.update < row.update; theirs = await take()) miss(theirs);
    if (theirs?.update !== row.update) {
      difference ??= row.update;
      continue;
    }
    if (line(row) !== line(theirs)) difference ??= row.update;
    theirs = await take();
  }
  for (; theirs !== null; theirs = await take()) miss(theirs);
  const lost = firstMissing === null ? '' : `, ${missing} from update ${firstMissing} on not there`;
  return { what: 'rows', job: `${count} rows${lost}`, again: `${countAgain} rows${difference === null ? '' : `, the first difference at update ${difference}`}`, same: difference === null && missing === 0 };
}

async function* rowsOf(client: Client, id: string): AsyncGenerator<UpdateRow, void, void> {
  for (let last: number | null = null; ; ) {
    const page: Awaited<ReturnType<Client['updateRows']>> = await client.updateRows(id, { limit: 10_000, ...(last === null ? {} : { after_update: last }) });
    yield* page.data;
    last = page.data.at(-1)?.update ?? last;
    if (!page.has_more || page.data.length === 0) return;
  }
}
