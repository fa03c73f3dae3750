// What a commit writes, and what it stands on of the commits before it, in a real store.
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../lib/clock.js';
import { decodeLines } from '../../../lib/checkpoints/segments.js';
import type { Head, Manifest, Segment } from '../../../lib/contract/records.js';
import type { UpdateRow } from '../../../lib/contract/rows.js';
import { collectGarbage } from '../../../lib/jobs/closing.js';
import { makeCommitter, type Committer, type StateBlob } from '../../../lib/jobs/commit.js';
import { claimJob, type Claim } from '../../../lib/jobs/head.js';
import { lookForDamage, readSegments, readStretches } from '../../../lib/jobs/history.js';
import { NOTHING_DONE } from '../../../lib/jobs/lifecycle.js';
import { restoreState } from '../../../lib/jobs/restore.js';
import { silentLog } from '../../../lib/log.js';
import { makeFileStore } from '../../../lib/store/file.js';
import type { Store } from '../../../lib/store/index.js';
import { startCursor } from '../../../lib/training/cursor.js';
import { startMonitor } from '../../../lib/training/monitor.js';
import { emptySums } from '../../../lib/training/window.js';
import { makeTempDir } from '../../support/temp.js';

const JOB = 'job_00000000000000000000000000';
const WINDOW = 4;
const INPUTS = { data_sha256: 'd'.repeat(64), init_sha256: null, numerics_class: 'x', engine: 'x', train_samples: null, mixed: false };

async function openTestStore(): Promise<Store> {
  const folder = await makeTempDir('commit');
  const store = await makeFileStore({ root: folder.path });
  onTestFinished(async () => {
    await store.close();
    await folder.remove();
  });
  return store;
}

async function claim(store: Store): Promise<Claim> {
  const limits = { maxFailures: 3, maxPreemptions: null, startAfter: null, startBefore: null };
  const outcome = await claimJob({ store, clock: systemClock }, { job: JOB, worker: 'wrk_a', ticket: null, limits, isLive: () => Promise.resolve(false), account: () => Promise.resolve(NOTHING_DONE), sharedNow: () => Promise.resolve(new Date()) });
  if (outcome.kind !== 'claimed') throw new Error(outcome.kind);
  return outcome.claim;
}

const body = (text: string, size = 1_000): Buffer => Buffer.from(text.padEnd(size, '.'));
/** Weights and slots of the window, the window's gradient inside one; slots that are always the same, if so given. */
function stateAt(microBatches: number, { slots = `slots ${Math.floor(microBatches / WINDOW)}`, unchanged = false } = {}): { state: Manifest['state']; blobs: StateBlob[] } {
  const position = microBatches % WINDOW;
  const updates = Math.floor(microBatches / WINDOW);
  const read = (text: string, size?: number) => (unchanged ? null : () => Promise.resolve(body(text, size)));
  return {
    state: { cursor: { ...startCursor(), micro_batches: microBatches, window_position: position, updates }, window: { ...emptySums(), micro_batches: position }, epoch: emptySums(), last_epoch: null, monitor: startMonitor() },
    blobs: [
      { role: 'weights', read: read(`weights ${updates}`) },
      { role: 'slots', read: read(slots, 2_000) },
      ...(position > 0 ? [{ role: 'window' as const, read: () => Promise.resolve(body(`gradient ${microBatches}`)) }] : []),
    ],
  };
}
let checkpoints = 0;
const commit = (committer: Committer, at: ReturnType<typeof stateAt>, updateRows: readonly UpdateRow[] = []): Promise<{ head: Head; manifest: Manifest }> =>
  committer.commit({ ...at, updateRows, epochRows: [], events: [], inputs: INPUTS, specSha256: 'e'.repeat(64), keepLast: 2, keepBest: null, best: null, final: null, trainSeconds: 0, saveSeconds: () => 0, checkpointId: `ckpt_${++checkpoints}` });
const deps = (store: Store, damaged: Segment[] = []) => ({ store, clock: systemClock, log: silentLog, onDamaged: (segment: Segment) => void damaged.push(segment) });
const bytes = ({ manifest }: { manifest: Manifest }): [number, number] => [manifest.bytes_written, manifest.blobs.reduce((sum, blob) => sum + blob.bytes, 0)];
const keyOf = ({ manifest }: { manifest: Manifest }, role: string): string | undefined => manifest.blobs.find((blob) => blob.role === role)?.key;

it('writes inside a window only the window, whether the rest is read or said to be unchanged', async () => {
  const store = await openTestStore();
  const committer = makeCommitter(deps(store), await claim(store), null);
  expect(bytes(await commit(committer, stateAt(5)))).toEqual([4_000, 4_000]);
  expect(bytes(await commit(committer, stateAt(6)))).toEqual([1_000, 4_000]);
  const said = await commit(committer, stateAt(7, { unchanged: true }));
  expect(bytes(said)).toEqual([1_000, 4_000]);
  expect(said.head.retained.at(-1)).toMatchObject({ bytes: 4_000, bytes_written: 1_000 });
  expect(bytes(await commit(committer, stateAt(8)))).toEqual([3_000, 3_000]);
});

