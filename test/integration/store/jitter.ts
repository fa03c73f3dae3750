// Small numbers that differ from call to call and are the same in every run.

/** Integers in [0, below), from a linear congruential generator (Numerical Recipes' constants). */
export function makeJitter(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
