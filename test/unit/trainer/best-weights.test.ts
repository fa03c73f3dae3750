// The best epoch's weights hold on to nothing else of the state that they came with.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { bestName, type ExpectedTensor } from '../../../lib/model/slots.js';
import type { HostTensor } from '../../../lib/training/state.js';
import { makeBestWeights } from '../../../worker/trainer/best-weights.js';
import { makeToyProgram } from './support/toy-program.js';

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

const EXPECTED = new Map<string, ExpectedTensor>([['toy/w', { dtype: 'F32', shape: [1], role: 'weights' }]]);

test('what a training resumed from is let go, but for the best weights in it', async () => {
  const tensor = (value: number): HostTensor => ({ dtype: 'F32', shape: [1], data: Float32Array.of(value) });
  const slot = new WeakRef(tensor(1));
  const best = makeBestWeights(makeToyProgram(), EXPECTED, new Map([['toy/w/m', slot.deref()!], [bestName('toy/w'), tensor(7)]]));
  // a WeakRef holds what it refers to until its turn is over
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  expect(slot.deref()).toBeUndefined();
  expect(best.beside({ names: [], read: () => tensor(0), dispose: () => undefined }).read(bestName('toy/w')).data[0]).toBe(7);
});
