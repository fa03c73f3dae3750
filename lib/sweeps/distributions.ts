// The distributions of Weights & Biases (https://docs.wandb.ai/models/sweeps/sweep-config-keys): which keys each has, and the
// dimension that it makes. Two rules are our own, and both keep values within min and max: values of the q_ distributions are
// multiples of q that lie between them, all alike (there, roundings, half a step outside too, and half as often at the ends); and
// ends are included, of a grid too.
import betaCdf from '@stdlib/stats-base-dists-beta-cdf';
import betaQuantile from '@stdlib/stats-base-dists-beta-quantile';
import normalCdf from '@stdlib/stats-base-dists-normal-cdf';
import normalQuantile from '@stdlib/stats-base-dists-normal-quantile';
import type { Distribution, ParameterInput } from '../contract/sweep.js';
import type { Problem } from '../errors.js';
import { joinPath, showValue } from '../jobs/spec/show-value.js';
import { canonicalJson } from '../training/canonical-json.js';
import type { CategoricalDimension, Dimension, JsonValue, NumericDimension } from './dimension.js';

type Key = Exclude<keyof ParameterInput, 'distribution' | 'parameters' | 'when'>;
/** A parameter without its conditions. */
export type DistributionInput = Pick<ParameterInput, Key | 'distribution'>;
type Numbers = Record<'min' | 'max' | 'q' | 'mu' | 'sigma' | 'a' | 'b', number>;

const bounds = { needs: ['min', 'max'], takes: [] } as const;
const steppedBounds = { needs: ['min', 'max'], takes: ['q'] } as const;
const KEYS: Record<Distribution, { needs: readonly Key[]; takes: readonly Key[] }> = {
  constant: { needs: ['value'], takes: [] },
  categorical: { needs: ['values'], takes: [] },
  categorical_w_probabilities: { needs: ['values', 'probabilities'], takes: [] },
  int_uniform: bounds,
  uniform: bounds,
  q_uniform: steppedBounds,
  log_uniform: bounds,
  log_uniform_values: bounds,
  q_log_uniform: steppedBounds,
  q_log_uniform_values: steppedBounds,
  inv_log_uniform: bounds,
  inv_log_uniform_values: bounds,
  normal: { needs: [], takes: ['mu', 'sigma'] },
  q_normal: { needs: [], takes: ['mu', 'sigma', 'q'] },
  log_normal: { needs: [], takes: ['mu', 'sigma'] },
  q_log_normal: { needs: [], takes: ['mu', 'sigma', 'q'] },
  beta: { needs: [], takes: ['a', 'b'] },
  q_beta: { needs: [], takes: ['a', 'b', 'q'] },
};
const DEFAULTS = { q: 1, mu: 0, sigma: 1, a: 1, b: 1 };

export interface ParsedDistribution {
  dimension: Dimension;
  /** Its ends are as good as never drawn: the coordinate is a quantile. */
  hasTails: boolean;
  warnings: Problem[];
}

/** What a parameter means; `config` is valid against the contract's schema, `path` is where it stands. */
export function parseDistribution(config: DistributionInput, path: string): ParsedDistribution | { problems: Problem[] } {
  const given = (Object.keys(config) as (keyof DistributionInput)[]).filter((key): key is Key => key !== 'distribution');
  const distribution = config.distribution ?? infer(config);
  if (distribution === null) return { problems: [{ param: path, message: `needs a value, values, min and max, or a distribution, got ${showValue(config)}` }] };

  const { needs, takes } = KEYS[distribution];
  const problems = [
    ...needs.filter((key) => config[key] === undefined).map((key) => ({ param: joinPath(path, key), message: `is required of ${distribution}` })),
    ...given.filter((key) => ![...needs, ...takes].includes(key)).map((key) => ({ param: joinPath(path, key), message: `is not a key of ${distribution}; its keys: ${[...needs, ...takes].join(', ')}` })),
  ];
  if (needs.includes('min')) problems.push(...problemsOfBounds(distribution, config, path));
  if (problems.length > 0) return { problems };
  const warnings = lint(distribution, config, path);
  const made = dimensionOf(distribution, config, path, warnings);
  return 'problem' in made ? { problems: [made.problem] } : { dimension: made, hasTails: needs.length === 0, warnings };
}

/** By Weights & Biases's rules. */
function infer(config: DistributionInput): Distribution | null {
  if ('value' in config) return 'constant';
  if (config.values !== undefined) return config.probabilities === undefined ? 'categorical' : 'categorical_w_probabilities';
  if (config.min === undefined && config.max === undefined) return null;
  return [config.min, config.max].every((bound) => bound === undefined || Number.isInteger(bound)) ? 'int_uniform' : 'uniform';
}