it('goes on from the verified state of another attempt without writing it again', async () => {
  const store = await openTestStore();
  const first = await commit(makeCommitter(deps(store), await claim(store), null), stateAt(5));
  const next = makeCommitter(deps(store), await claim(store), first.manifest);
  const second = await commit(next, stateAt(6, { unchanged: true }));
  expect([bytes(second), keyOf(second, 'weights')]).toEqual([[1_000, 4_000], keyOf(first, 'weights')]);
  for (const { key } of second.manifest.blobs) expect(await store.get(key)).not.toBeNull();
  // An attempt that has not read what is there does not trust its name.
  const blind = await commit(makeCommitter(deps(store), await claim(store), null), stateAt(6));
  expect([bytes(blind)[0], keyOf(blind, 'weights') === keyOf(first, 'weights')]).toEqual([4_000, false]);
});

it('stands on another copy of what never changes than the window before, and writes no third', async () => {
  const store = await openTestStore();
  const committer = makeCommitter(deps(store), await claim(store), null);
  const commits = [];
  for (const at of [1, 2, 5, 6, 9, 10, 13]) commits.push(await commit(committer, stateAt(at, { slots: 'none' })));
  expect(commits.map((one) => one.manifest.bytes_written)).toEqual([4_000, 1_000, 4_000, 1_000, 2_000, 1_000, 2_000]);
  const slots = commits.map((one) => keyOf(one, 'slots'));
  expect(slots).toEqual([slots[0], slots[0], slots[2], slots[2], slots[0], slots[0], slots[2]]);
  expect(slots[2]).not.toBe(slots[0]);
  const { head } = commits.at(-1)!;
  for (const blob of head.retained.flatMap((one) => one.blobs)) expect(await store.get(blob.key), blob.key).not.toBeNull();
});

const row = (update: number): UpdateRow => ({ update, loss: 1 / 3, regularization: 0, lr: 0.001, grad_norm: 1.2345678901234567, samples: 32, wall_time: 1_700_000_000.123 + update });

it('rows that are too many for one segment survive what clears away the garbage of older claims', async () => {
  const store = await openTestStore();
  const committer = makeCommitter(deps(store), await claim(store), null);
  const each = 1_500;
  let manifest!: Manifest;
  for (let n = 0; n < 10; n++) ({ manifest } = await commit(committer, stateAt(n), Array.from({ length: each }, (_, index) => row(n * each + index + 1))));
  expect(manifest.rows.update.some(({ index }) => index)).toBe(true);
  const next = await claim(store);
  await collectGarbage(store, JOB, next.head());
  expect((await readSegments<UpdateRow>(store, manifest.rows.update)).map(({ update }) => update)).toEqual(Array.from({ length: 10 * each }, (_, index) => index + 1));
});

it.each(['is gone', 'is damaged'])('commits and resumes beyond rows of which a part %s: that part is lost and said, and nothing else', async (how) => {
  const store = await openTestStore();
  const damaged: Segment[] = [];
  const committer = makeCommitter(deps(store, damaged), await claim(store), null);
  const commits = [];
  for (let n = 1; n <= 3; n++) commits.push(await commit(committer, stateAt(n), [row(2 * n - 1), row(2 * n)]));
  const [, bad] = commits.at(-1)!.manifest.rows.update;
  if (how === 'is gone') await store.delete(bad!.key);
  else await store.put(bad!.key, Buffer.alloc(bad!.bytes, '?'));
  const told: Segment[] = [];
  await lookForDamage(store, commits.at(-1)!.manifest, (segment) => void told.push(segment), new AbortController().signal);
  expect(told).toEqual([bad]);

  // the state is whole, so it is resumed from, from the newest commit
  const folder = await makeTempDir('resume');
  onTestFinished(folder.remove);
  const expected = { job: JOB, specSha256: 'e'.repeat(64), dataSha256: INPUTS.data_sha256, accumIters: WINDOW, check: () => Promise.resolve() };
  const resumedFrom = async ({ head }: { head: Head }) => {
    const { restored, corrupt } = await restoreState(store, head, expected, folder.path);
    return { id: restored!.commit.id, corrupt };
  };
  expect(await resumedFrom(commits.at(-1)!)).toEqual({ id: commits.at(-1)!.manifest.id, corrupt: [] });
  // eight are to be merged, over and over
  let last = commits.at(-1)!;
  for (let n = 4; n <= 70; n++) last = await commit(committer, stateAt(n), [row(2 * n - 1), row(2 * n)]);
  expect(damaged.map(({ key }) => key)).toEqual([bad!.key]);
  expect(await resumedFrom(last)).toEqual({ id: last.manifest.id, corrupt: [] });
  const updates: number[] = [];
  const lost: number[] = [];
  for await (const stretch of readStretches(store, last.manifest.rows.update, { onDamaged: ({ first }) => void lost.push(first) })) {
    if (stretch.lines) updates.push(...decodeLines<UpdateRow>(stretch.lines).map(({ update }) => update));
  }
  expect(lost).toEqual([3]);
  expect(updates).toEqual(Array.from({ length: 140 }, (_, index) => index + 1).filter((update) => update !== 3 && update !== 4));
});

it('refuses to leave out what no commit has', async () => {
  const store = await openTestStore();
  const committer = makeCommitter(deps(store), await claim(store), null);
  await expect(commit(committer, stateAt(5, { unchanged: true }))).rejects.toMatchObject({ code: 'internal_error', message: 'weights: there is no commit that has it' });
});
