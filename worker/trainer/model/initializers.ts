// First values of weights, as Keras draws them, computed on the host in float64 from the weight's own key: equal seeds
// give equal weights whatever else the model holds, and weights of equal shape differ.
import type { WeightPlan } from '../../../lib/model/plan.js';
import { fillTruncatedNormal, keyOf, TRUNCATED_NORMAL_STDDEV, uniformAt } from '../../../lib/training/random.js';

export function initialWeight(seed: number, weight: WeightPlan): Float32Array {
  const values = new Float32Array(weight.shape.reduce((product, size) => product * size, 1));
  const key = keyOf(seed, `init/${weight.name}`);
  const averageFan = (weight.fanIn + weight.fanOut) / 2;

  // variance = 1 / fan for Glorot, 2 / fan for He; a uniform's variance is limit² / 3
  const uniform = (variance: number): Float32Array => {
    const limit = Math.sqrt(3 * variance);
    return values.map((_, index) => (2 * uniformAt(key, index) - 1) * limit);
  };
  const normal = (variance: number): Float32Array => {
    const stddev = Math.sqrt(variance) / TRUNCATED_NORMAL_STDDEV;
    return Float32Array.from(fillTruncatedNormal(key, new Float64Array(values.length)), (z) => z * stddev);
  };
  switch (weight.initializer) {
    case 'zeros':
      return values;
    case 'ones':
      return values.fill(1);
    case 'glorot_uniform':
      return uniform(1 / Math.max(1, averageFan));
    case 'glorot_normal':
      return normal(1 / Math.max(1, averageFan));
    case 'he_uniform':
      return uniform(2 / Math.max(1, weight.fanIn));
    case 'he_normal':
      return normal(2 / Math.max(1, weight.fanIn));
  }
}
