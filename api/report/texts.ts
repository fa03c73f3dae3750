// Numbers, times and values as the page writes them.

const FIGURES = 6;

/** Numbers short, strings as they are, anything else as JSON. */
export function valueText(value: unknown): string {
  if (typeof value === 'number') return String(Number(value.toPrecision(FIGURES)));
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Such as `45 s`, `3 min 20 s`, `5 h 2 min`, `2 d 3 h`. */
export function span(seconds: number): string {
  if (seconds < 60) return `${Number(seconds.toPrecision(3))} s`;
  const whole = Math.round(seconds);
  const [large, small, each, perLarge] = whole < 3_600 ? ['min', 's', 1, 60] as const : whole < 86_400 ? ['h', 'min', 60, 60] as const : ['d', 'h', 3_600, 24] as const;
  const count = Math.floor(whole / each);
  return `${Math.floor(count / perLarge)} ${large}${count % perLarge === 0 ? '' : ` ${count % perLarge} ${small}`}`;
}

/** Such as `2026-01-31 12:00:05 UTC`. */
export const timeText = (iso: string): string => `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
