// A training program run operation by operation. Nothing is compiled: the state is tensors by name, and every call of
// the seam is a few lines over the files beside this one (micro-batch, window, update).
import { AppError } from '../../../lib/errors.js';
import { checkState, expectedState, expectedWeights, gathersStatistics, slotName, slotNames, type ExpectedTensor } from '../../../lib/model/slots.js';
import type { TensorMap } from '../../../lib/training/state.js';
import tf from '@tensorflow/tfjs-core';
import { initialWeight } from '../model/initializers.js';
import { makeNetwork } from '../model/network.js';
import type { CompiledProgram, Program } from './index.js';
import { evaluateBatch, runMicroBatch } from './micro-batch.js';
import { inScope } from './scope.js';
import { assertHostTensor, makeTensorStore, toTensor } from './tensor-store.js';
import { applyUpdate } from './update.js';
import { emptyWindow, foldMicroBatch, type WindowNames } from './window.js';

export function compileEager(program: Program): CompiledProgram {
  const { plan, optimizer, seed } = program;
  const network = makeNetwork(plan, program.loss);
  const store = makeTensorStore();
  const trainable = plan.weights.filter((weight) => weight.trainable).map((weight) => weight.name);
  const window: WindowNames = { trainable, layers: plan.layers.filter(gathersStatistics).map((layer) => layer.name) };
  if (trainable.length === 0) throw new AppError('invalid_spec', 'the model has no trainable weight: there is nothing to train', { param: 'model.layers' });
  let windowOpen = false;

  const close = (): void => {
    store.close();
    windowOpen = false;
  };
  const dropWindow = (): void => {
    emptyWindow(store, window);
    windowOpen = false;
  };
  const load = (tensors: TensorMap, expected: ReadonlyMap<string, ExpectedTensor>, code: 'checkpoint_corrupt' | 'invalid_data'): void => {
    const problems = checkState(expected, tensors);
    if (problems[0] !== undefined) throw new AppError(code, problems[0].message, { param: problems[0].param, details: problems });
    for (const [name, declared] of expected) assertHostTensor(name, tensors.get(name)!, declared);
    for (const name of expected.keys()) store.put(name, toTensor(tensors.get(name)!));
  };

  return {
    initialise() {
      close();
      for (const weight of plan.weights) store.put(weight.name, tf.tensor(initialWeight(seed, weight), [...weight.shape]));
      for (const slot of slotNames(optimizer)) {
        for (const name of trainable) store.put(slotName(name, slot), tf.zeros(store.get(name).shape));
      }
    },
    loadWeights: (weights) => load(weights, expectedWeights(plan), 'invalid_data'),
    restore(state, open) {
      close();
      load(state, expectedState(plan, optimizer, open), 'checkpoint_corrupt');
      windowOpen = open;
    },
    runBlock(batches) {
      const rows = [];
      for (const batch of batches) {
        const row = inScope(() => {
          const micro = runMicroBatch(batch, program, network, store.get, trainable);
          // a branch: nothing that is not finite comes near the accumulator
          if (micro.row.finite) {
            foldMicroBatch(store, window, windowOpen, micro);
            windowOpen = true;
          }
          return micro.row;
        });
        rows.push(row);
        if (!row.finite) break;
      }
      return rows;
    },
    update(scalars) {
      const result = inScope(() => applyUpdate(store, program, trainable, scalars));
      if (result.finite) dropWindow();
      return result;
    },
    dropWindow,
    evaluate: (batch) => evaluateBatch(batch, program, network, store.get),
    snapshot(open) {
      if (open !== windowOpen) throw new Error(`a snapshot ${open ? 'with' : 'without'} a window was asked for, but it is ${windowOpen ? 'open' : 'empty'}`);
      return store.view([...expectedState(plan, optimizer, open).keys()]);
    },
    close,
  };
}
