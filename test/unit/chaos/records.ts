// HEADs, commits and manifests as a job that goes well has them, for tests that then break one thing.
import type { Head, Manifest, RetainedCommit } from '../../../lib/contract/records.js';
import { emptyHead } from '../../../lib/jobs/lifecycle.js';
import { startCursor } from '../../../lib/training/cursor.js';
import { startMonitor } from '../../../lib/training/monitor.js';

const padded = (n: number): string => String(n).padStart(10, '0');
export const manifestName = (seq: number, fence = 1, attempt = 'a1'): string => `jobs/job_x/commits/${padded(seq)}-${padded(fence)}-${attempt}.json`;
const blobName = (text: string, fence = 1): string => `jobs/job_x/data/${padded(fence)}/${text}`;

/** @param base commits of one window share it */
export function commitAt(seq: number, { base = `w${seq}`, microBatches = seq * 3, fence = 1, attempt = 'a1' }: { base?: string; microBatches?: number; fence?: number; attempt?: string } = {}): RetainedCommit {
  return {
    id: `ckpt_${seq}`, seq, manifest: manifestName(seq, fence, attempt), manifest_sha256: `${seq}`, micro_batches: microBatches, updates: Math.floor(microBatches / 5), window_position: microBatches % 5, committed_at: '2026-01-01T00:00:00.000Z', bytes: 1, bytes_written: 1, best: null,
    blobs: [{ role: 'weights', key: blobName(base, fence), bytes: 1, sha256: base }, { role: 'window', key: blobName(`a${seq}`, fence), bytes: 1, sha256: `a${seq}` }],
  };
}

export function headAt(seq: number, more: Partial<Head> = {}): Head {
  const retained = more.retained ?? [seq - 1, seq].filter((each) => each > 0).map((each) => commitAt(each));
  return {
    ...emptyHead(), version: 10 * seq + 1, fence: 1, seq, attempt: 'a1', owner: { attempt: 'a1', number: 1, worker: 'wrk_1', started_at: '2026-01-01T00:00:00.000Z', resumed_from: null, resumed_at: 0, train_seconds: 0 }, manifest: retained.at(-1)?.manifest ?? null, retained, ...more,
  };
}

export function manifestAt(seq: number, { microBatches = seq * 3, prev = seq - 1, ...more }: Partial<Pick<Manifest, 'fence' | 'gen' | 'events' | 'rows' | 'data_sha256'>> & { microBatches?: number; prev?: number } = {}): Manifest {
  const sums = { samples: 0, micro_batches: 0, loss: 0, correct: 0, top_k_correct: 0 };
  return {
    manifest_version: 1, id: `ckpt_${seq}`, job: 'job_x', gen: 0, seq, fence: 1, attempt: 'a1', prev: prev > 0 ? { id: `ckpt_${prev}`, manifest: manifestName(prev), manifest_sha256: `${prev}` } : null, committed_at: '2026-01-01T00:00:00.000Z',
    state: { cursor: { ...startCursor(), micro_batches: microBatches, updates: Math.floor(microBatches / 5) }, window: sums, epoch: sums, last_epoch: null, monitor: startMonitor() },
    best: null, blobs: commitAt(seq).blobs, bytes_written: 1, rows: { update: [], epoch: [] }, events: [], spec_sha256: 's', data_sha256: 'd', numerics_class: 'test', final: null, ...more,
  };
}
