// What a sampler is told of the trials so far, and which of them it takes for good ones. Lower values are better; who maximises
// turns the sign first. Pure.
import type { Params } from '../dimension.js';

export interface PastTrial {
  number: number;
  params: Params;
  /** `running`: also a trial that waits or is paused, once it has parameters. */
  state: 'complete' | 'pruned' | 'running' | 'failed';
  /** Of a complete trial. */
  value: number | null;
  /** What was reported on the way. */
  steps: readonly { step: number; value: number }[];
}

/** Good and other trials, each in the order of their numbers. */
export interface Split {
  below: PastTrial[];
  above: PastTrial[];
  /** The best value of a complete trial that is not among the good ones; Infinity if there is none. */
  threshold: number;
}

export const isFinished = ({ state }: PastTrial): boolean => state === 'complete' || state === 'pruned';

const finiteOr = (value: number | null | undefined): number => (value !== null && value !== undefined && Number.isFinite(value) ? value : Infinity);

/** With the greatest step; of several, the one reported last. */
export function lastStep({ steps }: PastTrial): { step: number; value: number } | null {
  let last: { step: number; value: number } | null = null;
  for (const each of steps) if (last === null || each.step >= last.step) last = each;
  return last;
}

/** The value of a complete trial, the last of a pruned one; Infinity for what is not a finite number. */
export function scoreOf(trial: PastTrial): number {
  return finiteOr(trial.state === 'complete' ? trial.value : lastStep(trial)?.value);
}

/** Complete before pruned, complete by value, pruned by how far they came and then by their last value; a trial without any report last. */
function rankOf(trial: PastTrial): readonly [number, number, number] {
  if (trial.state === 'complete') return [0, 0, scoreOf(trial)];
  const last = lastStep(trial);
  return last === null ? [1, 1, 0] : [1, -last.step, scoreOf(trial)];
}

/**
 * The best `good` of the finished trials against the rest and all that run. A value that is no finite number is never good, whatever else
 * there is.
 */
export function splitTrials(trials: readonly PastTrial[], good: number): Split {
  const ranked = trials
    .filter(isFinished)
    .map((trial) => ({ trial, rank: rankOf(trial) }))
    .sort(({ rank: a, trial: one }, { rank: b, trial: other }) => a[0] - b[0] || a[1] - b[1] || (a[2] === b[2] ? one.number - other.number : a[2] - b[2]));
  const chosen = new Set<PastTrial>();
  for (const { trial, rank } of ranked) if (chosen.size < good && rank[2] !== Infinity) chosen.add(trial);
  const byNumber = trials.filter(({ state }) => state !== 'failed').sort((a, b) => a.number - b.number);
  const above = byNumber.filter((trial) => !chosen.has(trial));
  return {
    below: byNumber.filter((trial) => chosen.has(trial)),
    above,
    threshold: above.reduce((least, trial) => (trial.state === 'complete' ? Math.min(least, scoreOf(trial)) : least), Infinity),
  };
}
