// Durations as a user writes them: seconds, or a number with a unit.
const UNIT_SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
/** 100 years: longer is a mistake, and far below what a timer or a date can hold. */
export const MAX_SECONDS = 100 * 365 * 86_400;

/** `90`, `"90s"` and `"1.5m"` are 90. A text has the form of the contract's pattern. */
export function toSeconds(duration: number | string): number {
  if (typeof duration === 'number') return duration;
  return Number(duration.slice(0, -1)) * UNIT_SECONDS[duration.slice(-1) as keyof typeof UNIT_SECONDS];
}
