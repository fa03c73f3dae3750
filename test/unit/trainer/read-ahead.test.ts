// What is read ahead, in which order, and what becomes of it when the cursor goes elsewhere: over batches whose reads end
// when the test says so.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Course } from '../../../lib/training/course.js';
import { afterStep, startCursor } from '../../../lib/training/cursor.js';
import type { Cursor } from '../../../lib/training/state.js';
import { makeReadAhead, type Place } from '../../../worker/trainer/read-ahead.js';

const COURSE: Course = { samples: 20, batchSize: 2, accumIters: 2, epochs: 2, maxUpdates: null, tail: 'carry', restoreBest: false };
const BYTES = 100;
const at = (position: number, epoch = 0): Place => ({ kind: 'training', cursor: { ...startCursor(), epoch, position, window_position: (position / 2) % 2, micro_batches: epoch * 10 + position / 2, updates: Math.floor((epoch * 10 + position / 2) / 2) } });
const validation = (index: number): Place => ({ kind: 'validation', index });
const nameOf = (place: Place): string => (place.kind === 'training' ? `${place.cursor.epoch}:${place.cursor.position}` : `v${place.index}`);

function makeWorld({ validationCount = 0, aheadBytes = Infinity, course = COURSE, manual = false } = {}) {
  const begun: string[] = [];
  const released: string[] = [];
  const ends = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  const ahead = makeReadAhead({
    course,
    validationCount,
    aheadBytes,
    files: [],
    bytesOf: () => BYTES,
    begin(place) {
      const name = nameOf(place);
      begun.push(name);
      const ready = new Promise<void>((resolve, reject) => {
        ends.set(name, { resolve, reject });
        if (!manual) resolve();
      });
      ready.catch(() => undefined);
      return {
        rawBytes: BYTES,
        ready,
        gather: () => ({ x: new Float32Array(), y: new Float32Array(), samples: 2, sampleIds: Int32Array.of(place.kind === 'training' ? place.cursor.position : -1 - place.index) }),
        release: () => void released.push(name),
      };
    },
  });
  return { ahead, begun, released, ends };
}

const positions = (batches: { sampleIds: Int32Array }[]) => batches.map(({ sampleIds }) => sampleIds[0]);

describe('reading ahead', () => {
  it('starts what follows a block: twice its length, at least four, in order', async () => {
    const { ahead, begun } = makeWorld();
    expect(positions(await ahead.gather([at(0)]))).toEqual([0]);
    expect(begun).toEqual(['0:0', '0:2', '0:4', '0:6', '0:8']);
    expect(positions(await ahead.gather([at(2), at(4), at(6)]))).toEqual([2, 4, 6]);
    expect(begun.slice(5)).toEqual(['0:10', '0:12', '0:14', '0:16', '0:18']); // six from 0:8 on, with one that epoch's end leads to
    expect(ahead.figures()).toMatchObject({ begun: 10, dropped: 0, heldBytes: 6 * BYTES });
  });

  it('goes over an epoch\'s end: validation, then the next epoch, then nothing', async () => {
    const { ahead, begun } = makeWorld({ validationCount: 2 });
    await ahead.gather([at(18)]);
    expect(begun).toEqual(['0:18', 'v0', 'v1', '1:0', '1:2']);
    await ahead.gather([validation(0)]);
    await ahead.gather([validation(1)]);
    expect(begun.slice(5)).toEqual(['1:4', '1:6']);
    await ahead.gather([at(0, 1)]);
    await ahead.gather([at(18, 1)]);
    expect(begun.slice(-3)).toEqual(['1:18', 'v0', 'v1']);
    await nextTurn();
    expect(ahead.figures()!.heldBytes).toBe(2 * BYTES);
  });

  it('knows the rest of a validation that a training begins with', async () => {
    const { ahead, begun } = makeWorld({ validationCount: 7 });
    await ahead.gather([validation(0)]);
    await ahead.gather([validation(4)]);
    expect(begun).toEqual(['v0', 'v1', 'v2', 'v3', 'v4', 'v5', 'v6']);
  });

  it('drops what a jump leaves behind, whose memory counts until its reads have ended', async () => {
    const { ahead, begun, released, ends } = makeWorld({ manual: true, aheadBytes: 4 * BYTES });
    const first = ahead.gather([at(0)]);
    ends.get('0:0')!.resolve();
    await first;
    const jumped = ahead.gather([at(2, 1)]); // four under way, none of them wanted
    ends.get('1:2')!.resolve();
    await jumped;
    expect(begun).toEqual(['0:0', '0:2', '0:4', '0:6', '0:8', '1:2', '1:4']); // one in any case
    expect(ahead.figures()).toMatchObject({ dropped: 4, heldBytes: 5 * BYTES, peakHeldBytes: 5 * BYTES });
    for (const name of ['0:2', '0:4', '0:6', '0:8', '1:4']) ends.get(name)!.resolve();
    await nextTurn();
    await ahead.gather([at(4, 1)]);
    expect([released.sort(), begun.slice(7)]).toEqual([['0:0', '0:2', '0:4', '0:6', '0:8', '1:2', '1:4'], ['1:6', '1:8', '1:10', '1:12']]);
    expect(ahead.figures()!.heldBytes).toBe(4 * BYTES);
  });

  it('stays within its bytes, and within a number of reads', async () => {
    const tight = makeWorld({ aheadBytes: 2.5 * BYTES });
    await tight.ahead.gather([at(0), at(2)]);
    expect(tight.begun).toEqual(['0:0', '0:2', '0:4', '0:6']);
    const large = makeWorld({ course: { ...COURSE, samples: 100_000, batchSize: 5000, accumIters: 1 } });
    await large.ahead.gather([{ kind: 'training', cursor: startCursor() }]);
    expect(large.begun).toEqual(['0:0', '0:5000']);
  });

  it('tells a failed read to whoever asks for that batch, and to nobody else', async () => {
    const { ahead, ends, released } = makeWorld({ manual: true });
    const first = ahead.gather([at(0)]);
    ends.get('0:0')!.resolve();
    await first;
    ends.get('0:4')!.reject(new Error('the disk is gone'));
    for (const name of ['0:2', '0:6', '0:8']) ends.get(name)!.resolve();
    expect(positions(await ahead.gather([at(2)]))).toEqual([2]);
    await expect(ahead.gather([at(4), at(6)])).rejects.toThrow('the disk is gone');
    const again = ahead.gather([at(4)]); // asked for once more, it is read once more
    ends.get('0:4')!.resolve();
    expect(positions(await again)).toEqual([4]);
    expect(released.filter((name) => name === '0:4')).toHaveLength(2);
  });

  it('gives the same batch twice if it is asked for twice', async () => {
    const { ahead, begun } = makeWorld();
    const [a, b] = await Promise.all([ahead.gather([at(0)]), ahead.gather([at(0)])]);
    expect([positions(a), positions(b)]).toEqual([[0], [0]]);
    expect(begun.filter((name) => name === '0:0')).toHaveLength(2);
    expect(await ahead.gather([])).toEqual([]);
  });

  it('follows cursors as the loop moves them', async () => {
    const { ahead, begun } = makeWorld();
    for (let cursor: Cursor = startCursor(), micro = 0; micro < 10; micro++) {
      await ahead.gather([{ kind: 'training', cursor }]);
      cursor = afterStep(cursor, 'micro_batch', COURSE);
      if (cursor.window_position === 2) cursor = afterStep(cursor, 'update', COURSE);
    }
    expect([begun.length, ahead.figures()!.dropped]).toEqual([14, 0]);
  });
});
