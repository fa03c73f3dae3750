// Which dimensions are looked at together: those that the same trials have. Pure.
import type { PastTrial } from './past-trials.js';

/**
 * The names that every finished trial has are one subspace; every other name is one of its own.
 * @param has whether a trial has a usable value of a name
 */
export function commonSubspace(names: readonly string[], finished: readonly PastTrial[], has: (trial: PastTrial, name: string) => boolean): string[][] {
  const common = names.filter((name) => finished.every((trial) => has(trial, name)));
  return [...(common.length > 0 ? [common] : []), ...names.filter((name) => !common.includes(name)).map((name) => [name])];
}

/** The coarsest partition in which every subspace is wholly in a finished trial or wholly out of it. Names that no trial has are alone. */
export function groupSubspaces(names: readonly string[], finished: readonly PastTrial[], has: (trial: PastTrial, name: string) => boolean): string[][] {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const pattern = finished.map((trial) => (has(trial, name) ? '1' : '0')).join('');
    const key = pattern.includes('1') ? pattern : `alone: ${name}`;
    const group = groups.get(key);
    if (group) group.push(name);
    else groups.set(key, [name]);
  }
  return [...groups.values()];
}
