// A sweep's parameters as one space: groups become dotted names, every parameter a dimension, and conditions say which of them a
// trial has. What is wrong with a parameter is found here or in distributions.ts; what it does to a job, in edges.ts.
import type { ParameterInput } from '../contract/sweep.js';
import type { Problem } from '../errors.js';
import { joinPath, showValue } from '../jobs/spec/show-value.js';
import { canonicalJson } from '../training/canonical-json.js';
import type { Dimension, JsonValue, Params } from './dimension.js';
import { parseDistribution } from './distributions.js';

/** Holds if the other parameter is there and has one of the values. */
export interface Condition {
  parameter: string;
  values: readonly JsonValue[];
}

export interface Space {
  /** By name, in the order of the spec, but each after those that its conditions name. */
  dimensions: ReadonlyMap<string, Dimension>;
  /** Of those that not every trial has: all of them have to hold. */
  conditions: ReadonlyMap<string, readonly Condition[]>;
  /** Those whose coordinate is a quantile: the ends of the dimension are as good as never drawn. */
  tails: ReadonlySet<string>;
}

interface Parameter {
  config: ParameterInput;
  path: string;
  conditions: { condition: Condition; path: string }[];
}

/** `parameters` is valid against the contract's schema. Warnings name what is allowed, and surely not what was meant. */
export function parseSpace(parameters: Readonly<Record<string, ParameterInput>>, path = 'parameters'): { space: Space; warnings: Problem[] } | { problems: Problem[] } {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const flat = flatten(parameters, path, '', [], problems);
  const dimensions = new Map<string, Dimension>();
  const tails = new Set<string>();
  for (const [name, { config, path: at }] of flat) {
    const { when: _, ...distribution } = config;
    const parsed = parseDistribution(distribution, at);
    if ('problems' in parsed) {
      problems.push(...parsed.problems);
      continue;
    }
    dimensions.set(name, parsed.dimension);
    warnings.push(...parsed.warnings);
    if (parsed.hasTails) tails.add(name);
  }
  for (const each of flat.values()) problems.push(...problemsOfConditions(each, flat, dimensions));
  const order = inOrder(flat, problems);
  if (problems.length > 0) return { problems };
  const conditions = new Map([...flat].filter(([, each]) => each.conditions.length > 0).map(([name, each]) => [name, each.conditions.map(({ condition }) => condition)]));
  return { space: { dimensions: new Map(order.map((name) => [name, dimensions.get(name) as Dimension])), conditions, tails }, warnings };
}

/** Groups resolved into dotted names; what a group's `when` says holds for all in it. */
function flatten(parameters: Readonly<Record<string, ParameterInput>>, path: string, prefix: string, outer: Parameter['conditions'], problems: Problem[], flat = new Map<string, Parameter>()): Map<string, Parameter> {
  for (const [key, config] of Object.entries(parameters)) {
    const at = joinPath(path, key);
    const name = `${prefix}${key}`;
    const own = Object.entries(config.when ?? {}).map(([parameter, values]) => ({ condition: { parameter, values: values as JsonValue[] }, path: joinPath(joinPath(at, 'when'), parameter) }));
    const conditions = [...outer, ...own];
    if (config.parameters !== undefined) {
      const others = Object.keys(config).filter((each) => each !== 'parameters' && each !== 'when');
      problems.push(...others.map((other) => ({ param: joinPath(at, other), message: 'is not a key of a group; its keys: parameters, when' })));
      flatten(config.parameters, joinPath(at, 'parameters'), `${name}.`, conditions, problems, flat);
    } else if (flat.has(name)) {
      problems.push({ param: at, message: `is there already: ${showValue(name)} is given twice` });
    } else {
      flat.set(name, { config, path: at, conditions });
    }
  }
  return flat;
}

