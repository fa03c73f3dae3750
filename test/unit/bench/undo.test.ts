import { describe, expect, test } from 'vitest';
import { makeUndo } from '../../bench/undo.js';

describe('undoing', () => {
  test('each thing is undone once, the last one first, whoever asks', async () => {
    const undo = makeUndo();
    const seen: string[] = [];
    const note = (name: string) => async () => void seen.push(name);
    undo.add(note('folder'));
    const stop = undo.add(note('system'));
    undo.add(note('process'));
    await stop();
    await stop();
    expect(await undo.all(false)).toEqual([]);
    expect(await undo.all(false)).toEqual([]);
    expect(seen).toEqual(['system', 'process', 'folder']);
  });

  test('a problem does not keep the rest from being undone', async () => {
    const undo = makeUndo();
    const seen: boolean[] = [];
    undo.add(async (interrupted) => void seen.push(interrupted));
    undo.add(() => Promise.reject(new Error('stuck')));
    expect((await undo.all(true)).map((error) => error.message)).toEqual(['stuck']);
    expect(seen).toEqual([true]);
  });

  test('after an interruption nothing begins, and what had just begun is undone', async () => {
    const undo = makeUndo();
    const seen: string[] = [];
    await undo.all(true);
    expect(() => undo.add(async () => void seen.push('late'))).toThrow('interrupted');
    await undo.all(true);
    expect(seen).toEqual(['late']);
  });
});
