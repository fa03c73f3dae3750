// Where in a job a sweep's parameters go: a name is a path into the job spec, or the end of exactly one path of the template, which
// is looked at as it was sent and as it resolves, so that fields that only have their default can be named too.
import type { JobSpec, JobSpecInput } from '../contract/spec.js';
import { JobSpecSchema } from '../contract/spec.js';
import type { Problem } from '../errors.js';
import { resolveSpec } from '../jobs/spec/resolve.js';
import { joinPath } from '../jobs/spec/show-value.js';
import type { JsonValue, Params } from './dimension.js';

/** A job spec with places for parameters. */
export interface JobTemplate {
  job: JobSpecInput;
  /** null: it is no valid job before the parameters are in it. */
  resolved: JobSpec | null;
  /** By the parameter's name. */
  paths: ReadonlyMap<string, readonly string[]>;
}

/** `path` is where the parameters stand in the sweep's spec. */
export function bindTemplate(job: JobSpecInput, names: Iterable<string>, path = 'parameters'): { template: JobTemplate } | { problems: Problem[] } {
  const resolution = resolveSpec(job);
  const resolved = 'spec' in resolution ? resolution.spec : null;
  const known = new Set([...pathsIn(job), ...pathsIn(resolved)]);
  const problems: Problem[] = [];
  const paths = new Map<string, readonly string[]>();
  const owners = new Map<string, string>();
  for (const name of names) {
    const found = find(name, known);
    if ('problem' in found) {
      problems.push({ param: joinPath(path, name), message: found.problem });
      continue;
    }
    const owner = owners.get(found.path);
    if (owner !== undefined) problems.push({ param: joinPath(path, name), message: `means ${found.path}, and so does ${owner}` });
    owners.set(found.path, name);
    const keys = found.path.split('.');
    const missing = missingElement(keys, job, resolved);
    if (missing !== null) problems.push({ param: joinPath(path, name), message: missing });
    paths.set(name, keys);
  }
  if (problems.length === 0) return { template: { job, resolved, paths } };
  const own = 'problems' in resolution ? resolution.problems.filter(({ param }) => ![...paths.values()].some((keys) => param === keys.join('.'))) : [];
  return { problems: own.length > 0 ? own.map(inJob) : problems };
}

/** A problem of the template itself. */
export const inJob = (problem: Problem): Problem => ({ ...problem, param: problem.param === '' ? 'job' : `job.${problem.param}` });

/** A trial's job: the template with the parameters in it. It need not be valid. */
export function applyParams({ job, resolved, paths }: JobTemplate, params: Params): JobSpecInput {
  const given = Object.entries(params).map(([name, value]) => ({ keys: paths.get(name) ?? name.split('.'), value }));
  // what is inside of another value is put into it
  return given.sort((a, b) => a.keys.length - b.keys.length).reduce<unknown>((spec, { keys, value }) => put(spec, keys, value, resolved), job) as JobSpecInput;
}

const TOP = Object.keys((JobSpecSchema as unknown as { properties: object }).properties);

function find(name: string, known: ReadonlySet<string>): { path: string } | { problem: string } {
  if (known.has(name)) return { path: name };
  const dot = name.indexOf('.');
  // what a trial's job makes of a path that the template does not have is seen there
  if (dot > 0 && TOP.includes(name.slice(0, dot))) return { path: name };
  const ends = [...known].filter((path) => path.endsWith(`.${name}`));
  if (ends.length === 1) return { path: ends[0] as string };
  if (ends.length > 1) return { problem: `is the end of ${ends.length} paths of the job; say which one: ${listed(ends)}` };
  const last = name.slice(name.lastIndexOf('.') + 1);
  const near = [...known].filter((path) => isNear(path.slice(path.lastIndexOf('.') + 1), last));
  return { problem: `names nothing in the job${near.length === 0 ? '; a parameter is a path into it, such as training.optimizer.lr, or the end of one' : ` (did you mean ${listed(near)}?)`}` };
}

const CANDIDATES_MAX = 8;
const listed = (paths: readonly string[]): string => (paths.length <= CANDIDATES_MAX ? paths : [...paths.slice(0, CANDIDATES_MAX), `${paths.length - CANDIDATES_MAX} more`]).join(', ');
const isNear = (key: string, name: string): boolean => key === name || (Math.min(key.length, name.length) > 2 && [[key, name], [name, key]].some(([long = '', short = '']) => long.startsWith(short) || long.endsWith(`_${short}`)));

/** Every object, array and value in it, by its path. */
function* pathsIn(value: unknown, prefix = ''): Generator<string> {
  if (!isContainer(value)) return;
  for (const [key, item] of Object.entries(value)) {
    // a path is split at its dots again
    if (key.includes('.')) continue;
    yield `${prefix}${key}`;
    yield* pathsIn(item, `${prefix}${key}.`);
  }
}

/** An element that a list does not have cannot come from parameters. */
function missingElement(keys: readonly string[], job: unknown, resolved: unknown): string | null {
  let [here, there] = [job, resolved];
  for (const [index, key] of keys.entries()) {
    const list = Array.isArray(here) ? here : here === undefined && Array.isArray(there) ? there : null;
    if (list !== null && !isIndex(key, list)) return `names an element that ${keys.slice(0, index).join('.')} does not have: it has ${list.length === 1 ? 'only element 0' : `elements 0 to ${list.length - 1}`}, got ${key}`;
    [here, there] = [child(here, key), child(there, key)];
  }
  return null;
}

type Container = Record<string, unknown> | unknown[];
const isContainer = (value: unknown): value is Container => typeof value === 'object' && value !== null;
const isIndex = (key: string, list: readonly unknown[]): boolean => /^(0|[1-9][0-9]*)$/.test(key) && Number(key) < list.length;
const child = (value: unknown, key: string): unknown => (isContainer(value) && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined);

/** A copy of `here` with the value put at the end of the keys; `resolved` is what the same place resolves to in the template. */
function put(here: unknown, keys: readonly string[], value: JsonValue, resolved: unknown): unknown {
  const [key, ...rest] = keys;
  if (key === undefined) return value;
  const container = isContainer(here) ? here : spelledOut(here, resolved);
  // nothing can be put into it; resolving the job will say so
  if (container === null) return here;
  if (Array.isArray(container) && !isIndex(key, container)) return [...container, put(undefined, rest, value, undefined)];
  const inner = put(child(container, key), rest, value, child(resolved, key));
  if (Array.isArray(container)) return container.with(Number(key), inner);
  // fromEntries defines own keys, whatever they are called
  return Object.fromEntries(Object.hasOwn(container, key) ? Object.entries(container).map(([each, item]) => [each, each === key ? inner : item]) : [...Object.entries(container), [key, inner]]);
}

/** What has no keys to put anything in: a name becomes the object of that type, and what is absent the least that can stand there. */
function spelledOut(here: unknown, resolved: unknown): Container | null {
  if (typeof here === 'string') return { type: here };
  if (here !== undefined && here !== null) return null;
  if (Array.isArray(resolved)) return resolved as unknown[];
  const type = child(resolved, 'type');
  return typeof type === 'string' ? { type } : {};
}