function problemsOfBounds(distribution: Distribution, { min, max }: DistributionInput, path: string): Problem[] {
  if (min === undefined || max === undefined) return [];
  const mustBe = (key: 'min' | 'max', what: string, value: number) => ({ param: joinPath(path, key), message: `must be ${what}, got ${showValue(value)}` });
  if (distribution === 'int_uniform') {
    const wrong = (['min', 'max'] as const).filter((key) => !Number.isSafeInteger(key === 'min' ? min : max));
    if (wrong.length > 0) return wrong.map((key) => mustBe(key, `an integer from −2⁵³ to 2⁵³ (for real numbers say "distribution": "uniform")`, key === 'min' ? min : max));
  }
  if (min >= max) return [mustBe('max', `above min, ${min} (for one value say "value")`, max)];
  if (distribution.endsWith('_values') && min <= 0) return [mustBe('min', `above 0 for ${distribution}`, min)];
  if (takesExponents(distribution)) {
    const [low, high] = distribution === 'inv_log_uniform' ? [Math.exp(-max), Math.exp(-min)] : [Math.exp(min), Math.exp(max)];
    if (low === 0 || high === Infinity) return [{ param: path, message: `has exponents of e as min and max: from ${low} to ${high} is not a range of numbers (for the values themselves say "distribution": "${distribution}_values")` }];
  }
  return [];
}

const takesExponents = (distribution: Distribution): boolean => distribution === 'log_uniform' || distribution === 'q_log_uniform' || distribution === 'inv_log_uniform';

/** What is allowed, and surely not what was meant. */
function lint(distribution: Distribution, config: DistributionInput, path: string): Problem[] {
  const { min = 0, max = 0 } = config;
  if ((distribution === 'log_uniform' || distribution === 'q_log_uniform') && min > 0 && max > 0) {
    return [{ param: path, message: `has exponents of e as min and max: its values go from ${short(Math.exp(min))} to ${short(Math.exp(max))}; for values from ${min} to ${max} say "distribution": "${distribution}_values"` }];
  }
  if (config.distribution === undefined && distribution === 'int_uniform' && min === 0 && max === 1) {
    return [{ param: path, message: 'is either 0 or 1, because min and max are integers; for the numbers between say "distribution": "uniform"' }];
  }
  return [];
}
const short = (value: number): number => Number(value.toPrecision(4));

function dimensionOf(distribution: Distribution, config: DistributionInput, path: string, warnings: Problem[]): Dimension | { problem: Problem } {
  const { min, max, q, mu, sigma, a, b } = { ...DEFAULTS, min: 0, max: 0, ...config } as Numbers;
  const normal = { inverse: (p: number) => normalQuantile(p, mu, sigma), cdf: (value: number) => normalCdf(value, mu, sigma) };
  const logNormal = { inverse: (p: number) => Math.exp(normal.inverse(p)), cdf: (value: number) => (value <= 0 ? 0 : normal.cdf(Math.log(value))) };
  const beta = { inverse: (p: number) => betaQuantile(p, a, b), cdf: (value: number) => betaCdf(value, a, b) };
  switch (distribution) {
    case 'constant':
      return { kind: 'categorical', choices: [config.value as JsonValue], probabilities: null };
    case 'categorical':
    case 'categorical_w_probabilities':
      return choices(config, path, warnings);
    case 'int_uniform':
      return lattice(min, max, 1, false, path);
    case 'uniform':
      return interval(min, max, false);
    case 'q_uniform':
      return lattice(min, max, q, false, path);
    case 'log_uniform':
      return interval(Math.exp(min), Math.exp(max), true);
    case 'q_log_uniform':
      return lattice(Math.exp(min), Math.exp(max), q, true, path);
    // where ln(1/x) is uniform, so is ln x
    case 'inv_log_uniform':
      return interval(Math.exp(-max), Math.exp(-min), true);
    case 'log_uniform_values':
    case 'inv_log_uniform_values':
      return interval(min, max, true);
    case 'q_log_uniform_values':
      return lattice(min, max, q, true, path);
    case 'normal':
    case 'q_normal':
      return quantiles(normal, distribution === 'normal' ? null : q, path);
    case 'log_normal':
    case 'q_log_normal':
      return quantiles(logNormal, distribution === 'log_normal' ? null : q, path);
    case 'beta':
    case 'q_beta':
      return quantiles(beta, distribution === 'beta' ? null : q, path);
  }
}

