// A study: a sampler and a function in turns, and the best value found.
import type { Params } from '../../../lib/sweeps/dimension.js';
import type { PastTrial } from '../../../lib/sweeps/samplers/past-trials.js';
import { suggestTpe, type TpeOptions } from '../../../lib/sweeps/samplers/tpe.js';
import type { Peer } from '../peer.js';
import { spaceOf, type TestFunction } from './functions.js';

/** Everything a trial is, as a sampler sees it. */
const complete = (number: number, params: Params, value: number): PastTrial => ({ number, params, state: 'complete', value, steps: [] });

/** The least value of so many trials by our sampler. */
export function bestOfOurs(test: TestFunction, trials: number, options: Omit<TpeOptions, 'number'>): number {
  const space = spaceOf(test);
  const past: PastTrial[] = [];
  for (let number = 0; number < trials; number++) {
    const { params } = suggestTpe(space, past, { ...options, number });
    past.push(complete(number, params, test.valueAt(params)));
  }
  return past.reduce((best, { value }) => Math.min(best, value!), Infinity);
}

/** The prior alone: as the first trials are. */
export const bestOfRandom = (test: TestFunction, trials: number, seed: number): number => bestOfOurs(test, trials, { seed, nStartupTrials: Infinity });

export type Asked = { params?: Params };

export async function bestOfOptuna({ ask }: Peer<Asked>, test: TestFunction, trials: number, seed: number): Promise<number> {
  await ask({ do: 'study', seed, variables: test.variables });
  let best = Infinity;
  for (let number = 0; number < trials; number++) {
    const { params } = await ask({ do: 'ask' });
    const value = test.valueAt(params!);
    await ask({ do: 'tell', value });
    best = Math.min(best, value);
  }
  return best;
}

/** Asks that do not count: in a sweep, the compiler has seen all those before this one. */
const WARM_UP = 30;

/** Milliseconds that one more ask takes after so many trials on ten dimensions of every kind. */
export function askMs(trials: number, asks: number): number[] {
  const space = spaceOf({
    name: 'ten',
    variables: [
      ...Array.from({ length: 4 }, (_, i) => ({ name: `float${i}`, kind: 'float' as const, low: 1e-5, high: 1, log: i % 2 === 0 })),
      ...Array.from({ length: 4 }, (_, i) => ({ name: `int${i}`, kind: 'int' as const, low: 1, high: 1_000, log: i % 2 === 0 })),
      ...Array.from({ length: 2 }, (_, i) => ({ name: `choice${i}`, kind: 'choice' as const, choices: ['a', 'b', 'c', 'd', 'e'] })),
    ],
    minimum: 0,
    valueAt: () => 0,
  });
  const past = Array.from({ length: trials }, (_, number) => {
    const { params } = suggestTpe(space, [], { seed: 0, number });
    return complete(number, params, (params.float0 as number) + (params.int0 as number));
  });
  const times = Array.from({ length: WARM_UP + asks }, (_, i) => {
    const begun = performance.now();
    suggestTpe(space, past, { seed: 0, number: trials + i });
    return performance.now() - begun;
  });
  return times.slice(WARM_UP);
}
