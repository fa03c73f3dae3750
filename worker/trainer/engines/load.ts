// Loads an engine when it is wanted: importing this loads nothing.
import { AppError, isAppError, messageOf } from '../../../lib/errors.js';
import type { Engine } from './index.js';

/** AppError `engine_unavailable`, whatever keeps the engine from working: the library, its addon, or its own self-test. */
export async function loadTensorflow(environment: NodeJS.ProcessEnv): Promise<Engine> {
  try {
    const { makeTensorflow } = await import('./tensorflow.js');
    return makeTensorflow(environment);
  } catch (error) {
    if (isAppError(error)) throw error;
    throw new AppError('engine_unavailable', `the engine tensorflow cannot be loaded: ${messageOf(error)}`, { cause: error });
  }
}