function problemsOfConditions({ conditions }: Parameter, flat: ReadonlyMap<string, Parameter>, dimensions: ReadonlyMap<string, Dimension>): Problem[] {
  return conditions.flatMap(({ condition: { parameter, values }, path }) => {
    if (!flat.has(parameter)) return [{ param: path, message: `must name another parameter by its whole name: one of ${listed([...flat.keys()])}` }];
    const dimension = dimensions.get(parameter);
    if (dimension === undefined) return [];
    if (dimension.kind === 'numeric' && dimension.step === null) return [{ param: path, message: 'must name a parameter with choices or steps: another one as good as never has a certain value' }];
    return values.flatMap((value, index) => (contains(dimension, value) ? [] : [{ param: `${path}.${index}`, message: `must be a value that ${parameter} can have, ${describeDimension(dimension)}, got ${showValue(value)}` }]));
  });
}

/** Names such that each comes after those that it depends on, otherwise as they were given. */
function inOrder(flat: ReadonlyMap<string, Parameter>, problems: Problem[]): string[] {
  const done = new Set<string>();
  const visit = (name: string, above: readonly string[]): void => {
    if (done.has(name)) return;
    const from = above.indexOf(name);
    if (from >= 0) {
      problems.push({ param: flat.get(name)?.path ?? '', message: `depends on itself: ${[...above.slice(from), name].join(' → ')}` });
      return;
    }
    for (const { condition } of flat.get(name)?.conditions ?? []) visit(condition.parameter, [...above, name]);
    if (flat.has(name)) done.add(name);
  };
  for (const name of flat.keys()) visit(name, []);
  return [...done];
}

/** Whether a trial with these values, of the parameters before it at least, has this one. */
export function isActive(space: Space, name: string, params: Params): boolean {
  return (space.conditions.get(name) ?? []).every(({ parameter, values }) => Object.hasOwn(params, parameter) && values.some((value) => sameValue(value, params[parameter] as JsonValue)));
}

/** A trial's parameters: those that it has, each as `pick` says, which sees the ones before. */
export function paramsOf(space: Space, pick: (name: string, dimension: Dimension) => JsonValue): Params {
  const params: [string, JsonValue][] = [];
  for (const [name, dimension] of space.dimensions) {
    if (!space.conditions.has(name) || isActive(space, name, Object.fromEntries(params))) params.push([name, pick(name, dimension)]);
  }
  return Object.fromEntries(params);
}

export const sameValue = (a: JsonValue, b: JsonValue): boolean => a === b || (typeof a === 'object' && typeof b === 'object' && canonicalJson(a) === canonicalJson(b));

/** Whether a trial can have this value; close ones count for numbers with steps or quantiles, whose values are computed. */
export function contains(dimension: Dimension, value: JsonValue): boolean {
  if (dimension.kind === 'categorical') return dimension.choices.some((choice) => sameValue(choice, value));
  if (typeof value !== 'number' || !Number.isFinite(value)) return false;
  if (dimension.step !== null) return Math.abs(dimension.toValue(dimension.toCoordinate(value)) - value) <= 1e-9 * dimension.step;
  return value >= dimension.toValue(dimension.low) && value <= dimension.toValue(dimension.high);
}

/** What is wrong with values from outside, such as a warm start's points; a part of the parameters will do. */
export function problemsOfParams(space: Space, params: Readonly<Record<string, unknown>>, path: string): Problem[] {
  return Object.entries(params).flatMap(([name, value]) => {
    const dimension = space.dimensions.get(name);
    if (dimension === undefined) return [{ param: joinPath(path, name), message: `is not a parameter of this sweep; its parameters: ${listed([...space.dimensions.keys()])}` }];
    return contains(dimension, value as JsonValue) ? [] : [{ param: joinPath(path, name), message: `must be ${describeDimension(dimension)}, got ${showValue(value)}` }];
  });
}

/** Such as `one of 8, 16, 32`, `a number from 0 to 1`. */
function describeDimension(dimension: Dimension): string {
  if (dimension.kind === 'categorical') return `one of ${listed(dimension.choices.map(showValue))}`;
  const [low, high] = [dimension.toValue(dimension.low), dimension.toValue(dimension.high)];
  return `a number from ${low} to ${high}${dimension.step === null ? '' : ` in steps of ${dimension.step}`}`;
}

const LISTED_MAX = 12;
const listed = (texts: readonly string[]): string => (texts.length <= LISTED_MAX ? texts : [...texts.slice(0, LISTED_MAX), `${texts.length - LISTED_MAX} more`]).join(', ');
