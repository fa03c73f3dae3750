// Loads an engine when it is wanted: importing this loads nothing.
import type { Engine } from './index.js';

export async function loadTensorflow(): Promise<Engine> {
  const { makeTensorflow } = await import('./tensorflow.js');
  return makeTensorflow();
}
