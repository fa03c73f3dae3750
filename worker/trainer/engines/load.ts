// Loads an engine when it is wanted: importing this loads nothing.
import { createRequire } from 'node:module';
import { AppError, isAppError, messageOf } from '../../../lib/errors.js';
import type { Engine } from './index.js';

/**
 * The engine that PAWL_ENGINE names (trainer-environment.ts). `auto` takes tensorflow where it loads and passes its
 * self-test, else wasm, and says on the way why not tensorflow. AppError `engine_unavailable` if there is none.
 */
export async function loadEngine(environment: NodeJS.ProcessEnv, tell: (message: string) => void): Promise<Engine> {
  const wanted = environment['PAWL_ENGINE'] ?? 'auto';
  if (wanted === 'wasm') return loadWasm(environment);
  if (wanted === 'tensorflow') return loadTensorflow(environment);
  try {
    return await loadTensorflow(environment);
  } catch (error) {
    tell(`training with the engine wasm, which is much slower: ${messageOf(error)}`);
    return loadWasm(environment);
  }
}

/** AppError `engine_unavailable`, whatever keeps the engine from working: the library, its addon, or its own self-test. */
export async function loadTensorflow(environment: NodeJS.ProcessEnv): Promise<Engine> {
  try {
    // A package that fails while it is imported also rejects a promise that nobody can catch; required first, it just throws.
    createRequire(import.meta.url)('@tensorflow/tfjs-node-gpu');
    const { makeTensorflow } = await import('./tensorflow.js');
    return makeTensorflow(environment);
  } catch (error) {
    if (isAppError(error)) throw error;
    throw new AppError('engine_unavailable', `the engine tensorflow cannot be loaded: ${messageOf(error)}`, { cause: error });
  }
}

/** The same for the engine that needs nothing but Node. */
export async function loadWasm(environment: NodeJS.ProcessEnv): Promise<Engine> {
  try {
    const { makeWasm } = await import('./wasm/engine.js');
    return await makeWasm(environment);
  } catch (error) {
    if (isAppError(error)) throw error;
    throw new AppError('engine_unavailable', `the engine wasm cannot be loaded: ${messageOf(error)}`, { cause: error });
  }
}
