// Whether every element of a tensor is finite, for one operation where it is: a sum over something that is not finite is
// not finite either. The other way round a sum may overflow although no element did, so then the elements are asked.
import tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';

/** @param sum Σx or Σx², read back together with other results */
export const isFiniteWithSum = (x: Tensor, sum: number): boolean => Number.isFinite(sum) || tf.all(tf.isFinite(x)).dataSync()[0] === 1;
