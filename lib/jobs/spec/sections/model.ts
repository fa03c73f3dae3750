// The model section: names of layers, sizes as pairs, and what can be told about layers without the data.
import type { Static } from 'typebox';
import type { LayerSpec } from '../../../contract/layers.js';
import type { JobSpec, Model } from '../../../contract/spec.js';
import { nameLayers } from '../../../model/layer-names.js';
import { structuralProblems } from '../../../model/plan-model.js';
import { type Section, section } from './section.js';

type LayerInput = Static<typeof Model>['layers'][number];
const PAIR_KEYS = ['kernel_size', 'strides', 'dilation_rate', 'pool_size'];

export function resolveModel(input: Static<typeof Model>): Section<JobSpec['model']> {
  const names = nameLayers(input.layers);
  const layers = input.layers.map((layer, index) => resolveLayer(layer, names[index] as string));
  return section({ layers, init: input.init ?? null }, structuralProblems(layers));
}

function resolveLayer(input: LayerInput, name: string): LayerSpec {
  const { type, ...keys } = input;
  const given: Record<string, unknown> = { type, ...keys, name };
  // Keras: strides null are the pool's size
  if (type === 'max_pooling2d' || type === 'average_pooling2d') given['strides'] ??= given['pool_size'];
  // the schema's order of keys: type and name first
  const entries = [['type', type], ['name', name], ...Object.entries(given).filter(([key]) => key !== 'type' && key !== 'name')] as [string, unknown][];
  return Object.fromEntries(entries.map(([key, value]) => [key, PAIR_KEYS.includes(key) ? toPair(value as number | number[]) : value])) as unknown as LayerSpec;
}

/** A copy: no two keys share an array. */
const toPair = (size: number | number[]) => (typeof size === 'number' ? [size, size] : [...size]);
