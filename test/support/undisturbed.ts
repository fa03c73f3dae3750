// What a job ends with when nothing happens to it: run once, without a queue, in a folder of its own.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../api/cli/package-root.js';
import type { Manifest } from '../../lib/contract/records.js';
import type { EpochRow, UpdateRow } from '../../lib/contract/rows.js';
import type { JobSpecInput } from '../../lib/contract/spec.js';
import { readSegments } from '../../lib/jobs/history.js';
import { loadAttempts } from '../../lib/jobs/record.js';
import { resolveSpec } from '../../lib/jobs/spec/resolve.js';
import { silentLog } from '../../lib/log.js';
import { makeFileStore } from '../../lib/store/file.js';
import { runDetached } from '../../worker/supervisor/detached.js';

export interface Reference {
  weights: string;
  state: string;
  rows: Omit<UpdateRow, 'wall_time'>[];
  epochRows: EpochRow[];
  microBatches: number;
  /** What the training itself took. */
  trainMs: number;
}

/** A row without the time at which it was written: what is the same in every run. */
export function timeless<T extends { wall_time: number }>({ wall_time: _wallTime, ...row }: T): Omit<T, 'wall_time'> {
  return row;
}

export async function undisturbed(spec: JobSpecInput, dataRoots: string[] = []): Promise<Reference> {
  const folder = await mkdtemp(join(tmpdir(), 'pawl-undisturbed-'));
  try {
    const resolved = resolveSpec(spec);
    if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
    const record = { id: 'job_00000000000000000000000000', created_at: '2026-01-01T00:00:00.000Z', pause_at_update: null, sweep: null, schedule: null, spec: { ...resolved.spec, checkpoint: { ...resolved.spec.checkpoint, every_seconds: 3600, every_updates: null, every_micro_batches: null } } };
    const trainerEntry = join(packageRoot(), 'dist/worker/trainer/main.js');
    const head = await runDetached({ engine: 'auto', numericsClass: null, record, folder, data: { places: { roots: dataRoots, buckets: null }, memoryBytes: 2 ** 30 }, beginnings: null, trainerEntry, env: process.env, log: silentLog });
    if (head.state !== 'succeeded') throw new Error(`undisturbed run: ${head.state} ${head.message}`);
    const store = await makeFileStore({ root: join(folder, 'store') });
    const manifest = JSON.parse((await store.get(head.manifest!))!.body.toString()) as Manifest;
    const rows = await readSegments<UpdateRow>(store, manifest.rows.update);
    const epochRows = await readSegments<EpochRow>(store, manifest.rows.epoch);
    const [attempt] = await loadAttempts(store, record.id);
    await store.close();
    return { weights: head.result!.weights_sha256, state: head.result!.state_sha256, rows: rows.map(timeless), epochRows, microBatches: manifest.state.cursor.micro_batches, trainMs: attempt!.end!.timings.train_ms };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
