// How many micro-batches to run side by side, by measuring (`lanes: "auto"`).

import type { Program } from './index.js';

/** As many as the job says, or as can run at a time, and no more than a window has micro-batches. */
export const mostLanes = ({ lanes, accumIters }: Program, threads: number): number => Math.min(lanes.measured ? threads : Infinity, lanes.most, accumIters);

/** More lanes have to be worth this much time of a micro-batch: they cost memory. */
const WORTHWHILE = 0.95;

/**
 * The fewest lanes that are about as fast as any, of 1, 2, 4 … and `most`.
 * @param msOf milliseconds that a micro-batch takes with so many lanes
 */
export function fastestLanes(most: number, msOf: (lanes: number) => number): number {
  const counts = [1, 2, 4, 8, 16, 32].filter((count) => count < most).concat(most);
  let [lanes, best] = [0, Infinity];
  for (const count of counts) {
    const ms = msOf(count);
    if (ms < best * WORTHWHILE) [lanes, best] = [count, ms];
  }
  return lanes;
}

/** fastestLanes that measures once for a program: a trainer that is kept for its next attempt knows already. */
export function rememberLanes(): (program: Pick<Program, 'key'>, most: number, msOf: (lanes: number) => number) => number {
  const known = new Map<string, number>();
  return ({ key }, most, msOf) => {
    const program = `${most} ${key}`;
    const lanes = known.get(program) ?? fastestLanes(most, msOf);
    known.set(program, lanes);
    return lanes;
  };
}

/** Milliseconds of something that was run before: the first run warms up. */
export const timeOf = (run: () => number): number => Math.min(...[0, 1, 2].map(run).slice(1));
