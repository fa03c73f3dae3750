// The normal distribution cut to an interval: the mass of a part of it, and draws. Pure.
import erfcx from '@stdlib/math-base-special-erfcx';
import { type Key, normalAt } from '../../training/random.js';

export const LOG_SQRT_2_PI = 0.5 * Math.log(2 * Math.PI);
/** Up to this width, and this change of ln φ over it, a series is as exact as the difference of two tails, cheaper, and loses nothing to rounding. */
const NARROW = 0.25;
const FLAT = 0.5;

/** ln of what the standard normal has between a and b, a < b; to some ten digits also far out, where the mass itself is no float64. */
export function logMass(a: number, b: number): number {
  const width = b - a;
  const middle = 0.5 * (a + b);
  if (width <= NARROW && Math.abs(middle) * width <= FLAT) return logSlice(middle, width);
  if (a > 0) return logTail(a, b);
  if (b < 0) return logTail(-b, -a);
  return Math.log(0.5 * (erf(b * Math.SQRT1_2) + erf(-a * Math.SQRT1_2)));
}

/** Taylor's series of φ around the middle, integrated: its even derivatives are Hermite polynomials times φ. */
function logSlice(middle: number, width: number): number {
  const square = middle * middle;
  const h = width * width;
  const second = square - 1;
  const fourth = (square - 6) * square + 3;
  const sixth = ((square - 15) * square + 45) * square - 15;
  return -0.5 * square - LOG_SQRT_2_PI + Math.log(width * (1 + h * (second / 24 + h * (fourth / 1_920 + (h * sixth) / 322_560))));
}

/** 0 < a < b: with φ(a) taken out, nothing underflows. */
function logTail(a: number, b: number): number {
  const ratio = Math.exp(0.5 * (a - b) * (a + b));
  return -0.5 * a * a + Math.log(0.5 * (erfcx(a * Math.SQRT1_2) - (ratio < Number.EPSILON / 8 ? 0 : ratio * erfcx(b * Math.SQRT1_2))));
}

/** x ≥ 0. To 10⁻¹⁶, not relatively: enough for sums over more than NARROW. */
const erf = (x: number): number => 1 - Math.exp(-x * x) * erfcx(x);

/**
 * From the normal distribution around `mean`, cut to [low, high]. Rejection: with the mean inside and a deviation of at most the interval's
 * length, one draw in three at least lies within.
 */
export function drawTruncatedNormal(key: Key, mean: number, deviation: number, low: number, high: number): number {
  for (let attempt = 0; ; attempt++) {
    const x = mean + deviation * normalAt(key, attempt);
    if (x >= low && x <= high) return x;
  }
}
