// The demo: one training job, run once undisturbed and once preempted and killed inside accumulation windows, on the whole
// system. It ends with the same bits, and shows it. `npm run demo -- fashion-mnist` does the same with 70,000 pictures.
import { makeClient, type Client } from '../../api/client.js';
import type { Job } from '../../lib/contract/job.js';
import { bar, say, table } from './screen.js';
import { type Subject, SUBJECTS } from './subjects.js';
import { startDemoSystem } from './system.js';

/** Seconds that the training should take: long enough to be cut, again where a cut missed. */
const TRAINING_SECONDS = 15;
const CALIBRATION_EPOCHS = 20;
const EPOCHS_MOST = 2_000;
const TRIES = 20;

/** Follows a job to its end, drawing its progress; `act` may disturb it meanwhile. */
async function follow(client: Client, id: string, label: string, act: (job: Job) => Promise<void> = () => Promise.resolve()): Promise<Job> {
  for (;;) {
    const job = await client.job(id);
    if (!job.is_terminal) bar(label, job);
    else {
      // The record of the last attempt is closed right after the job.
      if (job.status === 'succeeded' && job.attempts.some((attempt) => attempt.ended_at === null)) continue;
      if (job.status !== 'succeeded') throw new Error(`${label}: the job ${job.status}: ${job.error?.message ?? job.status_message ?? ''}`);
      bar(label, job);
      return job;
    }
    await act(job);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Micro-batches at which attempt `number` started, by its own event. */
async function startOf(client: Client, id: string, number: number): Promise<{ microBatches: number; windowPosition: number } | null> {
  for (let after: string | number | undefined; ; ) {
    const page = await client.events(id, { limit: 100, ...(after === undefined ? {} : { after }) });
    for (const event of page.data) if (event.type === 'attempt.training' && event.attempt === number) return { microBatches: Number(event.data['micro_batches']), windowPosition: Number(event.data['window_position']) };
    if (!page.has_more || page.last_id === null) return null;
    after = page.last_id;
  }
}

/** By the rows of the second half: compilers and caches are cold before. */
async function secondsPerEpoch(client: Client, id: string): Promise<number> {
  const { data: rows } = await client.updateRows(id, { limit: 10_000 });
  const [from, to] = [rows[Math.floor(rows.length / 2)]!, rows.at(-1)!];
  return ((to.wall_time - from.wall_time) / (to.update - from.update)) * (rows.length / CALIBRATION_EPOCHS);
}

/** Too little to go on training: with more, an attempt uses what a last save does not need. */
const NOTICE_SECONDS = 2;

type Cut = { kind: 'notice' | 'kill'; attempt: number; at: number; windowPosition: number };

/** Cuts the job once and reports where; null if the attempt ended before, by itself. */
async function cut(client: Client, id: string, kind: Cut['kind'], accumIters: number): Promise<Cut | null> {
  const { attempts } = await client.job(id);
  const number = attempts.length;
  const start = await startOf(client, id, number);
  if (!start) return null;
  await client.preempt(id, kind === 'notice' ? NOTICE_SECONDS : 0);
  for (;;) {
    const ended = (await client.job(id)).attempts.find((attempt) => attempt.number === number);
    if (ended && ended.ended_at !== null) {
      if (ended.end_reason !== `preempted_${kind}`) return null;
      const at = start.microBatches + (ended.executed_micro_batches ?? 0);
      return { kind, attempt: number, at, windowPosition: at % accumIters };
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** As many as take `TRAINING_SECONDS` here. */
async function epochsHere(client: Client, { spec }: Subject): Promise<number> {
  say('Measuring this machine …');
  const measured = await follow(client, (await client.submit(spec('demo-measure', CALIBRATION_EPOCHS))).job.id, 'measure  ');
  return Math.max(10, Math.min(EPOCHS_MOST, Math.round(TRAINING_SECONDS / (await secondsPerEpoch(client, measured.id)))));
}

async function main(name = 'digits'): Promise<void> {
  const began = performance.now();
  const prepare = SUBJECTS[name];
  if (!prepare) throw new Error(`there is no demo ${JSON.stringify(name)}; there are ${Object.keys(SUBJECTS).join(', ')}`);
  const subject = await prepare();
  const { accumIters } = subject;
  say('Starting Redis, API, controller and a worker …');
  const system = await startDemoSystem(subject.dataRoot);
  try {
    const client = makeClient({ url: system.url });
    say(`Up at ${system.url}.`);
    const epochs = subject.epochs ?? (await epochsHere(client, subject));

    say(`Training ${subject.what} for ${epochs} epochs: micro-batches of ${subject.batchSize}, windows of ${accumIters}.`);
    const plain = await follow(client, (await client.submit(subject.spec('demo-undisturbed', epochs))).job.id, 'undisturbed');

    say(`The same job again, preempted by notice${subject.insideWindows ? ' inside one window' : ''} and its trainer killed (SIGKILL)${subject.insideWindows ? ' inside another' : ''}:`);
    const id = (await client.submit(subject.spec('demo-disturbed', epochs))).job.id;
    const cuts: Cut[] = [];
    /** Micro-batches that the checkpoint had at the last cut: an attempt that is cut before it commits is a step towards `crash_loop`. */
    let committed = 0;
    const hits = (kind: Cut['kind']): boolean => cuts.some((done) => done.kind === kind && (done.windowPosition > 0 || !subject.insideWindows));
    const disturbed = await follow(client, id, 'disturbed', async (job) => {
      if (job.status !== 'running' || cuts.length >= TRIES) return;
      const kind = !hits('notice') && job.progress.percent > 20 ? 'notice' : !hits('kill') && job.progress.percent > 50 ? 'kill' : null;
      const now = job.checkpoint?.micro_batches ?? 0;
      if (kind === null || now <= committed) return;
      committed = now;
      const done = await cut(client, id, kind, accumIters).catch(() => null);
      if (!done) return;
      cuts.push(done);
      say(`  ${kind === 'notice' ? 'preempted by notice' : 'killed by SIGKILL  '} after micro-batch ${done.at}: ${done.windowPosition > 0 ? `inside a window (${done.windowPosition} of ${accumIters})` : `between windows${subject.insideWindows ? ', so once more' : ''}`}`);
    });
    if (!hits('notice') || !hits('kill')) throw new Error('no cut hit the inside of a window');

    const rows: string[][] = [];
    for (const attempt of disturbed.attempts) {
      const start = await startOf(client, id, attempt.number);
      rows.push([
        String(attempt.number),
        start && start.microBatches > 0 ? `micro-batch ${start.microBatches} (${start.windowPosition} of ${accumIters})` : 'the beginning',
        String(attempt.executed_micro_batches ?? ''),
        String(attempt.wasted_micro_batches ?? ''),
        attempt.end_reason ?? '',
      ]);
    }
    say('');
    table(['attempt', 'started at', 'executed', 'wasted', 'ended by'], rows);
    say('');
    const percent = (value: number | null | undefined): string => (value === null || value === undefined ? 'n/a' : `${(value * 100).toFixed(2)} %`);
    const same = plain.result!.weights_sha256 === disturbed.result!.weights_sha256 && plain.result!.state_sha256 === disturbed.result!.state_sha256;
    table(
      ['run', 'attempts', 'wasted micro-batches', 'validation accuracy', 'sha256 of the weights'],
      [
        ['undisturbed', String(plain.attempts.length), String(plain.waste.micro_batches), percent(plain.result!.validation?.['val_accuracy']), plain.result!.weights_sha256],
        ['disturbed', String(disturbed.attempts.length), String(disturbed.waste.micro_batches), percent(disturbed.result!.validation?.['val_accuracy']), disturbed.result!.weights_sha256],
      ],
    );
    say(same ? '\nEqual, bit for bit (weights and optimizer state).' : '\nNOT EQUAL.');
    const reached = [plain, disturbed].every((job) => (job.result?.validation?.['val_accuracy'] ?? 0) >= (subject.accuracy ?? 0));
    if (subject.accuracy !== null) say(`The accuracy of ${percent(subject.accuracy)} ${reached ? 'was reached' : 'was NOT reached'}.`);
    if (!same || !reached) process.exitCode = 1;
  } finally {
    await system.end();
  }
  say(`No process, port or folder is left. ${Math.round((performance.now() - began) / 1_000)} s in all.`);
}

// On a terminal that was closed nobody reads; the system is ended all the same.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
main(process.argv[2]).catch((error: unknown) => {
  say(`The demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