/** Equal choices become one, with the sum of their probabilities. */
function choices({ values = [], probabilities }: DistributionInput, path: string, warnings: Problem[]): CategoricalDimension | { problem: Problem } {
  if (probabilities !== undefined && probabilities.length !== values.length) return { problem: { param: joinPath(path, 'probabilities'), message: `must be as many as values, ${values.length}, got ${probabilities.length}` } };
  const sum = probabilities?.reduce((total, each) => total + each, 0) ?? 1;
  if (Math.abs(sum - 1) > 1e-6) return { problem: { param: joinPath(path, 'probabilities'), message: `must sum to 1, got ${short(sum)}` } };
  const merged = new Map<string, { choice: JsonValue; probability: number }>();
  for (const [index, choice] of (values as JsonValue[]).entries()) {
    const text = canonicalJson(choice);
    const probability = (probabilities?.[index] ?? 0) / sum;
    const known = merged.get(text);
    if (known !== undefined) warnings.push({ param: `${joinPath(path, 'values')}.${index}`, message: `is there already: ${showValue(choice)} is one choice` });
    merged.set(text, { choice, probability: probability + (known?.probability ?? 0) });
  }
  const each = [...merged.values()];
  return { kind: 'categorical', choices: each.map(({ choice }) => choice), probabilities: probabilities === undefined ? null : each.map(({ probability }) => probability) };
}

const clip = (x: number, low: number, high: number): number => Math.min(high, Math.max(low, x));

/** The coordinate is the value. */
function interval(low: number, high: number, log: boolean): NumericDimension {
  const inside = (x: number) => clip(x, low, high);
  return { kind: 'numeric', low, high, log, step: null, toValue: inside, toCoordinate: inside };
}

/** The multiples of q from min to max. */
function lattice(min: number, max: number, q: number, log: boolean, path: string): NumericDimension | { problem: Problem } {
  const first = Math.max(log ? 1 : -Infinity, stepsTo(min, q, Math.ceil));
  const last = stepsTo(max, q, Math.floor);
  if (first > last) return { problem: { param: joinPath(path, 'q'), message: `must have a multiple between ${short(min)} and ${short(max)}, got ${q}` } };
  if (![first, last].every(Number.isSafeInteger)) return { problem: { param: joinPath(path, 'q'), message: `must not divide ${short(min)} … ${short(max)} into more than 2⁵³ steps, got ${q}` } };
  const nearest = (x: number) => multiple(clip(Math.round(x / q), first, last), q);
  return { kind: 'numeric', low: multiple(first, q), high: multiple(last, q), log, step: q, toValue: nearest, toCoordinate: nearest };
}

/** How many q a bound is; rounded only where it is not a multiple (0.3 / 0.1 is 2.9999999999999996). */
function stepsTo(bound: number, q: number, round: (steps: number) => number): number {
  const nearest = Math.round(bound / q);
  return Math.abs(nearest * q - bound) <= 1e-13 * Math.abs(bound) ? nearest : round(bound / q);
}

/** k · q, without what the product adds to the decimals of q; never −0. */
const multiple = (k: number, q: number): number => (Number.isInteger(q) ? k * q : Number((k * q).toPrecision(15))) || 0;

/** Quantiles 0 and 1 of a distribution with tails are infinite; these are the last ones before them. */
const OUTERMOST = 2 ** -53;

/** The coordinate is the quantile; with q, that of the middle of what is rounded to a value. */
function quantiles({ inverse, cdf }: { inverse: (p: number) => number; cdf: (value: number) => number }, q: number | null, path: string): NumericDimension | { problem: Problem } {
  const onStep = (x: number) => (q === null ? x : multiple(Math.round(x / q), q));
  const toValue = (p: number) => onStep(inverse(clip(p, OUTERMOST, 1 - OUTERMOST)));
  const toCoordinate = (value: number) => clip(q === null ? cdf(value) : (cdf(value - q / 2) + cdf(value + q / 2)) / 2, 0, 1);
  if (![0, 0.5, 1].map(toValue).every(Number.isFinite)) return { problem: { param: path, message: `must have finite numbers, got values from ${toValue(0)} to ${toValue(1)}` } };
  const [low, high] = [toValue(0), toValue(1)];
  return { kind: 'numeric', low: 0, high: 1, log: false, step: null, toValue, toCoordinate, values: { low, high, step: q, nearest: (x) => onStep(clip(x, low, high)) } };
}
