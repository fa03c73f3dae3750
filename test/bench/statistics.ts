// The arithmetic of the benchmarks: medians, spreads, ratios of pairs, and whether a goal is met. Pure.

/** Least, middle and greatest of what was measured: nothing is thrown away. */
export interface Spread {
  min: number;
  median: number;
  max: number;
}

export function median(values: readonly number[]): number {
  const sorted = ascending(values);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Nearest rank: the least value that at least the share `p` of all values does not exceed. */
export function quantile(values: readonly number[], p: number): number {
  const sorted = ascending(values);
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)]!;
}

export function spread(values: readonly number[]): Spread {
  const sorted = ascending(values);
  return { min: sorted[0]!, median: median(sorted), max: sorted.at(-1)! };
}

/** Pair by pair, in the order in which they were measured: neighbours in time shared the machine's mood. */
export function ratios(ours: readonly number[], theirs: readonly number[]): number[] {
  if (ours.length !== theirs.length) throw new Error(`${ours.length} measurements cannot be paired with ${theirs.length}`);
  return ours.map((value, index) => value / theirs[index]!);
}

export interface Mean {
  mean: number;
  /** The standard error of it: 0 of a single value. */
  error: number;
}

export function meanOf(values: readonly number[]): Mean {
  const mean = ascending(values).reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, error: Math.sqrt(squares / Math.max(1, values.length - 1) / values.length) };
}

/** By how many standard errors of their difference one mean is above the other. */
export function standardErrorsAbove(ours: Mean, theirs: Mean): number {
  const difference = ours.mean - theirs.mean;
  return difference === 0 ? 0 : difference / Math.hypot(ours.error, theirs.error);
}

/** What the median has to be. */
export type Goal = { atLeast: number } | { atMost: number } | { below: number };

export function isMet(goal: Goal, value: number): boolean {
  if ('atLeast' in goal) return value >= goal.atLeast;
  return 'atMost' in goal ? value <= goal.atMost : value < goal.below;
}

export function showGoal(goal: Goal, unit = ''): string {
  const [sign, value] = 'atLeast' in goal ? ['≥', goal.atLeast] : 'atMost' in goal ? ['≤', goal.atMost] : ['<', goal.below];
  return `${sign} ${value}${unit === '' ? '' : ` ${unit}`}`;
}

function ascending(values: readonly number[]): number[] {
  if (values.length === 0 || !values.every(Number.isFinite)) throw new Error(`no statistics of [${values.join(', ')}]`);
  return values.toSorted((a, b) => a - b);
}
