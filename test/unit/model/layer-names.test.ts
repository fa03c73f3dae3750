import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkLayerNames, nameLayers } from '../../../lib/model/layer-names.js';

describe('layer names', () => {
  it('count from 1 for each type, in order', () => {
    const layers = ['conv2d', 'max_pooling2d', 'conv2d', 'flatten', 'dense'].map((type) => ({ type }));
    expect(nameLayers(layers)).toEqual(['conv2d_1', 'max_pooling2d_1', 'conv2d_2', 'flatten_1', 'dense_1']);
  });

  it('step over names that a user gave', () => {
    const layers = [{ type: 'dense' }, { type: 'conv2d', name: 'dense_1' }, { type: 'dense', name: 'head' }, { type: 'dense' }];
    expect(nameLayers(layers)).toEqual(['dense_2', 'dense_1', 'head', 'dense_3']);
  });

  it('stay what they are once they are given', () => {
    const name = fc.constantFrom('dense_1', 'dense_2', 'conv2d_1', 'a', undefined);
    fc.assert(
      fc.property(fc.array(fc.record({ type: fc.constantFrom('dense', 'conv2d'), name }), { maxLength: 8 }), (layers) => {
        const names = nameLayers(layers);
        expect(nameLayers(layers.map(({ type }, i) => ({ type, name: names[i] })))).toEqual(names);
        const givenTwice = layers.length - new Set(layers.flatMap((layer, i) => layer.name ?? `#${i}`)).size;
        expect(checkLayerNames(names.map((name, i) => ({ path: `model.layers.${i}`, name })))).toHaveLength(givenTwice);
      }),
    );
  });

  it('that two layers have are refused', () => {
    expect(checkLayerNames(['a', 'b', 'a'].map((name, i) => ({ path: `model.layers.${i}`, name })))).toEqual([{ param: 'model.layers.2.name', message: expect.stringMatching(/"a" is also that of model.layers.0/) as string }]);
  });
});
