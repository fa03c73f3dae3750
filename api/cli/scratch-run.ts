// A job run to its end by a worker of its own, in a scratch store on this machine: without API or queue. Of anybody else's
// store only the checkpoint is read that the job begins with, if it is another's.
import { fork } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Head, JobRecord, Manifest } from '../../lib/contract/records.js';
import type { UpdateRow } from '../../lib/contract/rows.js';
import { AppError } from '../../lib/errors.js';
import { eachIn } from '../../lib/jobs/history.js';
import { openStore } from '../../lib/store/open.js';
import { EXIT } from './context.js';
import { ENTRIES, type Environment, exitOf } from './processes.js';

export interface ScratchRunOptions {
  env: Environment;
  /** Of a run that this one is to be compared with. */
  numericsClass?: string;
  onProgress?: (percent: number) => void;
}

/** What a run left; its rows are read as they are asked for, because a long training has more of them than memory. */
export interface ScratchRun {
  head: Head;
  rows: AsyncIterable<UpdateRow>;
}

/** What `look` makes of the run, before its folder goes. @throws AppError with the worker's own words if it does not end in success: invalid_request where it is not to be run here, else internal_error */
export async function runInScratch<T>(record: JobRecord, { env, numericsClass, onProgress }: ScratchRunOptions, look: (run: ScratchRun) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'pawl-scratch-'));
  try {
    const file = join(folder, 'job.json');
    await writeFile(file, JSON.stringify(record));
    const named = numericsClass === undefined ? [] : ['--class', numericsClass];
    const child = fork(ENTRIES.worker, ['run', file, '--folder', folder, ...named], { env: { PAWL_LOG_LEVEL: 'error', ...env }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    child.on('message', ({ percent }: { percent?: number }) => percent !== undefined && onProgress?.(percent));
    const [output, complaints, { code }] = await Promise.all([text(child.stdout!), text(child.stderr!), exitOf(child)]);
    if (code !== 0) throw new AppError(code === EXIT.usage ? 'invalid_request' : 'internal_error', complaints.trim() || `the worker ended with ${code}`);
    const head = JSON.parse(output) as Head;
    if (head.state !== 'succeeded') throw new AppError('internal_error', `the job ${head.state}: ${head.error?.message ?? head.message ?? ''}`);
    return await look({ head, rows: committedRows(folder, head) });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function* committedRows(folder: string, head: Head): AsyncGenerator<UpdateRow, void, void> {
  const store = await openStore(`file:${join(folder, 'store')}`);
  try {
    const stored = await store.get(head.manifest!);
    if (stored) yield* eachIn<UpdateRow>(store, (JSON.parse(stored.body.toString()) as Manifest).rows.update);
  } finally {
    await store.close();
  }
}
