// MF-Hartmann6 (https://github.com/automl/mf-prior-bench): a function of six numbers in [0, 1] that is flatter and noisier the less resource
// is spent on it, and the true Hartmann function at the full one. To be minimized.
import { deriveKey, keyOf, normalAt, uniformAt } from '../../lib/training/random.js';

const ALPHA = [1, 1.2, 3, 3.2];
const A = [
  [10, 3, 17, 3.5, 1.7, 8],
  [0.05, 10, 17, 0.1, 8, 14],
  [3, 3.5, 1.7, 10, 17, 8],
  [17, 8, 0.05, 10, 0.1, 14],
];
const P = [
  [1312, 1696, 5569, 124, 8283, 5886],
  [2329, 4135, 8307, 3736, 1004, 9991],
  [2348, 1451, 3522, 2883, 3047, 6650],
  [4047, 8828, 8732, 5743, 1091, 381],
];
export const HARTMANN6_MINIMUM = -3.32237;

export const MF_PRESETS = { default: { bias: 0.5, noise: 0.1 }, good: { bias: 2.5, noise: 2 } } as const;

/** @param s fidelity, from 0 to 1 @param z a standard normal number */
export function mfHartmann6(x: readonly number[], s: number, { bias, noise }: { bias: number; noise: number }, z: number): number {
  const terms = ALPHA.map((alpha, i) => {
    const distance = A[i]!.reduce((sum, a, j) => sum + a * (x[j]! - P[i]![j]! * 1e-4) ** 2, 0);
    return (alpha - bias * (1 - s)) * Math.exp(-distance);
  });
  return Math.abs(z) * noise * (1 - s) - terms.reduce((sum, term) => sum + term, 0);
}

/** The value of any point at a resource from 1 to `max`, with the noise of its trial. */
export function hartmannAt(seed: number, max: number, preset: { bias: number; noise: number }): (trial: number, x: readonly number[], resource: number) => number {
  const noise = keyOf(seed, 'noise');
  return (trial, x, resource) => mfHartmann6(x, Math.log(resource) / Math.log(max), preset, normalAt(deriveKey(noise, trial), resource));
}

/** Trials at random points: the value of each at a resource from 1 to `max`, the same whoever asks and in whatever order. */
export function randomHartmannTrials(seed: number, max: number, preset: { bias: number; noise: number }): (trial: number, resource: number) => number {
  const points = keyOf(seed, 'points');
  const valueAt = hartmannAt(seed, max, preset);
  return (trial, resource) => {
    const key = deriveKey(points, trial);
    return valueAt(trial, Array.from({ length: 6 }, (_, i) => uniformAt(key, i)), resource);
  };
}
