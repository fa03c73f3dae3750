// A tidy for work whose result is plain values. tf.tidy walks into whatever is returned, element by element: a typed
// array of a million floats costs a quarter of a second.
import tf from '@tensorflow/tfjs-core';

/** Frees every tensor that `work` makes and does not keep. The result must not hold a tensor that was not kept. */
export function inScope<T>(work: () => T): T {
  tf.engine().startScope();
  try {
    return work();
  } finally {
    tf.engine().endScope();
  }
}
