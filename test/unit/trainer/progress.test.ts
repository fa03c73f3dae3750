import { expect, test } from 'vitest';
import { startCursor } from '../../../lib/training/cursor.js';
import { startMonitor } from '../../../lib/training/monitor.js';
import type { StateCounters } from '../../../lib/training/state.js';
import { emptySums } from '../../../lib/training/window.js';
import type { FromTrainer } from '../../../worker/protocol.js';
import { makeProgress } from '../../../worker/trainer/progress.js';

const at = (micro_batches: number): StateCounters => ({ cursor: { ...startCursor(), micro_batches }, window: emptySums(), epoch: emptySums(), last_epoch: null, monitor: startMonitor() });
const ROW = { epoch: 1, updates: 1, loss: 1, lr: 1 };

function make(start = at(3)) {
  const sent: Extract<FromTrainer, { type: 'progress' }>[] = [];
  const clock = { ms: 0 };
  const progress = makeProgress({ attempt: 'a', start, nowMs: () => clock.ms, send: (message) => void sent.push(message as (typeof sent)[number]) });
  return { sent, clock, progress };
}

test('messages are at least 100 ms apart and leave out no micro-batch', () => {
  const { sent, clock, progress } = make();
  for (let number = 4; number <= 30; number++) {
    clock.ms += 30;
    progress.executed(10);
    progress.tick(at(number));
  }
  progress.flush(at(30));
  expect(sent.map(({ from, to }) => [from, to])).toEqual([[3, 7], [7, 11], [11, 15], [15, 19], [19, 23], [23, 27], [27, 30]]);
  expect(sent.map(({ trainMs }) => trainMs)).toEqual([120, 120, 120, 120, 120, 120, 90]);
});
test('rows are sent once, with what they belong to', () => {
  const { sent, progress } = make();
  progress.epochRow(ROW);
  progress.flush(at(3));
  progress.flush(at(3));
  expect(sent).toHaveLength(1);
  expect(sent[0]).toMatchObject({ from: 3, to: 3, epochRows: [ROW], updateRows: [] });
});
test('speed is that of the last second', () => {
  const { sent, clock, progress } = make();
  const pass = (ms: number, samples: number, number: number) => {
    clock.ms += ms;
    progress.executed(samples);
    progress.flush(at(number));
  };
  pass(500, 100, 4);
  pass(500, 300, 5);
  pass(500, 1, 6);
  pass(500, 1, 7);
  expect(sent.map(({ samplesPerSecond }) => samplesPerSecond)).toEqual([200, 400, 400, 2]);
});

test('the longest that a stop would have waited is said, and begins anew with each message', () => {
  const { sent, clock, progress } = make();
  const listenIn = (ms: number): void => {
    clock.ms += ms;
    progress.listening();
  };
  for (const ms of [20, 70, 10]) listenIn(ms);
  progress.tick(at(4));
  for (const ms of [40, 60]) listenIn(ms);
  progress.tick(at(5));
  expect(sent.map(({ hearMs }) => hearMs)).toEqual([70, 60]);
});
