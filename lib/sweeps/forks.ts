// What a fork may change: whatever leaves the state that it begins with as it is, the place in the training, and what comes after it.
import type { Problem } from '../errors.js';
import type { Admission } from '../jobs/admission.js';
import { joinPath, showValue } from '../jobs/spec/show-value.js';
import { expectedState } from '../model/slots.js';
import { canonicalJson } from '../training/canonical-json.js';
import { courseOf } from '../training/course.js';
import type { Params } from './dimension.js';
import { edgeParams } from './edges.js';
import type { Space } from './space.js';

/** Of choices so many are looked at. */
const CHOICES_MAX = 8;

/**
 * Parameters that make jobs which could not go on with each other's state: at most one problem each.
 * @param middle a trial with parameters in the middle
 * @param admit a trial's job; null where it is refused, which is somebody else's business
 */
export async function forkProblems(space: Space, middle: Admission, admit: (params: Params) => Promise<Admission | null>): Promise<Problem[]> {
  const kept = keptBy(middle);
  const found = new Map<string, Problem>();
  for (const { name, value, params } of edgeParams(space, CHOICES_MAX)) {
    if (found.has(name)) continue;
    const admitted = await admit(params);
    const here = admitted && keptBy(admitted);
    const differs = here && Object.keys(kept).find((part) => here[part] !== kept[part]);
    if (differs) found.set(name, { param: joinPath('parameters', name), message: `as ${showValue(value)} changes ${differs}, with which a fork goes on: with method pbt only what leaves it as it is, such as training.optimizer.lr` });
  }
  return [...found.values()];
}

/** Written out, by what it is called. */
function keptBy({ spec: { data, training }, checked }: Admission): Record<string, string> {
  const { batch_size, accum_iters, epochs, max_updates, tail, seed } = training;
  const parts = {
    'the data': data,
    'the place in the training': checked ? courseOf(training, checked.trainSamples) : { batch_size, accum_iters, epochs, max_updates, tail },
    'the random numbers': seed,
    'the state': checked && [...expectedState(checked.plan, training, true)].map(([name, { dtype, shape }]) => [name, dtype, shape]),
  };
  return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, canonicalJson(part)]));
}
