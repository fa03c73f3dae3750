// The model section: names of layers, sizes as pairs, and what can be told about layers without the data.
import type { Static } from 'typebox';
import { LAYER_LIMIT, type LayerInput, type LayerSpec, RESIDUAL_DEPTH } from '../../../contract/layers.js';
import type { JobSpec, Model } from '../../../contract/spec.js';
import type { Problem } from '../../../errors.js';
import { nameLayers } from '../../../model/layer-names.js';
import { structuralProblems } from '../../../model/plan-model.js';
import { walkLayers } from '../../../model/walk-layers.js';
import { type Section, section } from './section.js';

const PAIR_KEYS = ['kernel_size', 'strides', 'dilation_rate', 'pool_size'];

export function resolveModel(input: Static<typeof Model>): Section<JobSpec['model']> {
  const every = walkLayers(input.layers as readonly LayerInput[], 'model.layers');
  const problems: Problem[] = [];
  if (every.length > LAYER_LIMIT) problems.push({ param: 'model.layers', message: `has ${every.length} layers, those inside of residuals counted; at most ${LAYER_LIMIT} are possible` });
  const tooDeep = every.find(({ layer, depth }) => layer.type === 'residual' && depth >= RESIDUAL_DEPTH);
  if (tooDeep !== undefined) problems.push({ param: tooDeep.path, message: `is a residual inside of ${tooDeep.depth} others; at most ${RESIDUAL_DEPTH} may be nested` });
  const given = nameLayers(every.map(({ layer }) => layer));
  const names = new Map(every.map(({ layer }, index) => [layer, given[index]!]));
  const layers = input.layers.map((layer) => resolveLayer(layer, names, true));
  return section({ layers, init: (input.init ?? null) as JobSpec['model']['init'] }, problems.length > 0 ? problems : structuralProblems(layers));
}

/** @param trainable whether what is around it is: in a frozen residual all is frozen */
function resolveLayer(input: LayerInput, names: ReadonlyMap<LayerInput, string>, trainable: boolean): LayerSpec {
  const { type, ...keys } = input;
  const isTrainable = trainable && input.trainable !== false;
  const given: Record<string, unknown> = { type, ...keys, name: names.get(input)!, trainable: isTrainable };
  // Keras: strides null are the pool's size
  if (input.type === 'max_pooling2d' || input.type === 'average_pooling2d') given['strides'] ??= input.pool_size;
  if (input.type === 'residual') {
    const inside = (layers: readonly LayerInput[]) => layers.map((layer) => resolveLayer(layer, names, isTrainable));
    given['layers'] = inside(input.layers);
    given['shortcut'] = input.shortcut ? { layers: inside(input.shortcut.layers) } : null;
  }
  // the schema's order of keys: type and name first
  const entries = [['type', type], ['name', given['name']], ...Object.entries(given).filter(([key]) => key !== 'type' && key !== 'name')] as [string, unknown][];
  return Object.fromEntries(entries.map(([key, value]) => [key, PAIR_KEYS.includes(key) ? toPair(value as number | number[]) : value])) as unknown as LayerSpec;
}

/** A copy: no two keys share an array. */
const toPair = (size: number | number[]) => (typeof size === 'number' ? [size, size] : [...size]);
