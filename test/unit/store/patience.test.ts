import { expect, it } from 'vitest';
import { AppError } from '../../../lib/errors.js';
import { untilAnswered } from '../../../lib/store/patience.js';

const away = new AppError('store_unavailable', 'away');

/** A store that is away so many times, and a clock that says how long was waited. */
function setUp(times: number, failure: Error = away) {
  const slept: number[] = [];
  let asked = 0;
  return {
    slept,
    asked: () => asked,
    clock: { sleep: (ms: number, signal?: AbortSignal) => (slept.push(ms), signal?.aborted ? Promise.reject(signal.reason as Error) : Promise.resolve()) },
    ask: () => (asked++ < times ? Promise.reject(failure) : Promise.resolve('here')),
  };
}

it('asks less and less often until there is an answer', async () => {
  const { clock, ask, slept } = setUp(8);
  expect(await untilAnswered(clock, ask)).toBe('here');
  expect(slept).toEqual([50, 100, 200, 400, 800, 1_600, 2_000, 2_000]);
});

it('asks once where the answer is another failure', async () => {
  const full = new AppError('store_full', 'full');
  const { clock, ask, asked } = setUp(1, full);
  await expect(untilAnswered(clock, ask)).rejects.toBe(full);
  expect(asked()).toBe(1);
});

it('ends with the store’s own error when the waiting is over, or is ended', async () => {
  const waiting = setUp(Infinity);
  await expect(untilAnswered(waiting.clock, waiting.ask, { isOver: () => waiting.slept.length === 3 })).rejects.toBe(away);
  expect(waiting.asked()).toBe(4);
  const ended = setUp(Infinity);
  const abort = new AbortController();
  const clock = { sleep: (ms: number, signal?: AbortSignal) => (abort.abort(new Error('the attempt is over')), ended.clock.sleep(ms, signal)) };
  await expect(untilAnswered(clock, ended.ask, { signal: abort.signal })).rejects.toBe(away);
  expect(ended.asked()).toBe(2);
});
