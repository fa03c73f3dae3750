// Whether a sweep's parameters make valid jobs, found out at submit: each value at the edge of a parameter is put into the job with
// the others in the middle, and all lowest and all highest ones together. What other combinations make is seen trial by trial.
import type { JobSpecInput } from '../contract/spec.js';
import type { Problem } from '../errors.js';
import { resolveSpec } from '../jobs/spec/resolve.js';
import { limitProblems } from '../jobs/spec/schema-problems.js';
import { joinPath, showValue } from '../jobs/spec/show-value.js';
import { canonicalJson } from '../training/canonical-json.js';
import type { Dimension, JsonValue, Params } from './dimension.js';
import { applyParams, inJob, type JobTemplate } from './paths.js';
import { priorCoordinate } from './samplers/prior.js';
import { paramsOf, sameValue, type Space } from './space.js';

/** So that a submit stays quick: with more choices than this leaves for each parameter, some in even steps. */
const JOBS_MAX = 400;
/** Far out in a tail, and not a round number between two bounds. */
const TAIL = 0.01;
const MIDDLE = 0.382;

/** What stands for any trial's parameters. */
export const middleParams = (space: Space): Params => paramsOf(space, (_name, dimension) => pickMiddle(dimension));

/** Every parameter in its turn at both ends, of choices at each of a few, with the others in the middle. Of a space without conditions. */
export function edgeParams({ dimensions, tails, ...space }: Space, most: number): { name: string; value: JsonValue; params: Params }[] {
  return [...dimensions].flatMap(([name, dimension]) =>
    edgesOf(dimension, tails.has(name), most).map((value) => ({ name, value, params: paramsOf({ dimensions, tails, ...space }, (each, its) => (each === name ? value : pickMiddle(its))) })),
  );
}

/** At most one problem a parameter, naming its value; those of the job itself have the field in `job`. */
export function edgeProblems(template: JobTemplate, space: Space, path = 'parameters'): Problem[] {
  const found = new Map<string, Problem>();
  const seen = new Set<string>();
  const refused = (params: Params): Problem[] => {
    const text = canonicalJson(params);
    if (seen.has(text)) return [];
    seen.add(text);
    return problemsOf(applyParams(template, params));
  };
  const report = (problem: Problem, params: Params, varied: string | null): void => {
    const owners = [...template.paths].filter(([name, keys]) => Object.hasOwn(params, name) && overlap(keys.join('.'), problem.param)).map(([name]) => name);
    // the deepest path says most
    const owner = varied !== null && owners.includes(varied) ? varied : (owners.sort((a, b) => (template.paths.get(b)?.length ?? 0) - (template.paths.get(a)?.length ?? 0))[0] ?? varied);
    const with_ = varied === null || varied === owner ? '' : ` (with ${varied} = ${showValue(params[varied])})`;
    const named = owner === null ? inJob(problem) : { ...problem, param: joinPath(path, owner), message: `as ${showValue(params[owner])} makes a job that is refused: ${problem.param} ${problem.message}${with_}` };
    if (!found.has(named.param)) found.set(named.param, named);
  };

  const base = middleParams(space);
  const always = refused(base);
  // what is wrong before any parameter is in the job, and still is
  const own = template.resolved === null ? problemsOf(template.job).filter((problem) => always.some(isSame(problem))) : [];
  if (own.length > 0) return limitProblems(own.map(inJob));
  for (const problem of always) report(problem, base, null);
  const isNew = (problem: Problem) => !always.some(isSame(problem));
  const most = Math.max(2, Math.floor(JOBS_MAX / space.dimensions.size));
  for (const [name, dimension] of space.dimensions) {
    const conditions = requirementsOf(space, name);
    if (conditions === null) continue;
    for (const value of edgesOf(dimension, space.tails.has(name), most)) {
      const params = paramsOf(space, (each, its) => (each === name ? value : (conditions.get(each)?.[0] ?? pickMiddle(its))));
      for (const problem of refused(params).filter(isNew)) report(problem, params, name);
    }
  }
  for (const end of [0, 1] as const) {
    const corner = paramsOf(space, (name, dimension) => endsOf(dimension, space.tails.has(name))[end]);
    for (const problem of refused(corner).filter(isNew)) report(problem, corner, null);
  }
  return limitProblems([...found.values()]);
}

function problemsOf(job: JobSpecInput): Problem[] {
  const resolution = resolveSpec(job);
  return 'problems' in resolution ? resolution.problems : [];
}
const isSame = (a: Problem) => (b: Problem) => a.param === b.param && a.message === b.message;
const overlap = (a: string, b: string): boolean => a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`);

function pickMiddle(dimension: Dimension): JsonValue {
  return dimension.kind === 'categorical' ? (dimension.choices[0] as JsonValue) : dimension.toValue(priorCoordinate(dimension, MIDDLE));
}

function endsOf(dimension: Dimension, hasTails: boolean): [JsonValue, JsonValue] {
  if (dimension.kind === 'categorical') return [dimension.choices[0] as JsonValue, dimension.choices.at(-1) as JsonValue];
  const { low, high } = hasTails ? { low: TAIL, high: 1 - TAIL } : dimension;
  return [dimension.toValue(low), dimension.toValue(high)];
}

function edgesOf(dimension: Dimension, hasTails: boolean, most: number): readonly JsonValue[] {
  if (dimension.kind === 'numeric') return [...endsOf(dimension, hasTails), pickMiddle(dimension)];
  const { choices } = dimension;
  if (choices.length <= most) return choices;
  return Array.from({ length: most }, (_, index) => choices[Math.round((index * (choices.length - 1)) / (most - 1))] as JsonValue);
}

/** The values that other parameters have to have for this one to be there; null: nothing makes it so. */
function requirementsOf(space: Space, name: string, required = new Map<string, readonly JsonValue[]>()): Map<string, readonly JsonValue[]> | null {
  for (const { parameter, values } of space.conditions.get(name) ?? []) {
    const before = required.get(parameter);
    const both = before === undefined ? values : values.filter((value) => before.some((each) => sameValue(each, value)));
    if (both.length === 0) return null;
    required.set(parameter, both);
    if (requirementsOf(space, parameter, required) === null) return null;
  }
  return required;
}
