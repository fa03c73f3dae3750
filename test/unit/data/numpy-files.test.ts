// Files that numpy wrote (test/fixtures/bytes/make.py).
import { describe, expect, it } from 'vitest';
import { loadNpz } from './npz-files.js';

const path = (name: string) => new URL(`../../fixtures/bytes/${name}`, import.meta.url).pathname;
const images = Uint8Array.from({ length: 24 }, (_, i) => i * 10);
const ARRAYS = { x: 'x', y: 'y' };

describe('a set that numpy wrote', () => {
  it('with savez: uint8 images, int64 labels', async () => {
    expect(await loadNpz(path('stored.npz'), ARRAYS)).toEqual({
      description: { samples: 4, shape: [3, 2, 1], classes: 4, labels: 'integer', dtype: 'uint8', unit: 255 },
      x: images,
      y: Int32Array.of(0, 3, 1, 3),
    });
  });

  it('with savez_compressed: float32 images, float64 label rows', async () => {
    expect(await loadNpz(path('compressed.npz'), ARRAYS)).toEqual({
      description: { samples: 4, shape: [3, 2, 1], classes: 4, labels: 'one_hot', dtype: 'float32', unit: null },
      x: Float32Array.from(images, (value) => Math.fround(value / 7)),
      y: Float32Array.of(1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1),
    });
  });

  it('with other names, images without channels, labels as a column', async () => {
    const { description, x, y } = await loadNpz(path('column.npz'), { x: 'images', y: 'labels' });
    expect([description.shape, x, y]).toEqual([[3, 2, 1], images, Int32Array.of(0, 3, 1, 3)]);
  });

  it.each([
    ['fortran.npz', 'fortran.npz, array "x": its values are in Fortran order'],
    ['big-endian.npz', 'big-endian.npz, array "x": its type >f4 is big-endian'],
    ['objects.npz', 'objects.npz, array "y": it is an object array'],
  ])('%s is refused', async (name, message) => {
    await expect(loadNpz(path(name), ARRAYS)).rejects.toThrow(message);
  });
});
