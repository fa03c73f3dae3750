// Random search: every value is a function of the seed, the trial's number and the parameter's name, so trials may be drawn in any
// order, and a parameter more or less leaves the others as they are.
import { keyOf } from '../../training/random.js';
import type { Params } from '../dimension.js';
import { paramsOf, type Space } from '../space.js';
import { openUniformAt, priorValue } from './prior.js';

/** `draw` tells apart what is drawn for one trial again and again, as where a combination made no valid job. */
export function randomParams(space: Space, seed: number, trial: number, draw = 0): Params {
  return paramsOf(space, (name, dimension) => priorValue(dimension, openUniformAt(keyOf(seed, `sweep/random/${name}`, trial), draw)));
}
