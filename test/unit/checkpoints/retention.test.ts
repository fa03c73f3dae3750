import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chooseRetained, unreferencedBlobs } from '../../../lib/checkpoints/retention.js';
import type { RetainedCommit } from '../../../lib/contract/records.js';

/** Commit `seq` whose weights have version `base`. */
const commit = (seq: number, base: number): RetainedCommit => ({
  id: `ckpt_${seq}`, seq, manifest: `m${seq}`, manifest_sha256: '0'.repeat(64), micro_batches: seq, updates: base, window_position: 0, committed_at: '2026-01-01T00:00:00.000Z', bytes: 2, bytes_written: 0, best: null,
  blobs: [
    { role: 'weights', key: `w${base}`, bytes: 1, sha256: '0'.repeat(64) },
    { role: 'window', key: `a${seq}`, bytes: 1, sha256: '0'.repeat(64) },
  ],
});
const histories = fc.array(fc.nat(2), { minLength: 1, maxLength: 40 }).map((steps) => {
  let base = 0;
  return steps.map((step, seq) => commit(seq, (base += step)));
});

test('the best are kept, whatever came after them', () => {
  const values = [3, null, 1, 2, null, null, 1, 5, null];
  const history = values.map((best, seq) => ({ ...commit(seq, seq), best }));
  const kept = (mode: 'min' | 'max', n: number) => chooseRetained(history, 2, [], { mode, n }).map(({ seq }) => seq);
  // of equal ones the earlier; the last two are kept anyway
  expect(kept('min', 1)).toEqual([2, 7, 8]);
  expect(kept('min', 3)).toEqual([2, 3, 6, 7, 8]);
  expect(kept('max', 2)).toEqual([0, 7, 8]);
  // an epoch that was committed once more, after a death
  const again = [...history.slice(0, 3), { ...commit(9, 9), micro_batches: 2, best: 1 }, { ...commit(10, 10) }, { ...commit(11, 11) }];
  expect(chooseRetained(again, 2, [], { mode: 'min', n: 1 }).map(({ seq }) => seq)).toEqual([9, 10, 11]);
});

test('commits that share the best epoch’s weights do not stand alone', () => {
  const blob = (key: string) => ({ role: 'best' as const, key, bytes: 1, sha256: '0'.repeat(64) });
  const history = ['b1', 'b2', 'b1', 'b1'].map((key, seq) => ({ ...commit(seq, seq), blobs: [...commit(seq, seq).blobs, blob(key)] }));
  expect(chooseRetained(history, 2, []).map(({ seq }) => seq)).toEqual([1, 2, 3]);
});

describe('retention', () => {
  test('keeps the newest, the pinned, and two without a base blob in common whenever there are two', () => {
    fc.assert(
      fc.property(histories, fc.integer({ min: 2, max: 4 }), fc.nat(40), (history, keepLast, pin) => {
        // As jobs do it: one commit at a time, from what was kept before.
        let kept: RetainedCommit[] = [];
        for (const next of history) {
          const before = [...kept, next];
          kept = chooseRetained(before, keepLast, [`ckpt_${pin}`]);
          expect(kept.slice(-keepLast)).toEqual(before.slice(-keepLast));
          if (before.some(({ id }) => id === `ckpt_${pin}`)) expect(kept.some(({ id }) => id === `ckpt_${pin}`)).toBe(true);
          const bases = new Set(kept.map(({ updates }) => updates));
          expect(bases.size >= 2).toBe(new Set(before.map(({ updates }) => updates)).size >= 2);
          expect(kept.map(({ seq }) => seq)).toEqual(kept.map(({ seq }) => seq).sort((a, b) => a - b));
        }
      }),
    );
  });

  test('what is deleted is needed by nothing that is kept, and nothing else is left over', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const kept = chooseRetained(history, 2, []);
        const gone = new Set(unreferencedBlobs(history, kept).map(({ key }) => key));
        const needed = new Set(kept.flatMap(({ blobs }) => blobs.map(({ key }) => key)));
        for (const key of gone) expect(needed.has(key)).toBe(false);
        for (const { blobs } of history) for (const { key } of blobs) expect(gone.has(key) || needed.has(key)).toBe(true);
      }),
    );
  });
});
