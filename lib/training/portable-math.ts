// Cosine and power of float64 by additions, multiplications and divisions alone, whose results IEEE 754 fixes to the bit.
// Math.cos and Math.pow may differ in the last bit from one Node to the next, and with them a learning rate.

/** Taylor's terms up to here are below half a unit in the last place for |x| ≤ π/4. */
const COSINE_TERMS = 9;
/** ln 2 in two parts: the first has 32 bits, so that its product with a small integer is exact (as fdlibm has it). */
const LN2_HIGH = 6.93147180369123816490e-1;
const LN2_LOW = 1.90821492927058770002e-10;

/** cos(π·t), 0 ≤ t ≤ 1. Exactly 1, 0 and −1 at 0, ½ and 1. */
export function cosPi(t: number): number {
  if (t > 0.5) return -cosPi(1 - t);
  // cos(π·t) = sin(π·(½ − t)): the argument of either series stays below π/4
  return t > 0.25 ? series(Math.PI * (0.5 - t), 1) : series(Math.PI * t, 0);
}

/** Σ (−1)ⁿ x^(2n + first) / (2n + first)!: the cosine from 0, the sine from 1. */
function series(x: number, first: 0 | 1): number {
  let sum = 0;
  let term = first === 0 ? 1 : x;
  for (let n = 0; n <= COSINE_TERMS; n++) {
    sum += term;
    term *= -(x * x) / ((2 * n + first + 1) * (2 * n + first + 2));
  }
  return sum;
}

/** base^exponent, base > 0: relative error some 10⁻¹⁵ · |exponent · ln base|. 0 and Infinity where float64 ends. */
export function power(base: number, exponent: number): number {
  return exponential(exponent * logarithm(base));
}

function logarithm(x: number): number {
  let exponent = 0;
  for (; x > Math.SQRT2; x /= 2) exponent++;
  for (; x < Math.SQRT1_2; x *= 2) exponent--;
  // ln x = 2·artanh((x − 1)/(x + 1)), whose argument is below 0.18
  const ratio = (x - 1) / (x + 1);
  let sum = 0;
  for (let n = 25; n >= 1; n -= 2) sum = sum * ratio * ratio + 1 / n;
  return exponent * LN2_HIGH + (2 * ratio * sum + exponent * LN2_LOW);
}

function exponential(x: number): number {
  if (x < -746) return 0;
  if (x > 710) return Infinity;
  const doublings = Math.round(x / (LN2_HIGH + LN2_LOW));
  const rest = x - doublings * LN2_HIGH - doublings * LN2_LOW;
  let sum = 1;
  for (let n = 17; n >= 1; n--) sum = 1 + (sum * rest) / n;
  // in two steps: 2^doublings alone may be beyond float64
  const half = Math.trunc(doublings / 2);
  return sum * 2 ** half * 2 ** (doublings - half);
}
