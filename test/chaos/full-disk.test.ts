// A disk that is really full (a small tmpfs): nothing that was committed is lost, and the failure has a name.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makeClient } from '../../api/client.js';
import { startTestSystem, type TestSystem, waitFor } from '../support/system.js';
import { makeDatasets } from '../support/datasets.js';
import { s3ServerAvailable } from '../support/s3-server.js';
import { makeTempDir, type TempDir } from '../support/temp.js';
import { idxOf } from '../unit/data/idx-files.js';
import { expectSameBits, recipe, type Reference, undisturbed, untilTraining } from './recipe.js';

const spec = recipe();
/** Long enough to train through it. */
const long = recipe(60);
let reference: Reference;
let system: TestSystem;
let folder: TempDir;
let mounted: string | null = null;

/** Mounting needs rights that not every machine gives. */
const canMount = ((): boolean => {
  const probe = `/tmp/pawl-mount-probe-${process.pid}`;
  try {
    mkdirSync(probe, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', probe], { stdio: 'ignore' });
    execFileSync('umount', [probe]);
    return true;
  } catch {
    console.warn('\n*** FULL-DISK TESTS SKIPPED: a tmpfs cannot be mounted here ***\n');
    return false;
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
})();

const hasS3 = await s3ServerAvailable();

async function smallDisk(sizeKib: number): Promise<string> {
  folder = await makeTempDir('disk');
  mounted = join(folder.path, 'small');
  mkdirSync(mounted);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKib}k`, 'tmpfs', mounted]);
  return mounted;
}
/** False where a file is open for writing. */
function remount(disk: string, how: 'ro' | 'rw'): boolean {
  try {
    execFileSync('mount', ['-o', `remount,${how}`, disk], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Takes every byte that is left. */
function fill(disk: string): string {
  const filler = join(disk, 'filler');
  let size = 1 << 24;
  const chunks: Buffer[] = [];
  for (; size >= 512; size /= 2) {
    for (;;) {
      try {
        writeFileSync(`${filler}.${chunks.length}`, Buffer.alloc(size), { flag: 'wx' });
        chunks.push(Buffer.alloc(0));
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
        rmSync(`${filler}.${chunks.length}`, { force: true });
        break;
      }
    }
  }
  return filler;
}

describe.skipIf(!canMount)('on a full disk', () => {
  beforeAll(async () => {
    reference = await undisturbed(spec);
  });
  afterEach(async () => {
    await system.stop();
    if (mounted) execFileSync('umount', [mounted]);
    mounted = null;
    await folder.remove();
  });

  test('checkpoints fail by name, training goes on, and with space again nothing is lost', async () => {
    const disk = await smallDisk(8_192);
    system = await startTestSystem({ storeUrl: `file:${join(disk, 'store')}` });
    await system.startController();
    await system.startWorker();
    const job = await system.submit(spec);
    const before = await untilTraining(system, job, 30);
    fill(disk);
    const live = await waitFor('the journal tells of a failed checkpoint', async () => {
      const { entries } = await system.queue.journal.read(job, { afterId: null, limit: 1_000 });
      return entries.find((event) => event.type === 'checkpoint.failed');
    });
    expect(live.data['code']).toBe('store_full');
    const after = await system.head(job);
    expect(after.retained.at(-1)!.micro_batches, 'the last commit stands').toBeGreaterThanOrEqual(before.retained.at(-1)!.micro_batches);
    execFileSync('sh', ['-c', `rm -f ${join(disk, 'filler')}*`]);
    const head = await system.terminal(job);
    await expectSameBits(system, job, head, reference);
  });

  test('that can only be read: the API says so, training goes on, and when it can be written nothing is lost', async () => {
    const disk = await smallDisk(16_384);
    system = await startTestSystem({ storeUrl: `file:${join(disk, 'store')}` });
    await system.startController();
    await system.startWorker();
    const client = makeClient({ url: (await system.startApi()).url, retryBudgetMs: 0 });
    const job = await system.submit(long);
    const before = await untilTraining(system, job, 30);
    // Refused while a file is open for writing, as one is for much of the time.
    await waitFor('the disk can only be read', () => Promise.resolve(remount(disk, 'ro')), 60_000);
    await expect(client.submit(spec)).rejects.toMatchObject({ status: 503, code: 'store_unavailable' });
    expect((await client.job(job)).status).toBe('running');
    const standing = await system.head(job);
    const done = (await system.queue.heartbeats.read(job))?.progress?.micro_batches ?? 0;
    await waitFor('training goes on', async () => ((await system.queue.heartbeats.read(job))?.progress?.micro_batches ?? 0) > done + 20);
    expect(await system.head(job), 'nothing was written').toEqual(standing);
    expect(standing.retained.at(-1)!.micro_batches).toBeGreaterThanOrEqual(before.retained.at(-1)!.micro_batches);
    expect(remount(disk, 'rw')).toBe(true);
    const head = await system.terminal(job);
    await expectSameBits(system, job, head, await undisturbed(long));
    expect([head.counters.attempts, head.counters.failures]).toEqual([1, 0]);
  });

  test('a spool without space ends the job as store_full, its checkpoints untouched', async () => {
    const disk = await smallDisk(1_024);
    system = await startTestSystem({ env: { PAWL_DATA_DIR: join(disk, 'data') } });
    await system.startController();
    await system.startWorker();
    const job = await system.submit({ ...spec, run: { max_failures: 1 } });
    await untilTraining(system, job, 30);
    fill(disk);
    const head = await system.terminal(job);
    expect(head.state).toBe('failed');
    expect(head.error!.code).toBe('store_full');
    expect(head.reason).toBe('max_failures');
    expect(head.retained.length).toBeGreaterThanOrEqual(2);
    for (const commit of head.retained) for (const blob of commit.blobs) expect(await system.store.head(blob.key), blob.key).not.toBeNull();
    // One that finds the disk full: no fault of its engine, which may have a graph to write first.
    const later = await system.terminal(await system.submit({ ...spec, run: { max_failures: 0 } }));
    expect(later).toMatchObject({ state: 'failed', reason: 'max_failures', error: { code: 'store_full', message: expect.stringContaining('ENOSPC') } });
  });

  test.skipIf(!hasS3)('what a killed worker left on it is removed by the one that takes its job over', async () => {
    const disk = await smallDisk(10_240);
    system = await startTestSystem({ store: 's3', env: { PAWL_DATA_DIR: join(disk, 'data'), PAWL_DATA_BUCKETS: 'datasets' } });
    const datasets = await makeDatasets(system.s3!);
    const samples = 1_024; // 5.3 MB, of which the disk has room for one copy
    await datasets.put('images', idxOf({ shape: [samples, 72, 72], data: new Uint8Array(samples * 72 * 72) }));
    await datasets.put('labels', idxOf({ shape: [samples], data: Uint8Array.from({ length: samples }, (_, i) => i % 3) }));
    await datasets.close();
    await system.startController();
    const first = await system.startWorker();
    const job = await system.submit({ data: { type: 'idx', images: 's3://datasets/images', labels: 's3://datasets/labels' }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 3, activation: 'softmax' }] }, training: { epochs: 400 }, checkpoint: { every_micro_batches: 20 }, run: { max_failures: 0 } });
    await untilTraining(system, job, 20);
    await system.startWorker();
    first.kill('SIGKILL');
    await first.exited;
    await system.until(job, 'goes on', ({ owner, state }) => owner?.number === 2 || state !== 'open');
    const { seq } = await system.head(job);
    const head = await system.until(job, 'commits', (seen) => seen.seq > seq || seen.state !== 'open');
    expect([head.state === 'open' || head.state === 'succeeded', head.counters.failures, head.error], head.message ?? '').toEqual([true, 0, null]);
  });

  test.skipIf(!hasS3)('copies that are kept for later jobs make way for what a job has to unpack', async () => {
    const disk = await smallDisk(9_216);
    system = await startTestSystem({ store: 's3', env: { PAWL_DATA_DIR: join(disk, 'data'), PAWL_DATA_ROOTS: folder.path, PAWL_DATA_MEMORY_MIB: '1', PAWL_DATA_BUCKETS: 'datasets' } });
    const pixels = (samples: number): Buffer => idxOf({ shape: [samples, 72, 72], data: new Uint8Array(samples * 72 * 72) });
    const labels = (samples: number): Buffer => idxOf({ shape: [samples], data: Uint8Array.from({ length: samples }, (_, i) => i % 3) });
    const datasets = await makeDatasets(system.s3!);
    await datasets.put('images', pixels(768)); // 4 MB
    await datasets.put('labels', labels(768));
    await datasets.close();
    writeFileSync(join(folder.path, 'images'), gzipSync(pixels(1_024))); // 5.3 MB, for which there is no room beside it
    writeFileSync(join(folder.path, 'labels'), labels(1_024));
    await system.startController();
    await system.startWorker();
    const run = async (from: string): Promise<string | null> => {
      const head = await system.terminal(await system.submit({ data: { type: 'idx', images: `${from}images`, labels: `${from}labels` }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 3, activation: 'softmax' }] }, training: { max_updates: 3 }, run: { max_failures: 0 } }));
      return head.error?.message ?? head.state;
    };
    const copies = (): string => execFileSync('find', [disk, '-name', 'images'], { encoding: 'utf8' });
    expect(await run('s3://datasets/')).toBe('succeeded');
    expect(copies()).not.toBe('');
    expect(await run('')).toBe('succeeded');
    expect(copies()).toBe('');
  });

  test.each(hasS3 ? ['unpacked', 'copied'] : ['unpacked'])('data that has no room to be %s ends the job as store_full, with the numbers and nothing left on the disk', async (how) => {
    const disk = await smallDisk(4_096);
    const env = { PAWL_DATA_DIR: join(disk, 'data'), PAWL_DATA_ROOTS: folder.path, PAWL_DATA_MEMORY_MIB: '1', PAWL_DATA_BUCKETS: 'datasets' };
    system = await startTestSystem({ store: how === 'copied' ? 's3' : 'file', env });
    await system.startController();
    await system.startWorker();
    const samples = 1_024;
    const pixels = idxOf({ shape: [samples, 72, 72], data: new Uint8Array(samples * 72 * 72) });
    const labels = idxOf({ shape: [samples], data: Uint8Array.from({ length: samples }, (_, i) => i % 3) });
    const files = { images: how === 'copied' ? pixels : gzipSync(pixels), labels };
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder.path, name), bytes);
    if (how === 'copied') {
      const datasets = await makeDatasets(system.s3!);
      await datasets.put('images', files.images);
      await datasets.close();
    }
    const images = how === 'copied' ? 's3://datasets/images' : 'images';
    const job = await system.submit({ data: { type: 'idx', images, labels: 'labels' }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 3, activation: 'softmax' }] }, run: { max_failures: 0 } });
    const head = await system.terminal(job);
    const what = how === 'copied' ? 'a copy of s3://datasets/images takes 5308432' : 'unpacking images takes 5308416';
    expect(head).toMatchObject({ state: 'failed', error: { code: 'store_full', message: expect.stringContaining(`${what} bytes, and data may take `) } });
    expect(execFileSync('find', [disk, '-size', '+16k', '-type', 'f'], { encoding: 'utf8' })).toBe('');
  });
});
