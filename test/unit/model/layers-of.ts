// Resolved layers from what a user would write, for tests of the model without the spec around it.
import type { LayerSpec } from '../../../lib/contract/layers.js';
import { resolveSpec } from '../../../lib/jobs/spec/resolve.js';

export function layersOf(...layers: Record<string, unknown>[]): LayerSpec[] {
  const resolved = resolveSpec({ data: { type: 'builtin', name: 'digits' }, model: { layers } });
  if ('problems' in resolved) throw new Error(JSON.stringify(resolved.problems));
  return resolved.spec.model.layers;
}
